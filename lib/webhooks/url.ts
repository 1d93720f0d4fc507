import ipaddr from "ipaddr.js";

/** What an endpoint's URL may be. */
export interface UrlRules {
  /** Allows http, every port and the loopback interface, for a stack on one machine. */
  readonly allowsLoopback: boolean;
}

export const URL_LENGTH_MAX = 2048;

/** Addresses of the Internet. The names in this range that the registries reserve have ranges of their own. */
const GLOBAL_UNICAST = ipaddr.parseCIDR("2000::/3");
/** An IPv4 address behind a gateway, as DNS64 answers (RFC 6052). */
const NAT64 = ipaddr.parseCIDR("64:ff9b::/96");

/**
 * Checks a URL without resolving its host: the connection must check the addresses with {@link isAllowedAddress}.
 *
 * @returns the URL in its normal form, or why it is not allowed
 */
export function checkUrl(text: string, rules: UrlRules): URL | string {
  const url = text.length <= URL_LENGTH_MAX ? URL.parse(text) : null;
  if (!url) return `must be an absolute URL of at most ${URL_LENGTH_MAX} characters`;
  const isHttp = url.protocol === "http:" && rules.allowsLoopback;
  if (url.protocol !== "https:" && !isHttp) return "must be an https URL";
  // The URL's own form leaves out the port 443 of https.
  if (url.port !== "" && !rules.allowsLoopback) return "must use port 443";
  if (url.username !== "" || url.password !== "") return "must not have a user name or a password";
  const address = addressIn(url);
  const isPublic = ipaddr.isValid(address) ? isAllowedAddress(address, rules) : !isLoopbackName(address);
  if (!isPublic && !rules.allowsLoopback) return "must have a public host";
  if (!isPublic && ipaddr.isValid(address)) return "must have a public or a loopback host";
  return url;
}

/** The host of a URL as a socket needs it: an IPv6 address without brackets. */
export function addressIn({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "");
}

/** True for an address of the Internet, whatever form it is written in. */
export function isAllowedAddress(text: string, { allowsLoopback }: UrlRules): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = unwrapped(ipaddr.parse(text));
  const range = address.range();
  if (range === "loopback") return allowsLoopback;
  return range === "unicast" && (address instanceof ipaddr.IPv4 || address.match(GLOBAL_UNICAST));
}

/** The IPv4 address in an IPv4-mapped or NAT64 address. All other forms, such as 6to4 and Teredo, are not `unicast`. */
function unwrapped(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (address instanceof ipaddr.IPv4) return address;
  const isWrapped = address.isIPv4MappedAddress() || address.match(NAT64);
  return isWrapped ? new ipaddr.IPv4(address.toByteArray().slice(-4)) : address;
}

function isLoopbackName(host: string): boolean {
  return /(^|\.)localhost\.?$/.test(host);
}
