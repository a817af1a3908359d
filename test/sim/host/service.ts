import { pidFileOf } from "./builds.ts";
import type { Ground, HostInstance, HostService } from "./ground.ts";
import type { SimProcess } from "./process_table.ts";
import { currentDirectory, readRelease, type Release } from "./release.ts";

/** How long a program takes to listen, to end after TERM and to read everything anew, at most; in milliseconds. */
const START_MS = 400;
const STOP_MS = 200;
const RELOAD_MS = 300;

export interface Launch {
  readonly service: HostService;
  readonly instance: HostInstance;
  readonly release: Release;
  /** A program of the init is started through `current`, and writes its pid to a file. */
  readonly byInit: boolean;
  /** The process whose group it stays in; otherwise it leads its own. */
  readonly shell?: SimProcess;
}

type State = "starting" | "well" | "ill" | "silent" | "leaving";

/** One copy of a service that runs. What it is like is decided by the release that it was started from. */
export class RunningService {
  readonly process: SimProcess;
  readonly service: HostService;
  readonly instance: HostInstance;
  readonly #ground: Ground;
  readonly #byInit: boolean;
  #release: Release;
  #state: State = "starting";

  constructor(ground: Ground, { service, instance, release, byInit, shell }: Launch) {
    this.#ground = ground;
    this.#release = release;
    this.#byInit = byInit;
    this.service = service;
    this.instance = instance;
    this.process = ground.processes.start({
      parent: 1,
      uid: service.user.uid,
      root: service.root,
      instance: instance.name,
      marker: null,
      group: shell?.group,
      startedFor: shell?.facts.startedFor ?? null,
    });
    // A server that reads its files anew goes through current, and shows no release.
    this.process.release = service.restart === "hup" ? null : (release.directory.split("/").at(-1) ?? null);
    this.#tell(`starts ${release.program.build}`);
    this.process.onEnd((ending) =>
      this.#tell(ending.kind === "exited" ? `exits with ${ending.code}` : `is ended by ${ending.signal}`),
    );
    this.process.onSignal = (signal) => this.#hear(signal);
    this.process.answer = () => this.#answer();
    this.#begin(ground.chance.random() * START_MS);
  }

  get release(): Release {
    return this.#release;
  }

  get isWell(): boolean {
    return this.process.isRunning && this.#state === "well";
  }

  #begin(usualMs: number): void {
    const release = this.#release;
    const { character } = release.program;
    const isStill = (work: () => void) => () => {
      if (this.#release === release) work();
    };
    this.process.after(
      character.kind === "slow" ? character.startMs : usualMs,
      isStill(() => this.#listen()),
    );
    switch (character.kind) {
      case "dies":
        this.process.after(
          character.afterMs,
          isStill(() => this.process.end({ kind: "exited", code: 1 })),
        );
        break;
      case "sickens":
        this.process.after(
          character.afterMs,
          isStill(() => {
            this.#state = "ill";
            this.#tell("falls ill");
          }),
        );
        break;
      case "kills-host":
        this.process.after(
          character.afterMs,
          isStill(() => this.#ground.powerCut()),
        );
        break;
      case "good":
      case "slow":
      case "ill":
      case "silent":
      case "stubborn":
      case "start-fails":
      case "start-hangs":
        break;
    }
  }

  #listen(): void {
    const { process, instance } = this;
    const taken = process.port === null && !process.listen(instance.port);
    if (taken) this.#tell(`finds port ${instance.port} taken`);
    if (taken || !this.#writePid()) return process.end({ kind: "exited", code: 1 });
    if (this.#state === "leaving") return;
    const { kind } = this.#release.program.character;
    this.#state = kind === "ill" || kind === "silent" ? kind : "well";
    this.#tell(`listens, and is ${this.#state}`);
  }

  #tell(what: string): void {
    const { service, instance, process } = this;
    this.#ground.tell(`${service.name}@${instance.name} (${process.pid}) ${what}`);
  }

  #writePid(): boolean {
    if (!this.#byInit) return true;
    const { disk } = this.#ground;
    const path = pidFileOf(this.service.root, this.instance.name);
    try {
      disk.makeDirectory(`${this.service.root}/run`);
      const file = disk.open(path);
      disk.truncate(file);
      disk.append(file, Buffer.from(`${this.process.pid}\n`));
      return true;
    } catch {
      return false;
    }
  }

  #hear(signal: string): void {
    const { process } = this;
    if (signal === "SIGHUP" && this.service.restart === "hup") {
      process.after(this.#ground.chance.random() * RELOAD_MS, () => this.#reload());
      return;
    }
    if (this.#release.program.character.kind === "stubborn") return;
    this.#state = "leaving";
    process.after(this.#ground.chance.random() * STOP_MS, () => process.end({ kind: "exited", code: 0 }));
  }

  /** What cannot be read is not taken: the program goes on with what it has. */
  #reload(): void {
    const directory = currentDirectory(this.#ground, this.service.root);
    const release = directory === null ? null : readRelease(this.#ground, directory);
    if (release === null || this.#state === "leaving") return;
    this.#release = release;
    this.#tell(`reads ${release.program.build}`);
    this.#begin(0);
  }

  #answer(): ReturnType<SimProcess["answer"]> {
    const { build } = this.#release.program;
    switch (this.#state) {
      case "well":
        return { kind: "answer", status: 200, body: `${build} is well` };
      case "ill":
      case "leaving":
      case "starting":
        return { kind: "answer", status: 503, body: `${build} is ${this.#state}` };
      case "silent":
        return { kind: "silence" };
    }
  }
}
