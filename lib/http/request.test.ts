import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import * as z from "zod";
import { httpEvent } from "../../testkit/events.ts";
import { inMemoryPorts } from "../../testkit/inMemoryPorts.ts";
import { COMMAND_TYPES } from "../domain/command.ts";
import { HttpProblem } from "./problem.ts";
import {
  acceptsCsv,
  acceptsEncoding,
  readIdempotencyKey,
  readJson,
  readQuery,
  readUserId,
  readWaitSeconds,
  refuseFuture,
  refuseReversed,
} from "./request.ts";
import { balancesQuery, historyQuery, movementBody, statementQuery } from "./schemas.ts";

const MOVEMENT = { currency: "USD", amount: "12.34" };
const BODY = JSON.stringify(MOVEMENT);
const FIFTY_ONE_PAIRS = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`k${index}`, "x"]));

function post(body: string | undefined, { contentType = "application/json", isBase64Encoded = false } = {}) {
  return httpEvent({ method: "POST", headers: { "content-type": contentType }, isBase64Encoded, body });
}

/** Returns the problem that `read` throws, if any. */
function problemOf(read: () => unknown): HttpProblem | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof HttpProblem) return error;
    throw error;
  }
}

const bodyProblem = (body: string | undefined, options?: Parameters<typeof post>[1]) =>
  problemOf(() => readJson(post(body, options), movementBody));

const AMOUNT = 'must be a decimal string, such as "12.34"';
const CURRENCY = 'must be the code of a currency, such as "USD"';
const KEY = "must have a name of 1 to 40 of the characters A–Z a–z 0–9 _ . : -";
const UNICODE = "must be well-formed Unicode";
const UNKNOWN = "is not a known field";

