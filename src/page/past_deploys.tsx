import { stateSign } from "../view/deploy_words.ts";
import { pastFacts, type PastDeploy } from "../view/history.ts";
import { dateTime, duration } from "../view/times.ts";
import { oneLine } from "../view/words.ts";
import { hrefOf } from "./address.ts";

/** Deploys as they are on record, the newest first. */
export function PastDeploys({
  service,
  deploys,
}: {
  readonly service: string;
  readonly deploys: readonly PastDeploy[];
}) {
  if (deploys.length === 0) return null;
  return (
    <section class="scroll">
      <h2>Deploys</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Started</th>
            <th scope="col">Build</th>
            <th scope="col">State</th>
            <th scope="col">Took</th>
            <th scope="col" class="wide">
              Failed
            </th>
            <th scope="col" class="wide">
              By
            </th>
            <th scope="col" class="wide">
              Why
            </th>
          </tr>
        </thead>
        <tbody>
          {deploys.map(({ id, record, tookMs, failures }) => {
            const { glyph, word, tone } = stateSign(record);
            return (
              <tr>
                <th scope="row">
                  <a href={hrefOf({ kind: "deploy", service, deploy: id })}>{dateTime(record.times.created)}</a>
                </th>
                <td>
                  <code>{record.build}</code>
                </td>
                <td class={tone}>
                  {glyph} {word}
                </td>
                <td>{duration(tookMs)}</td>
                <td class={failures === null ? "wide" : "wide bad"}>{failures?.hosts ?? 0}</td>
                <td class="wide">{oneLine(record.who)}</td>
                <td class="wide says">{oneLine(record.why)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

/** One of them, with all that its row does not say. */
export function PastDeployFacts({ deploy }: { readonly deploy: PastDeploy }) {
  const { record, tookMs, failures, cost } = deploy;
  const { glyph, word, tone } = stateSign(record);
  return (
    <section class="service">
      <h2>
        <span class={tone}>{glyph} </span>
        <strong>
          {record.build} <span class={tone}>{word}</span>
        </strong>
      </h2>
      <ul class="facts">
        <li>started {dateTime(record.times.created)}</li>
        <li>took {duration(tookMs)}</li>
        <li>by {oneLine(record.who)}</li>
        {cost === null ? null : (
          <li>
            {cost.instances} instances on {cost.hosts} hosts restarted
            {cost.closed === null ? "" : `, ${cost.closed} connections closed`}
            {cost.refused === null ? "" : `, ${cost.refused} refused`}
          </li>
        )}
      </ul>
      {pastFacts(deploy).map((fact) => (
        <p>{fact}</p>
      ))}
      {failures === null ? null : (
        <article class="failure">
          <p class="bad">
            ✗ {failures.hosts} {failures.hosts === 1 ? "host" : "hosts"} failed
          </p>
          {failures.first.map(({ host, reason }) => (
            <p>
              {oneLine(host)}: {oneLine(reason)}
            </p>
          ))}
        </article>
      )}
    </section>
  );
}
