import { useEffect, useState } from "preact/hooks";

/** The place in the console: what follows `#` in the address. */
export interface Location {
  /** Such as `/wallets/alice/transactions`. Its segments are percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** The decoded values of a pattern's names. */
export type Params = Readonly<Record<string, string>>;

/** @param hash as in `location.hash` */
export function parseHash(hash: string): Location {
  const [path = "", query = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  return { path: path.startsWith("/") ? path : "/", query: new URLSearchParams(query) };
}

/**
 * The address of a place, for links.
 *
 * @param query values that are empty or undefined are left out
 * @example
 * ```ts
 * hrefTo(["wallets", userId, "transactions"], { currency: "USD" }); // "#/wallets/alice/transactions?currency=USD"
 * ```
 */
export function hrefTo(segments: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value ? [[name, value]] : []));
  const search = new URLSearchParams(given).toString();
  return `#/${segments.map(encodeURIComponent).join("/")}${search && `?${search}`}`;
}

/**
 * Compares a path with a pattern.
 *
 * @param pattern such as `/wallets/:userId`
 * @returns the values of the names in the pattern; undefined if the path is another one
 */
export function match(pattern: string, path: string): Params | undefined {
  const names = pattern.split("/");
  const segments = path.split("/");
  if (names.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, name] of names.entries()) {
    const segment = decoded(segments[index] ?? "");
    if (name.startsWith(":") && segment) params[name.slice(1)] = segment;
    else if (name !== segment) return undefined;
  }
  return params;
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/** Goes to a place. @param href from {@link hrefTo} */
export function navigate(href: string): void {
  location.hash = href;
}

/** Changes the address without an entry in the browser's history, for filters. @param href from {@link hrefTo} */
export function replace(href: string): void {
  history.replaceState(null, "", href);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** The current place. Renders again when it changes. */
export function useLocation(): Location {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const update = () => setHash(location.hash);
    addEventListener("hashchange", update);
    return () => removeEventListener("hashchange", update);
  }, []);
  return parseHash(hash);
}