describe("readJson", () => {
  it.each([
    "application/json",
    "application/json; charset=utf-8",
    "application/json;charset=UTF-8",
    'application/json; Charset="Utf-8"',
    "application/json; profile=x; charset=utf-8;",
    "application/json; charset=utf8",
    "Application/JSON",
  ])("accepts a body of type %s", (contentType) => {
    expect(readJson(post(BODY, { contentType }), movementBody)).toEqual(MOVEMENT);
  });

  it("parses a body without a type as JSON", () => {
    expect(readJson(httpEvent({ method: "POST", body: BODY }), movementBody)).toEqual(MOVEMENT);
  });

  it.each([
    "",
    "text/plain",
    "text/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/problem+json",
    "application/jsonp",
    "application/xml; x=application/json",
    "application/json, application/json",
    "application/json; charset=latin1",
    "application/json; charset=UTF-16",
    "application/json;CHARSET=us-ascii",
    'application/json; charset="utf-7"',
    "application/json; charset=",
    "application/json; charset = iso-8859-1",
    "application/json; charset=utf-8; charset=utf-16",
    "application/json; profile=x; charset=utf-8,utf-16",
  ])("refuses a body of type %j", (contentType) => {
    expect(bodyProblem(BODY, { contentType })?.code).toBe("unsupported_media_type");
  });

  it("accepts a body of 16,384 bytes and refuses one of 16,385", () => {
    const filled = (bytes: number) => BODY + " ".repeat(bytes - Buffer.byteLength(BODY));

    expect(readJson(post(filled(16_384)), movementBody)).toEqual(MOVEMENT);
    expect(bodyProblem(filled(16_385))?.code).toBe("payload_too_large");
  });

  it("counts bytes, not characters", () => {
    const bodyOf = (count: number) => `{"x":"${"é".repeat(count)}"}`;
    expect(bodyOf(8_188).length).toBeLessThan(16_384);

    expect(Buffer.byteLength(bodyOf(8_188))).toBe(16_384);
    expect(bodyProblem(bodyOf(8_188))?.code).toBe("validation_failed");
    expect(bodyProblem(bodyOf(8_189))?.code).toBe("payload_too_large");
  });

  it("decodes a base64 body and limits the decoded bytes", () => {
    const encoded = (text: string) => Buffer.from(text).toString("base64");
    const isBase64Encoded = true;

    expect(readJson(post(encoded(BODY), { isBase64Encoded }), movementBody)).toEqual(MOVEMENT);
    const filled = BODY.padEnd(16_384);
    expect(encoded(filled).length).toBeGreaterThan(16_384);
    expect(readJson(post(encoded(filled), { isBase64Encoded }), movementBody).amount).toBe("12.34");
    expect(bodyProblem(encoded(`${filled} `), { isBase64Encoded })?.code).toBe("payload_too_large");
  });

  it("refuses a body that is not UTF-8", () => {
    const latin1 = Buffer.from('{"currency":"USD","amount":"1","reference":"é"}', "latin1").toString("base64");
    expect(bodyProblem(latin1, { isBase64Encoded: true })?.code).toBe("malformed_json");
  });

  it.each([
    undefined,
    "",
    " ",
    "{",
    BODY.slice(0, -1),
    `${BODY},`,
    "{currency:1}",
    "{'currency':'USD'}",
    "undefined",
    "NaN",
    "\u0000",
  ])("refuses %j, which is not JSON", (body) => {
    expect(bodyProblem(body)?.code).toBe("malformed_json");
  });

  it.each(["null", "true", "1", '"text"', "[]", `[${BODY}]`])("refuses %s, which is JSON but not an object", (body) => {
    const problem = bodyProblem(body);
    expect(problem?.code).toBe("validation_failed");
    expect(problem?.options.errors).toEqual([{ pointer: "", detail: "must be a JSON object" }]);
  });

  it("refuses a deeply nested body", () => {
    const depth = 8_000;
    expect(["malformed_json", "validation_failed"]).toContain(
      bodyProblem(`{"amount":${"[".repeat(depth)}${"]".repeat(depth)}}`)?.code,
    );
  });

  it.each([
    ["a JSON number for the amount", { amount: 12.34 }, "/amount", AMOUNT],
    ["a whole JSON number for the amount", { amount: 12 }, "/amount", AMOUNT],
    ["null for the amount", { amount: null }, "/amount", AMOUNT],
    ["an amount in an object", { amount: { value: "1" } }, "/amount", AMOUNT],
    ["an amount in an array", { amount: ["1"] }, "/amount", AMOUNT],
    ["an amount of 81 characters", { amount: "1".repeat(81) }, "/amount", "must be at most 80 characters"],
    ["no amount", { amount: undefined }, "/amount", AMOUNT],
    ["no currency", { currency: undefined }, "/currency", CURRENCY],
    ["an empty currency", { currency: "" }, "/currency", CURRENCY],
    ["a long currency", { currency: "X".repeat(17) }, "/currency", CURRENCY],
    ["a number for the reference", { reference: 1 }, "/reference", "must be a string"],
    ["an empty reference", { reference: "" }, "/reference", "must not be empty"],
    ["a long reference", { reference: "x".repeat(141) }, "/reference", "must be at most 140 characters"],
    ["half a surrogate pair in the reference", { reference: "\ud83d" }, "/reference", UNICODE],
    ["null for the reference", { reference: null }, "/reference", "must be a string"],
    ["metadata in an array", { metadata: [] }, "/metadata", "must be an object with string values"],
    ["null for the metadata", { metadata: null }, "/metadata", "must be an object with string values"],
    ["nested metadata", { metadata: { a: { b: "c" } } }, "/metadata/a", "must be a string"],
    ["metadata with a number", { metadata: { a: 1 } }, "/metadata/a", "must be a string"],
    ["metadata with null", { metadata: { a: null } }, "/metadata/a", "must be a string"],
    [
      "metadata with a long value",
      { metadata: { a: "x".repeat(501) } },
      "/metadata/a",
      "must be at most 500 characters",
    ],
    ["metadata with half a surrogate pair", { metadata: { a: "x\ude00" } }, "/metadata/a", UNICODE],
    ["metadata with an empty key", { metadata: { "": "x" } }, "/metadata/", KEY],
    ["metadata with a key of other characters", { metadata: { "a/b~c": "x" } }, "/metadata/a~1b~0c", KEY],
    ["metadata with a long key", { metadata: { [`k${"x".repeat(40)}`]: "x" } }, `/metadata/k${"x".repeat(40)}`, KEY],
    ["metadata of 51 pairs", { metadata: FIFTY_ONE_PAIRS }, "/metadata", "must have at most 50 keys"],
    ["an unknown field", { note: "x" }, "/note", UNKNOWN],
    ["a field in another case", { Amount: "1" }, "/Amount", UNKNOWN],
    ["a field of the object prototype", { constructor: "x" }, "/constructor", UNKNOWN],
    ["another field of the object prototype", { toString: "x" }, "/toString", UNKNOWN],
  ])("refuses %s, with a pointer to it and what it must be", (_what, change, pointer, detail) => {
    const problem = bodyProblem(JSON.stringify({ ...MOVEMENT, ...change }));

    expect(problem?.code).toBe("validation_failed");
    expect(problem?.options.errors).toEqual([{ pointer, detail }]);
  });

  it.each([
    [{ amount: 1, currency: "USD", note: 1, "a/b": 2, "m~n": 3 }, ["/amount", "/note", "/a~1b", "/m~0n"]],
    [{ x: 1 }, ["/currency", "/amount", "/x"]],
    [
      { ...MOVEMENT, metadata: { "": "x", a: null, b: "x".repeat(501), c: "\ud800" } },
      ["/metadata/", "/metadata/a", "/metadata/b", "/metadata/c"],
    ],
  ])("has a pointer to every invalid or unknown field of %j", (body, pointers) => {
    const errors = bodyProblem(JSON.stringify(body))?.options.errors;
    expect(errors?.map(({ pointer }) => pointer)).toEqual(pointers);
  });

  it("leaves metadata unchanged, also with keys of the object prototype", () => {
    const metadata = { constructor: "a", toString: "b", hasOwnProperty: "c", prototype: "d", "order.id": "e" };
    const read = readJson(post(JSON.stringify({ currency: "USD", amount: "1", metadata })), movementBody);

    expect(read.metadata).toEqual(metadata);
    expect(Object.keys(read.metadata ?? {})).toEqual(Object.keys(metadata));
  });

  it.each([
    ["in the body", '{"currency":"USD","amount":"1","__proto__":{"amount":"2"}}'],
    ["in the metadata", '{"currency":"USD","amount":"1","metadata":{"__proto__":"x"}}'],
    ["in the metadata beside others", '{"currency":"USD","amount":"1","metadata":{"a":"b","__proto__":"x"}}'],
    ["spelled with an escape", '{"currency":"USD","amount":"1","metadata":{"\\u005f_proto__":"x"}}'],
    ["instead of everything", '{"__proto__":{"currency":"USD","amount":"1"}}'],
  ])("refuses the key __proto__ %s", (_where, body) => {
    const problem = bodyProblem(body);
    expect(problem?.code).toBe("validation_failed");
    expect(JSON.stringify(problem?.options.errors)).toContain("__proto__");
  });

  it.each([
    ["in the body", '{"currency":"USD","amount":"1","amount":"2"}'],
    ["twice the same", '{"currency":"USD","amount":"1","amount":"1"}'],
    ["spelled with an escape", '{"currency":"USD","amount":"1","am\\u006funt":"2"}'],
    ["in the metadata", '{"currency":"USD","amount":"1","metadata":{"a":"b","a":"c"}}'],
    ["in an array", '[{"a":1,"a":2}]'],
    ["behind a string with quotes and colons", '{"reference":"\\":{\\\\","amount":"1","amount":"2"}'],
  ])("refuses a repeated field, %s", (_where, body) => {
    expect(bodyProblem(body)).toMatchObject({ code: "malformed_json", message: "A field appears twice" });
  });

  it("finds no repeated field in other JSON, for any strings", () => {
    const strings = fc.string({ unit: fc.constantFrom('"', "\\", ":", "{", "}", ",", "a", "\n", "é") });
    const { json } = fc.letrec((tie) => ({
      json: fc.oneof(
        { depthSize: "small" },
        fc.constantFrom(null, true, 1),
        strings,
        fc.array(tie("json")),
        fc.dictionary(strings, tie("json")),
      ),
    }));
    fc.assert(
      fc.property(json, fc.constantFrom(0, 2), (value, space) => {
        expect(bodyProblem(JSON.stringify(value, undefined, space))?.code).toBe("validation_failed");
      }),
    );
  });

  it.each(["gzip", "br", "GZIP", "identity, gzip", "aes128gcm"])(
    "refuses a body with Content-Encoding %s",
    (encoding) => {
      const event = httpEvent({ method: "POST", headers: { "content-encoding": encoding }, body: BODY });
      expect(problemOf(() => readJson(event, movementBody))?.code).toBe("unsupported_media_type");
    },
  );

  it("accepts __proto__ as a value", () => {
    const body = '{"currency":"USD","amount":"1","reference":"__proto__","metadata":{"a":"__proto__"}}';
    expect(readJson(post(body), movementBody)).toMatchObject({ reference: "__proto__", metadata: { a: "__proto__" } });
  });

  it("checks the type first, then the size, then the JSON, then the fields", () => {
    const large = "{".repeat(20_000);
    expect(bodyProblem(large, { contentType: "text/plain" })?.code).toBe("unsupported_media_type");
    expect(bodyProblem(large)?.code).toBe("payload_too_large");
    expect(bodyProblem('{"note":1')?.code).toBe("malformed_json");
  });
});

