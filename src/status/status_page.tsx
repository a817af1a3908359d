import { documentOf } from "../page/document.tsx";
import { dateTime, duration } from "../view/times.ts";
import { byteSize, lastLines, oneLine } from "../view/words.ts";
import type { AgentStatus, ServiceOnHost } from "./agent_status.ts";

/** What this host does, for a browser. @param isFleetShown whether this agent also shows the fleet */
export function statusPage(status: AgentStatus, isFleetShown: boolean): string {
  const { host, version, startedAt, zookeeper, problem, services } = status;
  return documentOf({
    title: host,
    version,
    script: null,
    body: (
      <>
        <header>
          <nav aria-label="Where you are">
            <h1>
              <span class="brand">deployd</span> / {isFleetShown ? <a href="/">fleet</a> : "host"} / {host}
            </h1>
          </nav>
          <p class="dim">a snapshot of this host</p>
        </header>
        <main>
          <ul class="facts">
            <li>agent since {dateTime(startedAt)}</li>
            <li class={zookeeper.state === "connected" ? "plain" : "bad"}>
              ZooKeeper {zookeeper.state}: {oneLine(zookeeper.detail)}
            </li>
            <li>{zookeeper.sessionLosses} sessions lost</li>
            <li>
              <a href="/status?format=json">as JSON</a>
            </li>
            <li>
              <a href="/metrics">metrics</a>
            </li>
          </ul>
          {problem === "" ? null : <p class="bad">✗ {oneLine(problem)}</p>}
          {services.map((each) => (
            <Service of={each} isFleetShown={isFleetShown} host={host} />
          ))}
        </main>
      </>
    ),
  });
}

interface ServiceProps {
  readonly of: ServiceOnHost;
  readonly isFleetShown: boolean;
  readonly host: string;
}

function Service({ of, isFleetShown, host }: ServiceProps) {
  const { service, status, problem, download, instances, leftovers, restart } = of;
  const isIll = status.health === "unhealthy" || status.step === "failed";
  const href = `/services/${encodeURIComponent(service)}/hosts/${encodeURIComponent(host)}`;
  return (
    <section class="service">
      <h2>
        {isFleetShown ? <a href={href}>{service}</a> : service} <code>{status.build ?? "nothing"}</code>
      </h2>
      <p class="headline">
        <strong class={isIll ? "bad" : status.step === "serving" ? "good" : "busy"}>
          {status.step}
          {status.rollingBack ? ", going back" : ""}
        </strong>
        <span class={isIll ? "bad" : "plain"}>{status.health}</span>
        {status.wish === null ? null : <span class="dim">wished: {status.wish.build}</span>}
        {restart === null ? null : <span class="busy">{`${restart.phase} ${restart.batch.join(", ")}`}</span>}
        {download === null ? null : (
          <span class="busy">
            {byteSize(download.bytes)} of {byteSize(download.of)}
          </span>
        )}
      </p>
      {problem === "" ? null : <p class="bad">✗ {oneLine(problem)}</p>}
      {status.error === null ? null : (
        <article class="failure">
          <p class="bad">
            ✗ {status.error.step} of {status.error.build}: {oneLine(status.error.message)}
          </p>
          {status.error.hint === "" ? null : <p>{oneLine(status.error.hint)}</p>}
          {status.log === "" ? null : <pre class="log">{lastLines(status.log, 20).join("\n")}</pre>}
        </article>
      )}
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Instance</th>
              <th scope="col">Build</th>
              <th scope="col">Traffic</th>
            </tr>
          </thead>
          <tbody>
            {instances.map(({ name, build, inTraffic }) => (
              <tr>
                <th scope="row">{name}</th>
                <td>
                  <code>{build ?? "-"}</code>
                </td>
                <td class={inTraffic ? "good" : "warn"}>{inTraffic ? "✓ on" : "‖ off"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {leftovers.length === 0 ? null : (
        <p class="warn">
          ! {leftovers.length} processes of other builds have not ended:{" "}
          {leftovers.map(({ pid, build }) => `${pid} (${build})`).join(", ")}
        </p>
      )}
      {status.restart === undefined || status.restart === null ? null : (
        <p class="dim">
          last restart into {status.restart.build},{" "}
          {duration(Object.values(status.restart.phaseMs).reduce((a, b) => a + (b ?? 0), 0))}
        </p>
      )}
    </section>
  );
}
