import type { HostState } from "../schema/host_state.ts";
import { STATE_SIGNS } from "../view/host_state.ts";
import { STACK, stackOf } from "../view/state_stack.ts";
import { count } from "../view/words.ts";

/** In parts of its width, of which every state that there is has one at least. */
const WIDTH = 120;
const HEIGHT = 2;

/** How many hosts are in which state, as a picture with its words below. */
export function StateBar({ counts, all }: { readonly counts: ReadonlyMap<HostState, number>; readonly all: number }) {
  const of = (state: HostState): number => counts.get(state) ?? 0;
  const states = STACK.map(([state]) => state).filter((state) => of(state) > 0);
  if (states.length === 0) return <p class="dim">No host is registered.</p>;
  const said = states.map((state) => `${of(state)} ${STATE_SIGNS[state].word}`).join(", ");
  let at = 0;
  return (
    <figure class="states">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${count(all, "host")}: ${said}`}
      >
        {stackOf(of, WIDTH).map(({ state, cells }) => {
          const x = at;
          at += cells;
          return <rect class={`fill-${classOf(state)}`} x={x} y={0} width={cells} height={HEIGHT} />;
        })}
      </svg>
      <figcaption>
        {states.map((state) => (
          <span class="key">
            <span class={`swatch fill-${classOf(state)}`} aria-hidden="true" />
            <span class={STATE_SIGNS[state].tone}>{STATE_SIGNS[state].glyph}</span> {of(state)}{" "}
            {STATE_SIGNS[state].word}
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
