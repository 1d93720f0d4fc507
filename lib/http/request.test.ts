import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import * as z from "zod";
import { httpEvent } from "../../testkit/events.ts";
import { type FieldError, HttpProblem } from "./problem.ts";
import { acceptsGzip, readIdempotencyKey, readJson, readQuery, readUserId, readWaitSeconds } from "./request.ts";
import { historyQuery, movementBody } from "./schemas.ts";

const BODY = '{"currency":"USD","amount":"12.34"}';

function post(body: string | undefined, options: { contentType?: string; isBase64Encoded?: boolean } = {}) {
  const { contentType = "application/json", isBase64Encoded = false } = options;
  return httpEvent({
    method: "POST",
    headers: { "content-type": contentType },
    isBase64Encoded,
    ...(body !== undefined && { body }),
  });
}

/** Returns the problem that `read` throws. */
function problemOf(read: () => unknown): HttpProblem {
  try {
    read();
  } catch (error) {
    if (error instanceof HttpProblem) return error;
    throw error;
  }
  throw new Error("There was no problem");
}

const bodyProblem = (body: string, options?: Parameters<typeof post>[1]) =>
  problemOf(() => readJson(post(body, options), movementBody));

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
    expect(readJson(post(BODY, { contentType }), movementBody)).toEqual({ currency: "USD", amount: "12.34" });
  });

  it("parses a body without a type as JSON", () => {
    expect(readJson(httpEvent({ method: "POST", body: BODY }), movementBody)).toEqual({
      currency: "USD",
      amount: "12.34",
    });
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
    expect(bodyProblem(BODY, { contentType }).code).toBe("unsupported_media_type");
  });

  it("accepts a body of 16,384 bytes and refuses one of 16,385", () => {
    const filled = (bytes: number) => BODY + " ".repeat(bytes - Buffer.byteLength(BODY));

    expect(readJson(post(filled(16_384)), movementBody)).toEqual({ currency: "USD", amount: "12.34" });
    expect(bodyProblem(filled(16_385)).code).toBe("payload_too_large");
  });

  it("counts bytes, not characters", () => {
    const bodyOf = (count: number) => `{"x":"${"é".repeat(count)}"}`;
    expect(bodyOf(8_188).length).toBeLessThan(16_384);

    expect(Buffer.byteLength(bodyOf(8_188))).toBe(16_384);
    expect(bodyProblem(bodyOf(8_188)).code).toBe("validation_failed");
    expect(bodyProblem(bodyOf(8_189)).code).toBe("payload_too_large");
  });

  it("decodes a base64 body and limits the decoded bytes", () => {
    const encoded = (text: string) => Buffer.from(text).toString("base64");
    const isBase64Encoded = true;

    expect(readJson(post(encoded(BODY), { isBase64Encoded }), movementBody)).toEqual({
      currency: "USD",
      amount: "12.34",
    });
    const filled = BODY.padEnd(16_384);
    expect(encoded(filled).length).toBeGreaterThan(16_384);
    expect(readJson(post(encoded(filled), { isBase64Encoded }), movementBody).amount).toBe("12.34");
    expect(bodyProblem(encoded(`${filled} `), { isBase64Encoded }).code).toBe("payload_too_large");
  });

  it("refuses a body that is not UTF-8", () => {
    const latin1 = Buffer.from('{"currency":"USD","amount":"1","reference":"é"}', "latin1").toString("base64");
    expect(bodyProblem(latin1, { isBase64Encoded: true }).code).toBe("malformed_json");
  });

  it.each([
    "",
    " ",
    "{",
    BODY.slice(0, -1),
    `${BODY},`,
    "{'currency':'USD'}",
    "{currency:1}",
    "undefined",
    "NaN",
    "\u0000",
  ])("refuses %j, which is not JSON", (body) => {
    expect(bodyProblem(body).code).toBe("malformed_json");
  });

  it("refuses a request without a body", () => {
    expect(problemOf(() => readJson(post(undefined), movementBody)).code).toBe("malformed_json");
  });

  it.each(["null", "true", "1", '"text"', "[]", `[${BODY}]`])("refuses %s, which is JSON but not an object", (body) => {
    expect(bodyProblem(body)).toMatchObject({ code: "validation_failed", options: { errors: [{ pointer: "" }] } });
  });

  it("refuses a deeply nested body", () => {
    const depth = 8_000;
    expect(["malformed_json", "validation_failed"]).toContain(
      bodyProblem(`{"amount":${"[".repeat(depth)}${"]".repeat(depth)}}`).code,
    );
  });

  it.each([
    ["a JSON number for the amount", { amount: 12.34 }, "/amount"],
    ["a whole JSON number for the amount", { amount: 12 }, "/amount"],
    ["null for the amount", { amount: null }, "/amount"],
    ["an amount in an object", { amount: { value: "1" } }, "/amount"],
    ["an amount in an array", { amount: ["1"] }, "/amount"],
    ["an amount of 81 characters", { amount: "1".repeat(81) }, "/amount"],
    ["no amount", { amount: undefined }, "/amount"],
    ["no currency", { currency: undefined }, "/currency"],
    ["an empty currency", { currency: "" }, "/currency"],
    ["a long currency", { currency: "X".repeat(17) }, "/currency"],
    ["an empty reference", { reference: "" }, "/reference"],
    ["a long reference", { reference: "x".repeat(141) }, "/reference"],
    ["null for the reference", { reference: null }, "/reference"],
    ["metadata in an array", { metadata: [] }, "/metadata"],
    ["null for the metadata", { metadata: null }, "/metadata"],
    ["nested metadata", { metadata: { a: { b: "c" } } }, "/metadata/a"],
    ["metadata with a number", { metadata: { a: 1 } }, "/metadata/a"],
    ["metadata with a long value", { metadata: { a: "x".repeat(501) } }, "/metadata/a"],
    ["metadata with an empty key", { metadata: { "": "x" } }, "/metadata/"],
    ["metadata with a key of other characters", { metadata: { "a/b~c": "x" } }, "/metadata/a~1b~0c"],
    ["metadata with a long key", { metadata: { [`k${"x".repeat(40)}`]: "x" } }, `/metadata/k${"x".repeat(40)}`],
    [
      "metadata of 51 pairs",
      { metadata: Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`k${index}`, "x"])) },
      "/metadata",
    ],
    ["an unknown field", { note: "x" }, "/note"],
    ["a field in another case", { Amount: "1" }, "/Amount"],
    ["a field of the object prototype", { constructor: "x" }, "/constructor"],
    ["another field of the object prototype", { toString: "x" }, "/toString"],
  ])("refuses %s, with a pointer to it", (_what, change, pointer) => {
    const problem = bodyProblem(JSON.stringify({ currency: "USD", amount: "1", ...change }));

    expect(problem.code).toBe("validation_failed");
    expect(problem.options.errors).toEqual([{ pointer, detail: expect.any(String) }]);
  });

  it("has a pointer to every invalid or unknown field", () => {
    const { options } = bodyProblem('{"amount":1,"currency":"USD","note":1,"a/b":2,"m~n":3}');

    expect(options.errors?.map(({ pointer }) => pointer)).toEqual(["/amount", "/note", "/a~1b", "/m~0n"]);
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
    expect(problem.code).toBe("validation_failed");
    expect(JSON.stringify(problem.options.errors)).toContain("__proto__");
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
        expect(bodyProblem(JSON.stringify(value, undefined, space)).code).toBe("validation_failed");
      }),
    );
  });

  it.each(["gzip", "br", "GZIP", "identity, gzip", "aes128gcm"])(
    "refuses a body with Content-Encoding %s",
    (encoding) => {
      const event = httpEvent({ method: "POST", headers: { "content-encoding": encoding }, body: BODY });
      expect(problemOf(() => readJson(event, movementBody)).code).toBe("unsupported_media_type");
    },
  );

  it.each(["reference", "metadata"])("refuses half of a surrogate pair in the %s", (field) => {
    const value = { reference: '"\\ud83d"', metadata: '{"a":"x\\ude00"}' }[field];
    expect(bodyProblem(`{"currency":"USD","amount":"1","${field}":${value}}`).code).toBe("validation_failed");
  });

  it("accepts __proto__ as a value", () => {
    const body = '{"currency":"USD","amount":"1","reference":"__proto__","metadata":{"a":"__proto__"}}';
    expect(readJson(post(body), movementBody)).toMatchObject({ reference: "__proto__", metadata: { a: "__proto__" } });
  });

  it("checks the type first, then the size, then the JSON, then the fields", () => {
    const large = "{".repeat(20_000);
    expect(bodyProblem(large, { contentType: "text/plain" }).code).toBe("unsupported_media_type");
    expect(bodyProblem(large).code).toBe("payload_too_large");
    expect(bodyProblem('{"note":1').code).toBe("malformed_json");
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
    "",
    "wait",
    "wait=",
    "wait=0",
    "wait=-1",
    "wait=1.5",
    "wait=1e1",
    "wait=five",
    "wait=5s",
    "await=5",
    "x-wait=5",
  ])("of %j does not wait, because it ignores an unknown preference", (prefer) => {
    expect(readWaitSeconds(httpEvent({ headers: { prefer } }))).toBeUndefined();
  });

  it.each(["wait=5, wait=5", "wait=5,wait=10", "wait=5; WAIT=6", "wait=5, respond-async, wait", "wait, Wait = x"])(
    "refuses %j, which can be a repeated header",
    (prefer) => {
      expect(problemOf(() => readWaitSeconds(httpEvent({ headers: { prefer } }))).code).toBe("prefer_invalid");
    },
  );

  it("without a preference does not wait", () => {
    expect(readWaitSeconds(httpEvent())).toBeUndefined();
  });
});

