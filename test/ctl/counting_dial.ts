import { systemClock } from "../../src/support/clock.ts";
import { tcpDial, type Dial } from "../../src/zookeeper/dial.ts";
import { intAt, prefixBytes } from "../../src/zookeeper/wire/jute.ts";
import { OpCode } from "../../src/zookeeper/wire/opcodes.ts";

/** What one command asks of ZooKeeper. */
export interface Asked {
  /** Requests, in the order in which they left; pings and the handshake are none. */
  readonly names: string[];
  /** How often it waited for an answer before it could ask on; so long as each answer takes its time, as over a network. */
  roundTrips: number;
}

const names = new Map<number, string>(Object.entries(OpCode).map(([name, opcode]) => [opcode, name]));
const untold: readonly number[] = [OpCode.ping, OpCode.closeSession];

/** Connects by TCP and counts what goes over it. */
export function countingDial(): { readonly dial: Dial; readonly asked: Asked } {
  const asked: Asked = { names: [], roundTrips: 0 };
  const dial: Dial = async (address, options, events) => {
    let isGreeted = false;
    let isAnswered = true;
    const wire = await tcpDial(systemClock)(address, options, {
      data: (chunk) => {
        isAnswered = true;
        events.data(chunk);
      },
      drain: () => events.drain(),
      ended: (failure) => events.ended(failure),
    });
    return {
      terminate: () => wire.terminate(),
      write: (bytes) => {
        const frames = Buffer.from(bytes);
        for (let at = 0; at < frames.length; at += prefixBytes + intAt(frames, at)) {
          const opcode = isGreeted ? intAt(frames, at + prefixBytes + 4) : OpCode.ping;
          isGreeted = true;
          if (untold.includes(opcode)) continue;
          asked.names.push(names.get(opcode) ?? String(opcode));
          if (isAnswered) asked.roundTrips += 1;
          isAnswered = false;
        }
        return wire.write(bytes);
      },
    };
  };
  return { dial, asked };
}
