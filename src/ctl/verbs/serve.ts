import { buildCommand } from "@stricli/core";
import { DeployError } from "../../core/errors.ts";
import { pageApp } from "../../page/app.ts";
import { ipNetwork, listenAddress } from "../../schema/agent_config.ts";
import { networksIn } from "../../schema/ip_network.ts";
import { hostName } from "../../schema/names.ts";
import { onAbort } from "../../support/abort.ts";
import { FleetFeed } from "../../watch/fleet_feed.ts";
import { exit } from "../../cli/exit.ts";
import { matching } from "../../cli/flags.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";

interface ServeFlags extends CommonFlags {
  readonly listen: string;
  readonly name: readonly string[] | undefined;
  readonly from: readonly string[] | undefined;
}

const DEFAULT_LISTEN = "127.0.0.1:8080";

export const serveVerb = buildCommand({
  docs: {
    brief: "Serve the fleet as a page for browsers",
    fullDescription: ctlDescription(
      `Serves what monitor shows as a page that changes by itself, until interrupted. It only shows, and
reads ZooKeeper only while somebody looks. A service, a host and a deploy each have an address
that can be shared. The page has no login: whoever reaches the port sees it, so that it binds to
loopback unless told otherwise. Every agent serves the same page at its status port.`,
      "deployd ctl serve",
      "deployd ctl serve --listen 10.0.0.5:8080 --name deploys.example.com --from 10.0.0.0/8",
    ),
  },
  parameters: {
    flags: {
      listen: {
        kind: "parsed",
        parse: matching(listenAddress),
        brief: "Where to serve it",
        placeholder: "address",
        default: DEFAULT_LISTEN,
      },
      name: {
        kind: "parsed",
        parse: matching(hostName),
        brief: "A name it may be asked for by, beside addresses and localhost (default: none)",
        placeholder: "name",
        variadic: true,
        optional: true,
      },
      from: {
        kind: "parsed",
        parse: matching(ipNetwork),
        brief: "A network that it is shown to (default: all)",
        placeholder: "network",
        variadic: true,
        optional: true,
      },
      ...commonFlags,
    },
    positional: { kind: "tuple", parameters: [] },
  },
  func: ctlVerb<ServeFlags, []>(async (ctl, { listen, name = [], from }) => {
    const { process, output, signal } = ctl;
    if (process.serve === undefined)
      throw new DeployError("Cannot serve a page: this program was given no network.", { code: "internal" });
    // What keeps it from reading anything at all is told here, and not to somebody who opens the page.
    await (await ctl.connect()).close();
    await using feed = new FleetFeed({ open: ctl.connect, clock: process.clock });
    const app = pageApp({
      feed,
      clock: process.clock,
      version: process.version,
      rules: { names: name, from: from === undefined ? null : networksIn(from) },
      hint: "start deployd ctl serve with --name or --from for it",
    });
    await using port = await process.serve((request, peer) => app.fetch(request, peer), listen);
    const url = `http://${port.address}/`;
    output.answer({ schema: "deployd.ctl.serve/1", url }, [`The fleet is at ${url} until this is interrupted.`]);
    await new Promise<void>((resolve) => void onAbort(signal, resolve));
    return exit.asked;
  }),
});
