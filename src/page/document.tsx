import { html } from "hono/html";
import type { Child } from "hono/jsx";
import { hrefOf, type PageAddress } from "./address.ts";
import type { Content } from "./content.tsx";

interface DocumentProps {
  readonly address: PageAddress;
  readonly content: Content;
  readonly version: string;
}

/** A whole page. Without JavaScript it is a snapshot; with it, its parts are replaced as they change. */
export function pageDocument({ address, content, version }: DocumentProps): string {
  const href = hrefOf(address);
  return documentOf({
    title: content.title,
    version,
    script: "live",
    body: (
      <>
        <header>
          <nav aria-label="Where you are">
            <Trail address={address} />
          </nav>
          <p id="live" class="dim" role="status" data-events={`/events?page=${encodeURIComponent(href)}`}>
            A snapshot: <a href={href}>look again</a>
          </p>
        </header>
        <main>
          {content.parts.map(({ id, content: part }) => (
            <>
              {id === "hosts" && address.kind === "service" ? <Filter text={address.filter} href={href} /> : null}
              <div id={id}>{part}</div>
            </>
          ))}
        </main>
      </>
    ),
  });
}

interface SheetProps {
  readonly title: string;
  readonly version: string;
  readonly script: "live" | null;
  readonly body: Child;
}

/** The frame of every page: nothing in it is from anywhere else. */
export function documentOf({ title, version, script, body }: SheetProps): string {
  const sheet = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{`${title} · deployd`}</title>
        <link rel="icon" href="/page.svg" type="image/svg+xml" />
        <link rel="stylesheet" href={`/page.css?v=${version}`} />
        {script === null ? null : <script src={`/page.js?v=${version}`} defer></script>}
      </head>
      <body>
        {body}
        <footer class="dim">
          deployd {version} · this page only shows; to act: <code>deployd ctl monitor</code>
        </footer>
      </body>
    </html>
  );
  return `<!doctype html>${htmlOf(sheet)}`;
}

function Trail({ address }: { readonly address: PageAddress }) {
  const steps: { text: string; href: string }[] = [{ text: "fleet", href: "/" }];
  if (address.kind !== "fleet")
    steps.push({
      text: address.service,
      href: hrefOf({ kind: "service", service: address.service, filter: "" }),
    });
  if (address.kind === "host") steps.push({ text: address.host, href: hrefOf(address) });
  if (address.kind === "deploy") steps.push({ text: address.deploy, href: hrefOf(address) });
  return (
    <h1>
      <span class="brand">deployd</span>
      {steps.map(({ text, href }, at) => (
        <>
          {" / "}
          <a href={href} aria-current={at === steps.length - 1 ? "page" : undefined}>
            {text}
          </a>
        </>
      ))}
    </h1>
  );
}

/** A form that works without JavaScript, and is no part of what is replaced while somebody types. */
function Filter({ text, href }: { readonly text: string; readonly href: string }) {
  return (
    <form class="filter" method="get" action={href.split("?")[0]} role="search">
      <label>
        Filter hosts <input type="search" name="q" value={text} placeholder="zone, state, name …" maxlength={200} />
      </label>{" "}
      <button type="submit">Show</button>
    </form>
  );
}

/** What a part says, as it is sent. Nothing of it waits for anything. */
export function htmlOf(content: Child): string {
  const text = html`${content}`;
  if (text instanceof Promise) throw new Error("A part of a page waits for something; its data have to come with it.");
  return text.toString();
}

/** A line of text of ours in place of a page. */
export function noteDocument(title: string, said: string, version: string): string {
  return documentOf({
    title,
    version,
    script: null,
    body: (
      <main>
        <h1>
          <span class="brand">deployd</span>
        </h1>
        <p>{said}</p>
      </main>
    ),
  });
}
