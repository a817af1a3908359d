import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { packDirectory } from "../../harness/real_time.ts";
import { plantTree } from "../unpack/tree.ts";

/** A build that both sides deploy. */
export interface Build {
  readonly id: string;
  readonly archive: string;
  readonly digest: string;
  readonly bytes: number;
}

/** 2,000 files and 10 MB, unpacked, of which little can be compressed. */
const SHAPE = { files: 2_000, meanBytes: 5_000, noise: 0.95, links: 0 };

/** Where the service listens on each host, by who deploys it. */
export const PORTS = { ansible: 8081, deployd: 8080 } as const;

/** Only sockets: loading the standard library's HTTP server takes longer than all of a restart beside it. */
const SERVE = `import os
import socket

body = open("version", "rb").read()
answer = b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body)

server = socket.create_server(("", int(os.environ["PORT"])), backlog=128)
while True:
    client, _ = server.accept()
    with client:
        client.recv(65536)
        client.sendall(answer)
`;

/** Both sides restart the service by this script, in the release directory. RUN is where the pid file is. */
const SERVICE = `#!/bin/sh
set -eu
stop() {
  pid=$(cat "$RUN/pid" 2>/dev/null) || return 0
  rm -f "$RUN/pid"
  kill "$pid" 2>/dev/null || return 0
  while [ -e "/proc/$pid/cwd" ]; do sleep 0.01; done
}
start() {
  /usr/bin/python3 serve.py </dev/null >>"$RUN/log" 2>&1 &
  echo $! >"$RUN/pid"
}
case $1 in
  stop) stop ;;
  start) start ;;
  restart) stop; start ;;
esac
`;

const RECIPE = `[install]
shared = ["run"]

[restart]
by = "command"
stop = 'RUN=$DEPLOYD_SHARED/run exec sh ./service stop'
start = 'RUN=$DEPLOYD_SHARED/run exec sh ./service start'

[check]
http = "http://127.0.0.1:\${PORT}/"
expect_body = "\${DEPLOYD_BUILD}"
interval_s = 0.05
deadline_s = 30
successes = 1
`;

/** Packs builds that differ in one file, in an order of their own: \`v0\`, \`v1\` … */
export async function packBuilds(directory: string, count: number): Promise<Build[]> {
  const tree = join(directory, "tree");
  await mkdir(tree, { recursive: true });
  plantTree(tree, SHAPE);
  await Bun.write(join(tree, "serve.py"), SERVE);
  await Bun.write(join(tree, "service"), SERVICE);
  await chmod(join(tree, "service"), 0o755);
  await Bun.write(join(tree, "deployd.toml"), RECIPE);
  const builds: Build[] = [];
  for (let number = 0; number < count; number += 1) {
    const id = `v${number}`;
    await Bun.write(join(tree, "version"), id);
    const archive = join(directory, `${id}.tar.zst`);
    const { digest, size } = await packDirectory({ dir: tree, out: archive });
    builds.push({ id, archive, digest, bytes: size });
  }
  return builds;
}
