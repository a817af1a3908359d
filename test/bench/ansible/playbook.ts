import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../../harness/eventually.ts";
import { type Build, PORTS } from "./build.ts";
import { type Machine, must } from "./machines.ts";

/** As an operator who cares about speed sets it: one connection for a host, kept; no file copied to run a module. */
const SETTINGS = `[defaults]
inventory = inventory
host_key_checking = False
forks = 20
gathering = explicit
interpreter_python = /usr/bin/python3
private_key_file = key
remote_user = root
retry_files_enabled = False
[ssh_connection]
pipelining = True
control_path = %(directory)s/control-%%h
ssh_args = -o ControlMaster=auto -o ControlPersist=600s -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR
`;

const PLAYBOOK = `- hosts: all
  gather_facts: false
  serial: 5
  max_fail_percentage: 0
  tasks:
    - name: release directory
      ansible.builtin.file:
        path: "{{ root }}/releases/{{ build }}"
        state: directory
        owner: nobody
        group: nogroup
        mode: "0755"
    - name: fetch
      ansible.builtin.get_url:
        url: "{{ url }}"
        dest: "{{ root }}/{{ build }}.tar.zst"
        checksum: "{{ digest }}"
        mode: "0600"
    - name: unpack
      ansible.builtin.unarchive:
        src: "{{ root }}/{{ build }}.tar.zst"
        dest: "{{ root }}/releases/{{ build }}"
        remote_src: true
        owner: nobody
        group: nogroup
    - name: flip
      ansible.builtin.file:
        src: "releases/{{ build }}"
        dest: "{{ root }}/current"
        state: link
        force: true
    - name: restart
      ansible.builtin.command:
        cmd: setpriv --reuid=nobody --regid=nogroup --clear-groups sh ./service restart
        chdir: "{{ root }}/current"
      environment:
        RUN: "{{ root }}/run"
        PORT: "${PORTS.ansible}"
    - name: check
      ansible.builtin.uri:
        url: "http://127.0.0.1:${PORTS.ansible}/"
        return_content: true
      register: answer
      until: answer.status == 200 and answer.content == build
      retries: 30
      delay: 1
`;

/** The hosts as Ansible sees them: an sshd in each, and the files of one project on the tmpfs. */
export class Ansible {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async setUp(machines: readonly Machine[], directory: string): Promise<Ansible> {
    await mkdir(directory, { recursive: true });
    // Where sshd confines what has not logged in yet; in this bench's own /run.
    await mkdir("/run/sshd", { recursive: true });
    for (const name of ["key", "host_key"]) {
      await must(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", join(directory, name)]);
    }
    await copyFile(join(directory, "key.pub"), join(directory, "authorized_keys"));
    await Bun.write(join(directory, "ansible.cfg"), SETTINGS.replace("%(directory)s", directory));
    await Bun.write(join(directory, "deploy.yml"), PLAYBOOK);
    const lines = machines.map(({ name, address, directory: own }) => {
      const root = join(own, "ansible");
      return `${name} ansible_host=${address} root=${root} ansible_remote_tmp=${join(own, "ansible-tmp")}`;
    });
    await Bun.write(join(directory, "inventory"), `${lines.join("\n")}\n`);
    for (const machine of machines) await startSshd(machine, directory);
    return new Ansible(directory);
  }

  /** Deploys by one command, and returns its time and that of each task over all batches, in milliseconds. */
  async deploy(build: Build, url: string): Promise<{ tookMs: number; stepsMs: Record<string, number> }> {
    const facts = { build: build.id, url, digest: build.digest };
    const startedAt = performance.now();
    const child = Bun.spawn(["ansible-playbook", "deploy.yml", "--extra-vars", JSON.stringify(facts)], {
      cwd: this.#directory,
      env: {
        PATH: process.env["PATH"] ?? "/usr/bin:/bin",
        HOME: this.#directory,
        LC_ALL: "C.UTF-8",
        ANSIBLE_LOCAL_TEMP: join(this.#directory, "tmp"),
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stepsMs, complaint, code] = await Promise.all([tasksOf(child.stdout), child.stderr.text(), child.exited]);
    if (code !== 0) throw new Error(`ansible-playbook exited with ${code}: ${complaint}`);
    return { tookMs: performance.now() - startedAt, stepsMs };
  }
}

/** Milliseconds by task, from one heading "TASK [name]" to the next as they are printed. */
async function tasksOf(output: ReadableStream<Uint8Array>): Promise<Record<string, number>> {
  const took: Record<string, number> = {};
  let task: { readonly name: string; readonly sinceMs: number } | null = null;
  for await (const bytes of output) {
    const text = Buffer.from(bytes).toString();
    const headings = [...text.matchAll(/^(?:TASK \[(.+)\]|PLAY .*) \*+$/gm)];
    const nowMs = performance.now();
    for (const [, name = null] of headings) {
      if (task !== null) took[task.name] = Math.round((took[task.name] ?? 0) + nowMs - task.sinceMs);
      task = name === null ? null : { name, sinceMs: nowMs };
    }
    if (/\b(?:FAILED!|UNREACHABLE!)/.test(text)) throw new Error(`Ansible failed: ${text.slice(0, 4_000)}`);
  }
  return took;
}

async function startSshd({ address, directory, inside }: Machine, shared: string): Promise<void> {
  const root = join(directory, "ansible");
  await mkdir(join(root, "run"), { recursive: true });
  await must(["chown", "nobody:nogroup", join(root, "run")]);
  const settings = join(directory, "sshd_config");
  await Bun.write(
    settings,
    `ListenAddress ${address}
HostKey ${join(shared, "host_key")}
AuthorizedKeysFile ${join(shared, "authorized_keys")}
PidFile none
UsePAM no
UseDNS no
PermitRootLogin yes
StrictModes no
`,
  );
  Bun.spawn([...inside, "/usr/sbin/sshd", "-D", "-e", "-f", settings], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: Bun.file(join(directory, "sshd.log")),
  });
  await eventually(async () => {
    const socket = await Bun.connect({ hostname: address, port: 22, socket: { data: () => {} } });
    socket.end();
    return true;
  });
}
