import { illnessText } from "../view/host.ts";
import { byZone, STATE_SIGNS, WORST_FIRST, type FleetHost } from "../view/host_state.ts";
import { ageMs, duration } from "../view/times.ts";
import { oneLine } from "../view/words.ts";
import { hrefOf } from "./address.ts";
import { classOf } from "./state_bar.tsx";

/** Up to so many hosts each have a row. */
const MOST_ROWS = 60;
/** Up to so many each have a cell that leads to them. */
const MOST_CELLS = 800;
/** So many of a larger fleet that are neither done nor waiting are named below. */
const MOST_NAMED = 40;

interface HostListProps {
  readonly service: string;
  readonly hosts: readonly FleetHost[];
  readonly now: Date;
}

/** The hosts of a service in the way that shows most of each: a row for each, else a cell, else a sign. */
export function HostList(props: HostListProps) {
  if (props.hosts.length <= MOST_ROWS) return <Rows {...props} />;
  if (props.hosts.length <= MOST_CELLS) return <Zones {...props} cell={cellOf(props)} />;
  const notable = props.hosts
    .filter(({ state }) => state !== "done" && state !== "waiting" && state !== "idle")
    .toSorted((a, b) => WORST_FIRST.indexOf(a.state) - WORST_FIRST.indexOf(b.state));
  return (
    <>
      <Zones {...props} cell={signOf} />
      {notable.length === 0 ? null : (
        <>
          <h3>
            {notable.length > MOST_NAMED ? `${MOST_NAMED} of ${notable.length} hosts` : `${notable.length} hosts`} that
            are neither done nor waiting, the worst first
          </h3>
          <Rows {...props} hosts={notable.slice(0, MOST_NAMED)} />
        </>
      )}
    </>
  );
}

function Rows({ service, hosts, now }: HostListProps) {
  const hasZones = hosts.some(({ zone }) => zone !== "");
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Host</th>
            {hasZones ? (
              <th scope="col" class="wide">
                Zone
              </th>
            ) : null}
            <th scope="col">State</th>
            <th scope="col" class="wide">
              Step
            </th>
            <th scope="col">For</th>
            <th scope="col" class="wide">
              Build
            </th>
            <th scope="col">Says</th>
          </tr>
        </thead>
        <tbody>
          {hosts.map((each) => {
            const { host, role, zone, state, status, connected } = each;
            const { glyph, word, tone } = STATE_SIGNS[state];
            return (
              <tr class={connected ? undefined : "away"}>
                <th scope="row">
                  <a href={hrefOf({ kind: "host", service, host })}>{oneLine(host)}</a>
                  {role === "canary" ? <span class="busy tag"> canary</span> : null}
                </th>
                {hasZones ? <td class="wide">{oneLine(zone)}</td> : null}
                <td class={tone}>
                  {glyph} {word}
                </td>
                <td class="wide">{status?.step ?? "-"}</td>
                <td>{status === null ? "-" : duration(ageMs(status.since, now))}</td>
                <td class="wide">
                  <code>{status?.build ?? "-"}</code>
                </td>
                <td class="bad says">{oneLine(status?.error?.message ?? illnessText(status))}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

interface ZonesProps extends HostListProps {
  readonly cell: (run: readonly FleetHost[]) => unknown;
}

function Zones({ hosts, cell }: ZonesProps) {
  const zones = byZone(hosts);
  return (
    <>
      {zones.map(({ zone, hosts: all }) => (
        <section class="zone">
          {zones.length > 1 || zone !== "" ? (
            <h3>
              {zone === "" ? "no zone" : oneLine(zone)}{" "}
              <span class="dim">
                {all.filter(({ state }) => state === "done").length}/{all.length}
              </span>
            </h3>
          ) : null}
          <div class="cells">{cell(all)}</div>
        </section>
      ))}
    </>
  );
}

function cellOf({ service, now }: HostListProps): ZonesProps["cell"] {
  return (hosts) =>
    hosts.map(({ host, state, status }) => {
      const { glyph, word } = STATE_SIGNS[state];
      const age =
        status === null || state === "done" || state === "idle" ? "" : ` for ${duration(ageMs(status.since, now))}`;
      const said = `${oneLine(host)}: ${word}${age}`;
      return (
        <a
          class={`cell fill-${classOf(state)}`}
          href={hrefOf({ kind: "host", service, host })}
          title={said}
          aria-label={said}
        >
          {glyph}
        </a>
      );
    });
}

/** Thousands of hosts are told by signs alone, those of one state that stand beside each other in one piece. */
function signOf(hosts: readonly FleetHost[]): unknown {
  const runs: { state: FleetHost["state"]; many: number }[] = [];
  for (const { state } of hosts) {
    const last = runs.at(-1);
    if (last?.state === state) last.many += 1;
    else runs.push({ state, many: 1 });
  }
  return (
    <p class="signs" aria-hidden="true">
      {runs.map(({ state, many }) => (
        <span class={STATE_SIGNS[state].tone}>{STATE_SIGNS[state].glyph.repeat(many)}</span>
      ))}
    </p>
  );
}