describe("readWaitSeconds", () => {
  it.each([
    ["wait=1", 1],
    ["wait=5", 5],
    ["wait=20", 20],
    ["wait=21", 20],
    ["wait=99999", 20],
    ["WAIT=5", 5],
    ["Wait = 5", 5],
    ['wait="5"', 5],
    ["respond-async, wait=10", 10],
    ["wait=10, respond-async", 10],
    ["return=minimal, wait=10; x=y, handling=lenient", 10],
  ])("of %j waits %i seconds", (prefer, seconds) => {
    expect(readWaitSeconds(httpEvent({ headers: { prefer } }))).toBe(seconds);
  });

  it.each([
    ...["", "wait", "wait=", "wait=0", "wait=-1", "wait=1.5", "wait=1e1", "wait=five", "wait=5s"],
    ...["await=5", "x-wait=5"],
  ])("of %j does not wait, because it ignores an unknown preference", (prefer) => {
    expect(readWaitSeconds(httpEvent({ headers: { prefer } }))).toBeUndefined();
  });

  it.each(["wait=5, wait=5", "wait=5,wait=10", "wait=5; WAIT=6", "wait=5, respond-async, wait", "wait, Wait = x"])(
    "refuses %j, which can be a repeated header",
    (prefer) => {
      expect(problemOf(() => readWaitSeconds(httpEvent({ headers: { prefer } })))?.code).toBe("prefer_invalid");
    },
  );

  it("without a preference does not wait", () => {
    expect(readWaitSeconds(httpEvent())).toBeUndefined();
  });
});

