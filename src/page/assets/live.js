// Replaces the parts of a page as they change. Without this script the page is a snapshot.
const live = document.getElementById("live");
const state = { source: null, lastAt: 0 };

/** Longer than the server is ever silent, in milliseconds. */
const SILENCE_MS = 25_000;
/** How long after a failure a new try is made, in milliseconds. */
const AGAIN_MS = 3_000;

function say(text, tone) {
  if (live.textContent === text) return;
  live.textContent = text;
  live.className = tone;
}

function take({ title, parts }) {
  document.title = `${title} · deployd`;
  for (const [id, html] of Object.entries(parts)) {
    const part = document.getElementById(id);
    if (part === null) continue;
    // Whoever has a link under the keyboard's focus keeps it.
    const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    part.innerHTML = html;
    if (focused !== null) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }
  state.lastAt = Date.now();
  if (document.querySelector("#link .banner") === null) say("● live", "good");
  else say("○ of before", "bad");
}

function open() {
  close();
  state.lastAt = Date.now();
  state.source = new EventSource(live.dataset.events);
  state.source.addEventListener("update", (event) => take(JSON.parse(event.data)));
  state.source.addEventListener("error", () => {
    say("○ not connected: what you see may be old", "bad");
    // A browser gives up for good where the answer was no stream, as that of a proxy whose server is away.
    if (state.source?.readyState === EventSource.CLOSED) setTimeout(open, AGAIN_MS);
  });
}

function close() {
  state.source?.close();
  state.source = null;
}

// A page in the background asks for nothing.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) close();
  else if (state.source === null) open();
});
setInterval(() => {
  if (state.source === null || Date.now() - state.lastAt < SILENCE_MS) return;
  say("○ nothing heard for a while: what you see may be old", "bad");
  open();
}, AGAIN_MS);
say("○ connecting …", "dim");
open();
