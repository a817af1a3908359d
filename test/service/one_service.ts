import { join } from "node:path";
import { agentConfig } from "../../src/agent/config.ts";
import { TrafficControl } from "../../src/service/traffic_control.ts";
import { HostSlot } from "../../src/service/host_slot.ts";
import { JournalFile } from "../../src/service/journal_file.ts";
import { ServiceAgent } from "../../src/service/service_agent.ts";
import { ServiceHost } from "../../src/service/service_host.ts";
import { Troubles } from "../../src/store/troubles.ts";
import { ServiceState } from "../../src/service/service_state.ts";
import type { Machine } from "../../src/machine/machine.ts";
import type { HostStatus } from "../../src/schema/znodes.ts";
import { Files } from "../../src/steps/files.ts";
import { StatusPublisher } from "../../src/store/publish.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { knownFormat } from "../harness/format.ts";

const PLAIN = '[zookeeper]\nservers = "nowhere:1"\n[services.web]\n';

const atOnce = <T>(work: () => Promise<T>): Promise<T> => work();

/** One service of an agent that ZooKeeper never answers. @param file its agent.toml */
export async function openAgent(machine: Machine, root: string, file = PLAIN, heavy = atOnce) {
  const config = agentConfig(file, "agent.toml", {}, "box");
  const section = config.services["web"];
  if (section === undefined) throw new Error("the service is gone from the file");
  const { clock } = machine;
  const files = new Files(machine.disk, clock);
  const session = new Session({
    clock,
    servers: "nowhere:1",
    dial: () => Promise.reject(new Error("nobody is there")),
    lookup: async () => [],
  });
  const publisher = new StatusPublisher(session, "web", "box", knownFormat, clock);
  const journal = await JournalFile.open(files, join(root, "state.json"), () => {});
  const said: HostStatus[] = [];
  const lines: string[] = [];
  const state = new ServiceState({
    service: "web",
    journal,
    troubles: new Troubles(() => {}),
    nowMs: () => clock.now(),
    say: (level, message) => void lines.push(`${level}: ${message}`),
    onChange: (status) => status !== null && said.push(status),
  });
  const touched: string[] = [];
  const traffic = {
    steer: async () => void touched.push("steer"),
    taken: async () => {},
    busy: async () => null,
    refused: async () => null,
    remove: async () => void touched.push("remove"),
  };
  const bootId = "boot 1";
  const trafficControl = new TrafficControl({
    by: "nft",
    traffic,
    instances: ["1"],
    journal,
    bootId,
    timeoutMs: 1,
    former: () => null,
  });
  const host = new ServiceHost({ machine, files, config, section, root, state, trafficControl });
  const agent = new ServiceAgent({
    former: { ask: async () => {} },
    hold: { isHeld: async () => false, begin: async () => false, comeBack: async () => false },
    host,
    state,
    slot: new HostSlot(session, "web", "box", publisher, knownFormat, clock),
    heavy,
    log: (level, message) => lines.push(`${level}: ${message}`),
    onStep: () => {},
    onEnd: () => {},
  });
  return { agent, host, state, session, journal, said, touched, lines };
}