describe("readIdempotencyKey", () => {
  const read = (key: string) => readIdempotencyKey(httpEvent({ headers: { "idempotency-key": key } }));

  it.each([
    "k",
    "k k",
    "x".repeat(255),
    "order 1001",
    '"quoted"',
    "~!@#$%^&*()",
    "8e03978e-40d5-43dd-bc93-6894a57f9324",
  ])("takes %j as it is", (key) => {
    expect(read(key)).toBe(key);
  });

  it("requires a key that is not empty", () => {
    expect(problemOf(() => readIdempotencyKey(httpEvent()))?.code).toBe("idempotency_key_required");
    expect(problemOf(() => read(""))?.code).toBe("idempotency_key_required");
  });

  it.each([
    ...["x".repeat(256), "é", "a\tb", "a\nb", "a\n", "\u007f", "\u0000", "🔑", ","],
    // HTTP strips the spaces; a batch could have them.
    ...[" ", " k", "k ", " k "],
    // These can be a repeated header.
    ...["k,k", "k,other", "k, k", ",k", "k,"],
  ])("refuses %j", (key) => {
    expect(problemOf(() => read(key))?.code).toBe("idempotency_key_invalid");
  });
});

describe("readUserId", () => {
  const USER_ID_DETAIL = "must be 1 to 128 of the characters A–Z a–z 0–9 . _ : @ | -, but neither . nor ..";
  const read = (userId: string) => readUserId(httpEvent({ pathParameters: { userId } }));

  it.each(["a", "alice", "auth0|5f7c8ec7c33c6c004bbafe82", "a.b_c:d@e-f", "...", ".a", "a.", "x".repeat(128)])(
    "takes %j",
    (userId) => {
      expect(read(userId)).toBe(userId);
    },
  );

  it.each(["", ".", "..", "x".repeat(129), "a b", "a/b", "a%20b", "é", "a\n", "a\u0000", "a,b", "<a>"])(
    "refuses %j",
    (userId) => {
      expect(problemOf(() => read(userId))).toMatchObject({
        code: "validation_failed",
        options: { errors: [{ parameter: "userId", detail: USER_ID_DETAIL }] },
      });
    },
  );

  it("refuses a path without a user id", () => {
    expect(problemOf(() => readUserId(httpEvent()))?.code).toBe("validation_failed");
  });
});

