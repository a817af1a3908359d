declare const DEPLOYD_VERSION: string | undefined;

/** Written into the binary when it is built; a checkout that is run directly says so. */
export const version: string = typeof DEPLOYD_VERSION === "string" ? DEPLOYD_VERSION : "0.0.0-dev";
