import type { Archive } from "../machine/archive.ts";
import type { Network } from "../machine/network.ts";
import type { Digest } from "../schema/names.ts";
import type { BuildRecord } from "../schema/znodes.ts";
import type { RunCommand } from "../support/command.ts";
import type { Files } from "./files.ts";
import type { Layout } from "./layout.ts";

/** The build that a step works on. */
export interface BuildWork {
  readonly service: string;
  readonly build: string;
  readonly deploy: string;
  readonly layout: Layout;
  readonly record: BuildRecord & { readonly digest: Digest };
}

export interface StepEffects {
  readonly files: Files;
  readonly archive: Archive;
  readonly network: Pick<Network, "download">;
  readonly run: RunCommand;
  readonly signal: AbortSignal;
}