describe("readQuery of the history", () => {
  const read = (query?: Record<string, string>) => readQuery(httpEvent({ query }), historyQuery);

  it("has a default limit of 25", () => {
    expect(read()).toEqual({ limit: 25 });
  });

  it("reads every parameter", () => {
    const query = { cursor: "abc", type: "deposit", currency: "USD", status: "posted" };
    const period = { from: "2026-11-23T09:30:00.000Z", to: "2026-11-24T09:30:00.000Z" };
    expect(read({ limit: "100", ...query, ...period })).toEqual({ limit: 100, ...query, ...period });
  });

  it.each([
    ...["0", "101", "-1", "1.5", "many", "", "0x10", "1e1", " 1", "1 ", "+1", "1.0", "01", "1,2", "١"].map(
      (limit) => ["limit", limit, "must be a whole number from 1 to 100"] as const,
    ),
    ["cursor", "x".repeat(65), "must be the `nextCursor` of a page"],
    ["currency", "", CURRENCY],
    ["status", "pending", "must be posted or rejected"],
    ["type", "refund", `must be one of ${COMMAND_TYPES.join(", ")}`],
    ["offset", "10", UNKNOWN],
    ["constructor", "x", UNKNOWN],
    ["__proto__", "x", UNKNOWN],
  ] as const)("refuses an invalid or unknown %s: %j", (parameter, value, detail) => {
    const problem = problemOf(() => read(Object.fromEntries([[parameter, value]])));
    expect(problem?.code).toBe("validation_failed");
    expect(problem?.options.errors).toEqual([{ parameter, detail }]);
  });

  it("has the detail of every invalid parameter", () => {
    const query = { limit: "0", cursor: "x".repeat(65), currency: "", status: "pending", offset: "1" };
    expect(problemOf(() => read(query))?.options.errors?.map(({ parameter }) => parameter)).toEqual(Object.keys(query));
  });
});

describe("a time in a query", () => {
  const read = (at: string) => readQuery(httpEvent({ query: { at } }), balancesQuery).at;

  it("is optional", () => {
    expect(readQuery(httpEvent(), balancesQuery)).toEqual({});
  });

  it.each([
    ["2026-11-23T09:30:00.123Z", "2026-11-23T09:30:00.123Z"],
    ["2026-11-23T09:30:00.1Z", "2026-11-23T09:30:00.100Z"],
    ["2026-11-23T09:30:00Z", "2026-11-23T09:30:00.000Z"],
    ["2026-11-23T09:30:00+01:00", "2026-11-23T08:30:00.000Z"],
    ["2026-11-23T23:30:00.5-05:30", "2026-11-24T05:00:00.500Z"],
    ["2028-02-29T00:00:00Z", "2028-02-29T00:00:00.000Z"],
  ])("is read from %s as %s", (at, time) => {
    expect(read(at)).toBe(time);
  });

  const refusals = {
    "must be a time such as 2026-11-23T09:30:00Z": [
      ...["", "now", "2026-11-23", "2026-11-23T09:30:00", "2026-11-23 09:30:00Z", "1795426200000"],
      ...["2026-02-30T00:00:00Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-23T24:00:00Z"],
      ...["2026-11-23T09:60:00Z", "2026-11-23T09:30:60Z", "2026-11-23T09:30:00 01:00", "26-11-23T09:30:00Z"],
    ],
    "must have at most milliseconds": ["2026-11-23T09:30:00.1234Z", "2026-11-23T09:30:00.0001+01:00"],
    // As texts these would sort before all other times.
    "must be in the years 0000 to 9999, UTC": ["9999-12-31T23:59:59-00:01", "0000-01-01T00:00:00+00:01"],
  };
  it.each(Object.entries(refusals))("%s, so these are refused: %j", (detail, times) => {
    for (const at of times) {
      expect(problemOf(() => read(at))?.options.errors).toEqual([{ parameter: "at", detail }]);
    }
  });
});

describe("readQuery of a statement", () => {
  it("has a default limit of 100 and no default period", () => {
    const query = { currency: "USD" };
    expect(readQuery(httpEvent({ query }), statementQuery)).toEqual({ currency: "USD", limit: 100 });
  });

  it("requires a currency", () => {
    const detail = 'must be the code of a currency, such as "USD"';
    const errors = problemOf(() => readQuery(httpEvent(), statementQuery))?.options.errors;
    expect(errors).toEqual([{ parameter: "currency", detail }]);
  });
});

