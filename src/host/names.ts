import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import type { HostNames } from "../probe/reach.ts";

/** Names as this host resolves them, /etc/hosts and all. */
export const hostNames: HostNames = {
  lookup: async (name) => (await lookup(name, { all: true, verbatim: true })).map(({ address }) => address),
  own: () => Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
};
