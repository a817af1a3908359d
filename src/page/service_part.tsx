import { pulseOf, stageTrack } from "../view/pulse.ts";
import { factsOf, headlineOf, notesOf, problemsOf } from "../view/service_lines.ts";
import type { ServiceSeen } from "../view/service_seen.ts";
import { span } from "../view/spans.ts";
import { hrefOf } from "./address.ts";
import { FailureList } from "./failure_list.tsx";
import { Phrase } from "./lines.tsx";
import { StateBar } from "./state_bar.tsx";

interface ServicePartProps {
  readonly seen: ServiceSeen;
  readonly now: Date;
  /** Its name leads to its page. */
  readonly isLink: boolean;
}

/** What is said of a service before its hosts: is it moving, is it stuck, what failed. */
export function ServicePart({ seen, now, isLink }: ServicePartProps) {
  const { view, overview, head, counts, hosts, moved } = seen;
  const href = hrefOf({ kind: "service", service: overview.service, filter: "" });
  if (view === null)
    return (
      <section class="service">
        <h2>
          <Title line={[span("· ", "dim"), span(overview.service)]} href={isLink ? href : null} />
        </h2>
        <p class="dim">nothing was ever deployed</p>
        <StateBar counts={counts} all={hosts.length} />
        {problemsOf(head).map((line) => (
          <p>
            <Phrase line={line} />
          </p>
        ))}
      </section>
    );
  const pulse = pulseOf(view, overview.waits, moved, now);
  const { title, facts } = headlineOf(seen, view, pulse, now);
  return (
    <section class="service">
      <h2>
        <Title line={title} href={isLink ? href : null} />
      </h2>
      <p class="headline">
        {facts.map(({ long }) => (
          <>
            <Phrase line={[long]} />{" "}
          </>
        ))}
      </p>
      <StateBar counts={counts} all={hosts.length} />
      <p class="track">
        <Phrase line={stageTrack(view, pulse)} />
      </p>
      <ul class="facts">
        {factsOf(seen, view, now).map((line) => (
          <li>
            <Phrase line={line} />
          </li>
        ))}
        <li>
          <a href={hrefOf({ kind: "deploy", service: overview.service, deploy: view.id })}>deploy {view.id}</a>
        </li>
      </ul>
      {notesOf(seen, pulse).map((line) => (
        <p class="note">
          <Phrase line={line} />
        </p>
      ))}
      <FailureList view={view} ill={head.ill} />
    </section>
  );
}

function Title({ line, href }: { readonly line: Parameters<typeof Phrase>[0]["line"]; readonly href: string | null }) {
  return href === null ? <Phrase line={line} /> : <a href={href}>{<Phrase line={line} />}</a>;
}
