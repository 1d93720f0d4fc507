import { lookup as systemLookup } from "node:dns";
import http from "node:http";
import https from "node:https";
import type { LookupFunction } from "node:net";
import { addressIn, checkUrl, isAllowedAddress, type UrlRules } from "./url.ts";

/** Of the whole request: name, connection, TLS, answer. */
export const POST_TIMEOUT_MS = 15_000;
/** The connection is closed when an answer is longer. */
export const ANSWER_BYTES_MAX = 64 * 1024;

/**
 * Posts a body, and reads the answer to its end. Follows no redirect.
 *
 * @returns the status of the answer
 * @throws PostError
 */
export type Post = (url: string, headers: Readonly<Record<string, string>>, body: string) => Promise<number>;

/** Why there is no answer: `address_not_allowed`, `timeout`, or the code of Node's error, such as `ECONNREFUSED`. */
export class PostError extends Error {
  override readonly name = "PostError";
}

interface PostOptions {
  readonly rules: UrlRules;
  readonly timeoutMs?: number;
  /** Resolves names. */
  readonly lookup?: typeof systemLookup;
}

/**
 * Posts to endpoints whose URLs others choose. The addresses of a host are checked where the socket gets them, so that no
 * second look-up can answer differently. The agents use no proxy: it would make the connection in our place.
 */
export function createPost({ rules, timeoutMs = POST_TIMEOUT_MS, lookup = systemLookup }: PostOptions): Post {
  const plain = { request: http.request, agent: new http.Agent() };
  const tls = { request: https.request, agent: new https.Agent() };
  const options = { method: "POST", lookup: checkedLookup(rules, lookup) };

  return (text, headers, body) =>
    new Promise((resolve, reject) => {
      // Node looks up no address that is in the URL itself.
      const url = checkUrl(text, rules);
      if (!(url instanceof URL)) return reject(new PostError("address_not_allowed"));
      const { request, agent } = url.protocol === "https:" ? tls : plain;
      const signal = AbortSignal.timeout(timeoutMs);
      const fail = (error: Error) =>
        reject(new PostError(signal.aborted ? "timeout" : codeOf(error), { cause: error }));
      const { port, pathname, search } = url;
      const target = { host: addressIn(url), port, path: pathname + search };
      const length = { "content-length": Buffer.byteLength(body) };
      let isAnswered = false;
      const sent = request({ ...options, ...target, agent, signal, headers: { ...headers, ...length } }, (answer) => {
        const { statusCode = 0 } = answer;
        isAnswered = true;
        let bytes = 0;
        answer.on("data", ({ length }: Buffer) => {
          bytes += length;
          if (bytes < ANSWER_BYTES_MAX) return;
          resolve(statusCode);
          answer.destroy();
        });
        answer.once("end", () => resolve(statusCode));
        answer.once("error", fail);
      });
      sent.once("error", fail);
      // Node closes the connection without an error when an answer changes the protocol.
      sent.once("close", () => isAnswered || fail(new Error("The connection was closed")));
      sent.end(body);
    });
}

/** Fails unless every address is allowed: the socket connects to one of the addresses that are checked here. */
function checkedLookup(rules: UrlRules, lookup: typeof systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error || !first) return callback(error ?? new Error("The name has no address"), "");
      const isAllowed = addresses.every(({ address }) => isAllowedAddress(address, rules));
      if (!isAllowed) return callback(Object.assign(new Error("Not allowed"), { code: "address_not_allowed" }), "");
      if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "closed";
}
