import type { DownloadRequest } from "../fetch/download.ts";
import type { Dial } from "../zookeeper/dial.ts";

export interface StatusPort extends AsyncDisposable {
  /** `address:port` as it can be asked. */
  readonly address: string;
}

/** What leaves this host, and what is asked of it. */
export interface Network {
  /** How a ZooKeeper server is reached. */
  readonly dial: Dial;
  /**
   * Brings a build's bytes to this host, and on the disk.
   *
   * @throws DeployError `fetch-failed` (`retry` when it may pass by itself), `policy-refused`, `disk-full`, `aborted`
   */
  download(request: DownloadRequest): Promise<void>;
  /** Answers HTTP at `listen`, as in `127.0.0.1:9876`. @throws DeployError `port-taken`, `config-invalid` */
  serve(answer: (request: Request) => Response | Promise<Response>, listen: string): StatusPort;
}
