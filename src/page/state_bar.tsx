import { ALONG, STATE_SIGNS, type HostState } from "../view/host_state.ts";
import { count } from "../view/words.ts";

const WIDTH = 1000;
const HEIGHT = 20;
/** Nobody's state vanishes for being rare: each that there is has this much at least. */
const LEAST = 8;

/** How many hosts are in which state, as a picture with its words below. */
export function StateBar({ counts, all }: { readonly counts: ReadonlyMap<HostState, number>; readonly all: number }) {
  const parts = ALONG.flatMap(({ state }) => {
    const of = counts.get(state) ?? 0;
    return of === 0 ? [] : [{ state, of, sign: STATE_SIGNS[state] }];
  });
  if (parts.length === 0) return <p class="dim">No host is registered.</p>;
  const said = parts.map(({ of, sign }) => `${of} ${sign.word}`).join(", ");
  return (
    <figure class="states">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${count(all, "host")}: ${said}`}
      >
        {placed(parts, all).map(({ state, from, to }) => (
          <rect class={`fill-${classOf(state)}`} x={from} y={0} width={to - from} height={HEIGHT} />
        ))}
      </svg>
      <figcaption>
        {parts.map(({ of, sign, state }) => (
          <span class="key">
            <span class={`swatch fill-${classOf(state)}`} aria-hidden="true" />
            <span class={sign.tone}>{sign.glyph}</span> {of} {sign.word}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

/** A state's name as a class. */
export function classOf(state: HostState): string {
  return state.replace(" ", "-");
}

function placed(parts: readonly { readonly state: HostState; readonly of: number }[], all: number) {
  const widths = parts.map(({ of }) => Math.max(LEAST, (of / all) * WIDTH));
  const scale = WIDTH / widths.reduce((sum, each) => sum + each, 0);
  let from = 0;
  return parts.map(({ state }, at) => {
    const to = from + (widths[at] ?? 0) * scale;
    const place = { state, from: Math.round(from), to: Math.round(to) };
    from = to;
    return place;
  });
}