describe("readIdempotencyKey", () => {
  const read = (key: string) => readIdempotencyKey(httpEvent({ headers: { "idempotency-key": key } }));

  it.each(["k", "x".repeat(255), "order 1001", '"quoted"', "~!@#$%^&*()", "8e03978e-40d5-43dd-bc93-6894a57f9324"])(
    "takes %j as it is",
    (key) => {
      expect(read(key)).toBe(key);
    },
  );

  it("requires a key that is not empty", () => {
    expect(problemOf(() => readIdempotencyKey(httpEvent())).code).toBe("idempotency_key_required");
    expect(problemOf(() => read("")).code).toBe("idempotency_key_required");
  });

  it.each(["x".repeat(256), "é", "a\tb", "a\nb", "a\n", "\u007f", "\u0000", "🔑", ","])("refuses %j", (key) => {
    expect(problemOf(() => read(key)).code).toBe("idempotency_key_invalid");
  });

  it.each(["k,k", "k,other", "k, k", ",k", "k,"])("refuses %j, which can be a repeated header", (key) => {
    expect(problemOf(() => read(key)).code).toBe("idempotency_key_invalid");
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
    expect(problemOf(() => readUserId(httpEvent())).code).toBe("validation_failed");
  });
});

describe("readQuery of the history", () => {
  const read = (query?: Record<string, string>) => readQuery(httpEvent(query ? { query } : {}), historyQuery);

  it("has a default limit of 25", () => {
    expect(read()).toEqual({ limit: 25 });
  });

  it("reads every parameter", () => {
    expect(read({ limit: "100", cursor: "abc", currency: "USD", status: "posted" })).toEqual({
      limit: 100,
      cursor: "abc",
      currency: "USD",
      status: "posted",
    });
  });

  it.each([
    ["limit", { limit: "0" }],
    ["limit", { limit: "101" }],
    ["limit", { limit: "-1" }],
    ["limit", { limit: "1.5" }],
    ["limit", { limit: "many" }],
    ["limit", { limit: "" }],
    ["limit", { limit: "0x10" }],
    ["limit", { limit: "1e1" }],
    ["limit", { limit: " 1" }],
    ["limit", { limit: "1 " }],
    ["limit", { limit: "+1" }],
    ["limit", { limit: "1.0" }],
    ["limit", { limit: "01" }],
    ["limit", { limit: "1,2" }],
    ["limit", { limit: "١" }],
    ["cursor", { cursor: "x".repeat(65) }],
    ["currency", { currency: "" }],
    ["status", { status: "pending" }],
    ["offset", { offset: "10" }],
    ["constructor", { constructor: "x" }],
    ["__proto__", Object.fromEntries([["__proto__", "x"]])],
  ])("refuses an invalid or unknown %s: %j", (parameter, query) => {
    expect(problemOf(() => read(query))).toMatchObject({
      code: "validation_failed",
      options: { errors: [{ parameter }] },
    });
  });
});

