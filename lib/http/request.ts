import type { APIGatewayProxyEventV2 } from "aws-lambda";
import type * as z from "zod/mini";
import type { Clock } from "../ledger/ports.ts";
import { type FieldError, HttpProblem } from "./problem.ts";
import { IDEMPOTENCY_KEY, userId as userIdSchema } from "./schemas.ts";

/** From the whole value to a member of it. */
type Path = readonly PropertyKey[];

/** Of a request with one command, and of one command in a batch. */
export const BODY_BYTES_MAX = 16 * 1024;
export const WAIT_SECONDS_MAX = 20;

/** @throws HttpProblem `validation_failed` */
export function readUserId(event: APIGatewayProxyEventV2): string {
  return checked(userIdSchema, event.pathParameters?.userId, (_path, detail) => ({ parameter: "userId", detail }));
}

/** @throws HttpProblem `validation_failed` */
export function readQuery<T>(event: APIGatewayProxyEventV2, schema: z.ZodMiniType<T>): T {
  return checked(schema, { ...event.queryStringParameters }, (path, detail) => ({ parameter: path.join("."), detail }));
}

/**
 * Refuses times after now: an answer about the future could change.
 *
 * @param times by the names of their parameters, ISO 8601 with milliseconds, UTC
 * @throws HttpProblem `validation_failed`
 */
export function refuseFuture(times: Readonly<Record<string, string | undefined>>, clock: Clock): void {
  const now = clock.now().toISOString();
  const errors = Object.entries(times).flatMap(([parameter, time]) =>
    time !== undefined && time > now ? [{ parameter, detail: "must not be in the future" }] : [],
  );
  if (errors.length > 0) throw new HttpProblem("validation_failed", { errors });
}

/**
 * Refuses a period that ends before it starts.
 *
 * @throws HttpProblem `validation_failed`
 */
export function refuseReversed({ from, to }: { from?: string | undefined; to?: string | undefined }): void {
  if (from === undefined || to === undefined || from <= to) return;
  throw new HttpProblem("validation_failed", { errors: [{ parameter: "to", detail: "must not be before from" }] });
}

/** @throws HttpProblem `idempotency_key_required`, `idempotency_key_invalid` */
export function readIdempotencyKey({ headers }: APIGatewayProxyEventV2): string {
  const key = headers["idempotency-key"];
  if (!key) throw new HttpProblem("idempotency_key_required");
  if (!IDEMPOTENCY_KEY.test(key)) throw new HttpProblem("idempotency_key_invalid");
  return key;
}

/**
 * `Prefer: wait=N` (RFC 7240): the whole seconds to wait for the outcome, at most {@link WAIT_SECONDS_MAX}. Ignores a
 * preference that it does not know.
 *
 * @throws HttpProblem `prefer_invalid`
 */
export function readWaitSeconds({ headers }: APIGatewayProxyEventV2): number | undefined {
  const waits = (headers.prefer ?? "").split(/[,;]/).filter((preference) => /^\s*wait\s*(?:=|$)/i.test(preference));
  if (waits.length > 1) throw new HttpProblem("prefer_invalid");
  const wait = /^[^=]*=\s*"?(\d{1,6})"?\s*$/.exec(waits[0] ?? "")?.[1];
  const seconds = Math.min(Number(wait ?? 0), WAIT_SECONDS_MAX);
  return seconds > 0 ? seconds : undefined;
}

/** True if `Accept-Encoding` allows the encoding (RFC 9110, section 12.5.3). */
export function acceptsEncoding({ headers }: APIGatewayProxyEventV2, encoding: "gzip" | "br"): boolean {
  const weights = weightsIn(headers["accept-encoding"]);
  return (weights.get(encoding) ?? weights.get("*") ?? 0) > 0;
}

/** True if `Accept` prefers CSV to JSON (RFC 9110, section 12.5.1). */
export function acceptsCsv({ headers }: APIGatewayProxyEventV2): boolean {
  const weights = weightsIn(headers.accept);
  const csv = weights.get("text/csv") ?? weights.get("text/*") ?? 0;
  return csv > (weights.get("application/json") ?? weights.get("application/*") ?? 0);
}

