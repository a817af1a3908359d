declare const DEPLOYD_VERSION: string | undefined;

/** Built into the binary; when the source is run directly, the version says that. */
export const version: string = typeof DEPLOYD_VERSION === "string" ? DEPLOYD_VERSION : "0.0.0-dev";