describe("the details of a request's errors", () => {
  const details = (problem: HttpProblem) =>
    Object.fromEntries(
      problem.options.errors?.map(({ pointer, parameter, detail }) => [pointer ?? parameter, detail]) ?? [],
    );
  const valid = { currency: "USD", amount: "1" };

  it.each([
    [null, { "": "must be a JSON object" }],
    [
      { x: 1 },
      {
        "/currency": 'must be the code of a currency, such as "USD"',
        "/amount": 'must be a decimal string, such as "12.34"',
        "/x": "is not a known field",
      },
    ],
    [{ ...valid, currency: "" }, { "/currency": 'must be the code of a currency, such as "USD"' }],
    [{ ...valid, currency: "X".repeat(17) }, { "/currency": 'must be the code of a currency, such as "USD"' }],
    [{ ...valid, amount: "1".repeat(81) }, { "/amount": "must be at most 80 characters" }],
    [{ ...valid, reference: 1 }, { "/reference": "must be a string" }],
    [{ ...valid, reference: "" }, { "/reference": "must not be empty" }],
    [{ ...valid, reference: "x".repeat(141) }, { "/reference": "must be at most 140 characters" }],
    [{ ...valid, reference: "\ud800" }, { "/reference": "must be well-formed Unicode" }],
    [{ ...valid, metadata: [] }, { "/metadata": "must be an object with string values" }],
    [
      { ...valid, metadata: { "": "x", a: null, b: "x".repeat(501), c: "\ud800" } },
      {
        "/metadata/": "must have a name of 1 to 40 of the characters A–Z a–z 0–9 _ . : -",
        "/metadata/a": "must be a string",
        "/metadata/b": "must be at most 500 characters",
        "/metadata/c": "must be well-formed Unicode",
      },
    ],
    [
      { ...valid, metadata: Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`k${index}`, "x"])) },
      { "/metadata": "must have at most 50 keys" },
    ],
  ])("have the messages of the schemas for the body %j", (body, expected) => {
    expect(details(bodyProblem(JSON.stringify(body)))).toEqual(expected);
  });

  it("have the messages of the schemas for a query", () => {
    const query = { limit: "0", cursor: "x".repeat(65), currency: "", status: "pending", offset: "1" };
    expect(details(problemOf(() => readQuery(httpEvent({ query }), historyQuery)))).toEqual({
      limit: "must be a whole number from 1 to 100",
      cursor: "must be the `nextCursor` of a page",
      currency: 'must be the code of a currency, such as "USD"',
      status: "must be posted or rejected",
      offset: "is not a known field",
    });
  });

  it("never have a message of zod, for any body and query", () => {
    const { localeError } = z.config();
    z.config({ localeError: () => "a message of zod" });
    onTestFinished(() => void z.config({ localeError }));
    const text = fc.oneof(fc.constantFrom("USD", "1", "", "\ud800"), fc.string({ maxLength: 600, size: "max" }));
    const value = fc.oneof(text, fc.jsonValue(), fc.dictionary(text, fc.oneof(text, fc.jsonValue())));
    const fields = { currency: value, amount: value, reference: value, metadata: value, other: value };
    const body = fc.oneof(value, fc.record(fields, { requiredKeys: [] }));
    const query = fc.dictionary(fc.constantFrom("limit", "cursor", "currency", "status", "offset"), text);
    fc.assert(
      fc.property(body, query, (body, query) => {
        for (const read of [
          () => readJson(post(JSON.stringify(body)), movementBody),
          () => readJson(post(JSON.stringify(body)), z.strictObject({ other: z.union([z.iso.date(), z.uuid()]) })),
          () => readQuery(httpEvent({ query }), historyQuery),
          () => readUserId(httpEvent({ pathParameters: query })),
        ]) {
          expect(errorsOf(read).map(({ detail }) => detail)).not.toContain("a message of zod");
        }
      }),
    );
  });

  function errorsOf(read: () => unknown): readonly FieldError[] {
    try {
      read();
      return [];
    } catch (error) {
      if (error instanceof HttpProblem) return error.options.errors ?? [];
      throw error;
    }
  }
});

describe("acceptsGzip", () => {
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
    expect(acceptsGzip(httpEvent({ headers: header === undefined ? {} : { "accept-encoding": header } }))).toBe(
      expected,
    );
  });
});