describe("refuseFuture", () => {
  const { clock } = inMemoryPorts();
  const [now, later] = ["2026-11-23T09:30:00.000Z", "2026-11-23T09:30:00.001Z"];

  it.each([{ at: now }, { at: undefined }, { from: undefined, to: "2026-11-23T09:29:59.999Z" }])(
    "accepts %o",
    (times) => {
      expect(problemOf(() => refuseFuture(times, clock))).toBeUndefined();
    },
  );

  it("names every time that is 1 ms after now, or later", () => {
    const problem = problemOf(() => refuseFuture({ at: later, from: now, to: "2027-01-01T00:00:00.000Z" }, clock));
    const detail = "must not be in the future";
    expect(problem).toMatchObject({
      code: "validation_failed",
      options: {
        errors: [
          { parameter: "at", detail },
          { parameter: "to", detail },
        ],
      },
    });
  });
});

describe("refuseReversed", () => {
  const [early, late] = ["2026-11-23T09:30:00.000Z", "2026-11-23T09:30:00.001Z"];

  it.each([{}, { from: late }, { to: early }, { from: early, to: early }, { from: early, to: late }])(
    "accepts %o",
    (period) => {
      expect(problemOf(() => refuseReversed(period))).toBeUndefined();
    },
  );

  it("refuses a period that ends before it starts", () => {
    expect(problemOf(() => refuseReversed({ from: late, to: early }))).toMatchObject({
      code: "validation_failed",
      options: { errors: [{ parameter: "to", detail: "must not be before from" }] },
    });
  });
});

it("no error of a request has a message of zod, for any body and query", () => {
  const { localeError } = z.config();
  z.config({ localeError: () => "a message of zod" });
  onTestFinished(() => void z.config({ localeError }));
  const text = fc.oneof(fc.constantFrom("USD", "1", "", "\ud800"), fc.string({ maxLength: 600, size: "max" }));
  const value = fc.oneof(text, fc.jsonValue(), fc.dictionary(text, fc.oneof(text, fc.jsonValue())));
  const fields = { currency: value, amount: value, reference: value, metadata: value, other: value };
  const body = fc.oneof(value, fc.record(fields, { requiredKeys: [] }));
  const names = fc.constantFrom("limit", "cursor", "currency", "status", "type", "from", "to", "at", "offset");
  const query = fc.dictionary(names, text);
  fc.assert(
    fc.property(body, query, (body, query) => {
      for (const read of [
        () => readJson(post(JSON.stringify(body)), movementBody),
        () => readJson(post(JSON.stringify(body)), z.strictObject({ other: z.union([z.iso.date(), z.uuid()]) })),
        () => readQuery(httpEvent({ query }), historyQuery),
        () => readQuery(httpEvent({ query }), statementQuery),
        () => readQuery(httpEvent({ query }), balancesQuery),
        () => readUserId(httpEvent({ pathParameters: query })),
      ]) {
        const errors = problemOf(read)?.options.errors ?? [];
        expect(errors.map(({ detail }) => detail)).not.toContain("a message of zod");
      }
    }),
  );
});

describe("acceptsEncoding", () => {
  it.each([
    [undefined, false],
    ["", false],
    ["identity", false],
    ["br", false],
    ["gzip;q=0", false],
    ["gzip;q=0.000, *", false],
    ["*;q=0", false],
    ["x-gzip-like", false],
    ["gzip", true],
    ["GZIP", true],
    ["deflate, gzip;q=0.5, br", true],
    ["br;q=1.0, gzip ; q=0.001", true],
    ["*", true],
  ])("of %j is %j", (header, expected) => {
    const event = httpEvent({ headers: header === undefined ? {} : { "accept-encoding": header } });
    expect(acceptsEncoding(event, "gzip")).toBe(expected);
  });

  it("distinguishes Brotli and gzip", () => {
    const event = httpEvent({ headers: { "accept-encoding": "gzip, br;q=0" } });
    expect([acceptsEncoding(event, "gzip"), acceptsEncoding(event, "br")]).toEqual([true, false]);
  });
});

describe("acceptsCsv", () => {
  it.each([
    [undefined, false],
    ["", false],
    ["*/*", false],
    ["application/json", false],
    ["application/json, text/csv", false],
    ["text/csv;q=0", false],
    ["text/csv;q=0.5, application/json", false],
    ["text/csv;q=0.5, application/*;q=0.6", false],
    ["text/html, */*;q=0.8", false],
    ["text/csvx", false],
    ["text/csv", true],
    ["Text/CSV; header=present", true],
    ["text/*", true],
    ["text/csv, application/json;q=0.9", true],
    ["application/json;q=0.1, text/csv ; q=0.2", true],
    ["text/csv, */*", true],
  ])("of %j is %j", (accept, expected) => {
    expect(acceptsCsv(httpEvent({ headers: accept === undefined ? {} : { accept } }))).toBe(expected);
  });
});
