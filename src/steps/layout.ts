import { join } from "node:path";
import type { Digest } from "../schema/names.ts";

/** Where everything of one service lies on the host (design, section 5). Pure: it only joins paths. */
export interface Layout {
  readonly root: string;
  readonly releases: string;
  readonly builds: string;
  readonly current: string;
  /** The link that becomes `current` on the way back: made in advance, while there is disk space for it. */
  readonly wayBack: string;
  /** Reserved space for a service that is started on a full disk. */
  readonly ballast: string;
  readonly shared: string;
  /** HOME for the service's user, where the user's own cannot be used. */
  readonly home: string;
  readonly state: string;
  release(build: string): string;
  /**
   * What deployd knows of a release. It is kept beside the releases and not in them: those belong to the service's user,
   * who could put a link in its place.
   */
  record(build: string): string;
  /** A build's recipe as its verified archive had it; in the release, the service's user could change it. */
  recipe(build: string): string;
  /** The target of the link is relative, so that the whole tree can be moved or looked at from a container. */
  linkTarget(build: string): string;
  staging(build: string): string;
  /** The download; a partial one is resumed. */
  spool(build: string): string;
  /**
   * The download after its digest was verified. The digest is in the name, so a verified file is never taken for another.
   */
  verified(build: string, digest: Digest): string;
  tree(build: string): string;
  /** What steps have printed: a directory for each build, and a file in it for each step. */
  readonly logs: string;
  log(build: string, step: string): string;
}

export const RECIPE_FILE = "deployd.toml";
export const LOG_ENDING = ".log";
export const STAGING_PREFIX = ".staging-";

export function layoutOf(root: string): Layout {
  const staging = (build: string) => join(root, `${STAGING_PREFIX}${build}`);
  return {
    root,
    releases: join(root, "releases"),
    builds: join(root, "builds"),
    current: join(root, "current"),
    wayBack: join(root, ".current.back"),
    ballast: join(root, ".ballast"),
    shared: join(root, "shared"),
    home: join(root, "home"),
    state: join(root, "state.json"),
    release: (build) => join(root, "releases", build),
    record: (build) => join(root, "builds", `${build}.json`),
    recipe: (build) => join(root, "builds", `${build}.toml`),
    linkTarget: (build) => `releases/${build}`,
    staging,
    spool: (build) => join(staging(build), "archive"),
    verified: (build, digest) =>
      join(staging(build), `archive-${digest.slice("sha256:".length, "sha256:".length + 16)}`),
    tree: (build) => join(staging(build), "tree"),
    logs: join(root, "log"),
    log: (build, step) => join(root, "log", build, `${step}${LOG_ENDING}`),
  };
}
