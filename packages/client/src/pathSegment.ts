import { check } from "./transport.ts";

/**
 * A user id or another id, as a part of a path. URLs have no segment that is empty or consists of dots.
 *
 * @throws AntlerError `invalid_argument`
 */
export function pathSegment(id: string): string {
  check(typeof id === "string" && !/^\.{0,2}$/.test(id), "An id must be a text other than . and ..");
  return encodeURIComponent(id);
}
