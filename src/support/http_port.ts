/** What the server of a request knows of it beside the request itself. */
export interface RequestOrigin {
  /** The address that it came from. */
  readonly peer?: string;
}

export type HttpAnswer = (request: Request, from: RequestOrigin) => Response | Promise<Response>;

/** A port of this machine at which requests are answered, until it is disposed of. */
export interface HttpPort extends AsyncDisposable {
  /** The `address:port` to send requests to. */
  readonly address: string;
}
