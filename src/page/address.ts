/** What one page is about; its address can be shared. */
export type PageAddress =
  | { readonly kind: "fleet" }
  | { readonly kind: "service"; readonly service: string; readonly filter: string }
  | { readonly kind: "host"; readonly service: string; readonly host: string }
  | { readonly kind: "deploy"; readonly service: string; readonly deploy: string };

const LONGEST_FILTER = 200;

/** The page at a path with its query, as in "/services/web?q=zone-a"; null where there is none. */
export function addressIn(href: string): PageAddress | null {
  if (!href.startsWith("/")) return null;
  const url = URL.parse(href, "http://page");
  if (url === null || url.host !== "page") return null;
  const parts = url.pathname.split("/").slice(1).map(decoded);
  if (parts.includes(null)) return null;
  const [first, service, second, name, ...more] = parts as string[];
  if (url.pathname === "/") return { kind: "fleet" };
  if (first !== "services" || service === undefined || service === "" || more.length > 0) return null;
  if (second === undefined)
    return { kind: "service", service, filter: (url.searchParams.get("q") ?? "").slice(0, LONGEST_FILTER) };
  if (name === undefined || name === "") return null;
  if (second === "hosts") return { kind: "host", service, host: name };
  return second === "deploys" ? { kind: "deploy", service, deploy: name } : null;
}

/** The other way round. */
export function hrefOf(address: PageAddress): string {
  if (address.kind === "fleet") return "/";
  const service = `/services/${encodeURIComponent(address.service)}`;
  switch (address.kind) {
    case "service":
      return address.filter === "" ? service : `${service}?q=${encodeURIComponent(address.filter)}`;
    case "host":
      return `${service}/hosts/${encodeURIComponent(address.host)}`;
    case "deploy":
      return `${service}/deploys/${encodeURIComponent(address.deploy)}`;
  }
}

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}