/** The names in a header such as `Accept`, in lower case, and their weights. */
function weightsIn(header = ""): ReadonlyMap<string, number> {
  return new Map(
    header.split(",").map((each) => {
      const [name = ""] = each.split(";");
      const weight = /;\s*q=([\d.]+)/i.exec(each)?.[1] ?? "1";
      return [name.trim().toLowerCase(), Number(weight)];
    }),
  );
}

/** @throws HttpProblem `unsupported_media_type`, `payload_too_large`, `malformed_json`, `validation_failed` */
export function readJson<T>(event: APIGatewayProxyEventV2, schema: z.ZodMiniType<T>, bytesMax = BODY_BYTES_MAX): T {
  const contentType = event.headers["content-type"] ?? "application/json";
  const [mediaType, ...parameters] = contentType.split(";").map((part) => part.trim().toLowerCase());
  const isUtf8 = parameters.every(
    (parameter) => !/^charset\b/.test(parameter) || /^charset="?utf-?8"?$/.test(parameter),
  );
  if (mediaType !== "application/json" || !isUtf8) throw new HttpProblem("unsupported_media_type");
  const encoding = event.headers["content-encoding"]?.trim().toLowerCase() || "identity";
  if (encoding !== "identity") {
    throw new HttpProblem("unsupported_media_type", { detail: "The body must not have a Content-Encoding" });
  }
  // serverless-offline passes a body of `false` or `0` as that value, not as text.
  const body = Buffer.from(String(event.body ?? ""), event.isBase64Encoded ? "base64" : "utf8");
  if (body.byteLength > bytesMax) throw tooLarge("body", bytesMax);
  return readMember(schema, parseJson(body), []);
}

/**
 * Checks a part of a JSON body.
 *
 * @param path where it is in the body
 * @throws HttpProblem `validation_failed`
 */
export function readMember<T>(schema: z.ZodMiniType<T>, value: unknown, path: Path): T {
  return checked(schema, value, (inner, detail) => ({ pointer: pointerTo([...path, ...inner]), detail }));
}

export function tooLarge(what: "body" | "command", bytesMax: number): HttpProblem {
  return new HttpProblem("payload_too_large", { detail: `The ${what} is larger than ${bytesMax / 1024} KB` });
}

function parseJson(body: Buffer): unknown {
  let fields = 0;
  function visit(this: unknown, key: string, value: unknown): unknown {
    // zod silently drops a key of this name from a record; the API stores metadata unchanged or refuses it.
    if (key === "__proto__") {
      throw new HttpProblem("validation_failed", { errors: [{ detail: "no field may have the name __proto__" }] });
    }
    if (!Array.isArray(this)) fields++;
    return value;
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    const value = JSON.parse(text, visit);
    // The last visit is of the whole value, which has no name.
    if (countNames(text) !== fields - 1) throw new HttpProblem("malformed_json", { detail: "A field appears twice" });
    return value;
  } catch (error) {
    if (error instanceof HttpProblem) throw error;
    throw new HttpProblem("malformed_json");
  }
}

/**
 * Counts the field names in valid JSON: one colon follows each, and no other colon is outside of a string. JSON.parse
 * keeps the last of two fields with one name, but a proxy in front of the API may have checked the first (RFC 7493).
 */
function countNames(json: string): number {
  return json.replaceAll(/"(?:[^"\\]|\\.)*"/g, "").split(":").length - 1;
}

function checked<T>(schema: z.ZodMiniType<T>, value: unknown, toError: (path: Path, detail: string) => FieldError): T {
  // For issues without a message in the schema. zod's own messages are not part of the API.
  const parsed = schema.safeParse(value, { error: () => "is not valid" });
  if (parsed.success) return parsed.data;
  throw new HttpProblem("validation_failed", {
    errors: parsed.error.issues.flatMap((issue) =>
      issue.code === "unrecognized_keys"
        ? issue.keys.map((key) => toError([...issue.path, key], "is not a known field"))
        : [toError(issue.path, issue.message)],
    ),
  });
}

export function pointerTo(path: Path): string {
  return path.map((key) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}
