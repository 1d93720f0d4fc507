import { AntlerError } from "./errors.ts";
import { pause } from "./pause.ts";
import type { Problem } from "./responses.ts";
import type { Fetch, Signal } from "./runtime.ts";

export interface ClientOptions {
  /** URL of the API, without `/v1`. */
  readonly apiUrl: string;
  /**
   * A bearer token, or a function that returns one. The function is called before each request, so that it can refresh the
   * token. What it throws is thrown by the call. Without a token only `currencies` and `health` succeed.
   */
  readonly token?: string | (() => string | Promise<string>) | undefined;
  /** By default the global `fetch`. */
  readonly fetch?: Fetch | undefined;
  /** How often a call is repeated at most; by default 4. */
  readonly maxRetries?: number | undefined;
  /** Limit of one request in milliseconds, in addition to its `wait`; by default 30,000. */
  readonly timeoutMs?: number | undefined;
}

export interface Call {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: object;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly waitSeconds?: number;
  readonly signal?: Signal | undefined;
  readonly isPublic?: boolean;
  /** `throttled` repeats only what the API has not executed. By default, also what it may have executed. */
  readonly retries?: "throttled" | "none";
}

/** A response that is no error: 2xx, or 422 with a rejected transaction. */
export interface Answer<Body> {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: Body;
}

/** Sends a call, and repeats it while that can help. */
export type Send = <Body>(call: Call) => Promise<Answer<Body>>;

const BACK_OFF_FIRST_MS = 250;
const BACK_OFF_MAX_MS = 8000;
/** A longer `Retry-After` ends the retries. */
const RETRY_AFTER_MAX_MS = 60_000;

/** @throws AntlerError `invalid_argument` */
export function createTransport(options: ClientOptions): Send {
  const { token, fetch = globalThis.fetch, maxRetries = 4, timeoutMs = 30_000 } = options;
  check(/^https?:\/\/[^/]/.test(options.apiUrl), "apiUrl must be an http or https URL");
  check(maxRetries >= 0 && timeoutMs > 0, "maxRetries must be 0 or more, timeoutMs above 0");
  const apiUrl = options.apiUrl.replace(/\/+$/, "");

  async function exchange<Body>(call: Call, signal: Signal): Promise<Answer<Body>> {
    const { method, path, query = {}, body, headers, isPublic } = call;
    const bearer = isPublic ? undefined : typeof token === "function" ? await token() : token;
    const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined)).toString();
    try {
      const response = await fetch(`${apiUrl}${path}${search && `?${search}`}`, {
        method,
        headers: {
          ...(bearer && { authorization: `Bearer ${bearer}` }),
          ...(body && { "content-type": "application/json" }),
          ...headers,
        },
        ...(body && { body: JSON.stringify(body) }),
        signal,
      });
      return { status: response.status, headers: response.headers, body: bodyIn(response, await response.text()) };
    } catch (cause) {
      throw new AntlerError("connection_failed", "The connection to the API failed", { cause });
    }
  }

  /** One request. Ends when its time is over or the caller aborts it, whatever `fetch` does. */
  async function attempt<Body>(call: Call): Promise<Answer<Body>> {
    const { signal, waitSeconds = 0 } = call;
    const limitMs = timeoutMs + waitSeconds * 1000;
    const controller = new AbortController();
    const abort = () => controller.abort(signal?.reason);
    const endTime = () => controller.abort(new AntlerError("timeout", `The API did not answer within ${limitMs} ms`));
    const timer = setTimeout(endTime, limitMs);
    signal?.addEventListener("abort", abort);
    const aborted = new Promise<never>((_, reject) => {
      controller.signal.addEventListener("abort", () => reject(controller.signal.reason));
    });
    try {
      return await Promise.race([exchange<Body>(call, controller.signal), aborted]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  return async <Body>(call: Call) => {
    for (let retry = 0; ; retry++) {
      if (call.signal?.aborted) throw call.signal.reason;
      let pauseMs = Math.random() * Math.min(BACK_OFF_FIRST_MS * 2 ** retry, BACK_OFF_MAX_MS);
      try {
        const answer = await attempt<Body>(call);
        pauseMs = retryAfterMs(answer) ?? pauseMs;
        return checked(answer);
      } catch (error) {
        if (retry >= maxRetries || pauseMs > RETRY_AFTER_MAX_MS || !canRepeat(call, error)) throw error;
      }
      await pause(pauseMs, call.signal);
    }
  };
}

/** @throws AntlerError `invalid_argument` */
export function check(isValid: boolean, message: string): void {
  if (!isValid) throw new AntlerError("invalid_argument", message);
}

/** @returns the parsed JSON, the text of a CSV, or `undefined` for anything else */
function bodyIn({ headers }: Pick<Answer<unknown>, "headers">, text: string) {
  const type = headers.get("content-type") ?? "";
  if (type.startsWith("text/csv")) return text;
  try {
    return /^application\/(problem\+)?json\b/.test(type) ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

/** @throws AntlerError for a response that is an error */
function checked<Body>(answer: Answer<Body>): Answer<Body> {
  const { status, headers, body } = answer;
  const { code, detail, errors = [], transaction }: Partial<Problem> = Object(body);
  if (transaction || status === 204 || (status < 300 && body !== undefined)) return answer;
  const details = {
    status,
    requestId: headers.get("x-request-id") ?? undefined,
    errors,
    replayed: headers.get("idempotency-replayed") === "true",
  };
  if (typeof code === "string") {
    const fields = errors.map((error) => `; ${error.pointer ?? error.parameter}: ${error.detail}`);
    throw new AntlerError(code, `${detail}${fields.join("")}`, details);
  }
  throw status === 429
    ? new AntlerError("too_many_requests", "The API throttles the requests", details)
    : new AntlerError("unexpected_response", `The answer ${status} is not one of the API`, details);
}

function canRepeat({ retries }: Call, error: unknown): boolean {
  if (retries === "none" || !(error instanceof AntlerError)) return false;
  const { code, status = 0 } = error;
  if (status === 429) return true;
  return retries !== "throttled" && (status >= 500 || code === "connection_failed" || code === "timeout");
}

/** @returns the pause that the response asks for, if it does */
function retryAfterMs({ headers }: Answer<unknown>): number | undefined {
  const value = headers.get("retry-after") ?? "";
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0);
}
