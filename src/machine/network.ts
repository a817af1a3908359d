import type { HttpAnswer, HttpPort } from "../support/http_port.ts";
import type { DownloadRequest } from "../fetch/download.ts";
import type { Dial } from "../zookeeper/dial.ts";

/** A POST of what a person is to be told. */
export interface PostRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Nobody is told of the URL by it: `why` says what failed, and not where. */
export type PostAnswer =
  { readonly kind: "answered"; readonly status: number } | { readonly kind: "unanswered"; readonly why: string };

/** The host's network: its outgoing connections, and the requests that it answers. */
export interface Network {
  /** Connects to a ZooKeeper server. */
  readonly dial: Dial;
  /**
   * Downloads a build to the disk of this host.
   *
   * @throws DeployError `fetch-failed` (`retry` when it may pass by itself), `policy-refused`, `disk-full`, `aborted`
   */
  download(request: DownloadRequest): Promise<void>;
  /** Sends a POST, and returns the head of the answer. Redirects are answers. It fails when the signal is aborted. */
  post(request: PostRequest, signal: AbortSignal): Promise<PostAnswer>;
  /** Answers HTTP at `listen`, as in `127.0.0.1:9876`. @throws DeployError `port-taken`, `config-invalid` */
  serve(answer: HttpAnswer, listen: string): HttpPort;
}
