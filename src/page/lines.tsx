import type { Span, SpanLine } from "../view/spans.ts";

/** A line as the monitor has it, its tones as classes. */
export function Phrase({ line }: { readonly line: SpanLine }) {
  return (
    <>
      {line.map((each) => (
        <Words span={each} />
      ))}
    </>
  );
}

function Words({ span: { text, tone, strong } }: { readonly span: Span }) {
  if (tone === "plain" && strong !== true) return <>{text}</>;
  return strong === true ? <strong class={tone}>{text}</strong> : <span class={tone}>{text}</span>;
}

/** Lines of a terminal, as they are. */
export function Lines({ lines }: { readonly lines: readonly SpanLine[] }) {
  return (
    <pre class="lines">
      {lines.map((line) => (
        <>
          <Phrase line={line} />
          {"\n"}
        </>
      ))}
    </pre>
  );
}
