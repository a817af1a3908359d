import { failuresIn, type DeployView } from "../view/deploy.ts";
import { failureGroups, type FailureGroup } from "../view/failure_groups.ts";
import { illnessText, type HostRow } from "../view/host.ts";
import { failureLine } from "../view/service_lines.ts";
import { lastLines, oneLine } from "../view/words.ts";
import { hrefOf } from "./address.ts";
import { Phrase } from "./lines.tsx";

const MOST_LOG = 20;
const MOST_HOSTS = 100;

/** What failed, by cause, with what to do, every host and the end of a log; and who is ill without a failed deploy. */
export function FailureList({ view, ill }: { readonly view: DeployView; readonly ill: readonly HostRow[] }) {
  const groups = failureGroups(failuresIn(view));
  return (
    <>
      {groups.map((group) => (
        <Failure service={view.service} group={group} />
      ))}
      {ill.map(({ host, status }) => (
        <article class="failure">
          <p class="bad">
            ✗ <HostLink service={view.service} host={host} /> is {illnessText(status)}
          </p>
        </article>
      ))}
    </>
  );
}

function Failure({ service, group }: { readonly service: string; readonly group: FailureGroup }) {
  const { hosts, hint, log } = group;
  return (
    <article class="failure">
      <p>
        <Phrase line={failureLine(group)} />
      </p>
      {hint === "" ? null : <p>{hint}</p>}
      <p class="hosts">
        {hosts.length === 1 ? "look at " : ""}
        {hosts.slice(0, MOST_HOSTS).map((host) => (
          <>
            <HostLink service={service} host={host} />{" "}
          </>
        ))}
        {hosts.length > MOST_HOSTS ? `and ${hosts.length - MOST_HOSTS} more` : ""}
      </p>
      {log === "" ? null : <pre class="log">{lastLines(log, MOST_LOG).join("\n")}</pre>}
    </article>
  );
}

function HostLink({ service, host }: { readonly service: string; readonly host: string }) {
  return <a href={hrefOf({ kind: "host", service, host })}>{oneLine(host)}</a>;
}
