import { randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, inject, test } from "vitest";
import { balanceOf, movement, newUser, posted, walletOf } from "../../testkit/client.ts";
import { bearer, codeOf, type RawResponse } from "../../testkit/rawClient.ts";
import { attack, isOurs } from "./attacker.ts";

const ADMIN = "wallets:admin";
const alice = walletOf(inject("apiUrl"), newUser("alice"));
const VALID = '{"currency":"USD","amount":"1.00"}';
const asAlice = await bearer(alice.userId);

async function post(
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
  key: string = randomUUID(),
): Promise<RawResponse> {
  const all = { "content-type": "application/json", "idempotency-key": key, ...asAlice, ...headers };
  return attack("POST", `/v1/users/${alice.userId}/deposits`, all, body);
}

/** A valid body with one more field. */
const withField = (name: string, json: string) => `{"currency":"USD","amount":"1.00","${name}":${json}}`;
const bytes = (...parts: (string | number[])[]) => Buffer.concat(parts.map((part) => Buffer.from(part as string)));

describe("a body is refused, and nothing of it is stored, when it", () => {
  test.each<[string, string | Uint8Array, string]>([
    ["has the same amount twice", '{"currency":"USD","amount":"1.00","amount":"1.00"}', "400 malformed_json"],
    ["has the field __proto__", withField("__proto__", '{"amount":"2"}'), "422 validation_failed"],
    ["has the metadata __proto__", withField("metadata", '{"__proto__":"x"}'), "422 validation_failed"],
    [
      "nests metadata 2,000 deep",
      withField("metadata", `${'{"a":'.repeat(2000)}1${"}".repeat(2000)}`),
      "422 validation_failed",
    ],
    ["has a lone surrogate in the reference", withField("reference", '"\\ud800"'), "422 validation_failed"],
    ["has a lone surrogate in its metadata", withField("metadata", '{"a":"\\udc00"}'), "422 validation_failed"],
    ["has a lone surrogate in the currency", '{"currency":"\\ud800","amount":"1.00"}', "422 unknown_currency"],
    ["has a lone surrogate in a field name", withField("\\ud800", "1"), "422 validation_failed"],
    ["has an amount in full-width digits", '{"currency":"USD","amount":"１.００"}', "422 amount_invalid"],
    ["has an amount with a null byte", '{"currency":"USD","amount":"1.00\\u0000"}', "422 amount_invalid"],
    ["has a currency in an array", '{"currency":["USD"],"amount":"1.00"}', "422 validation_failed"],
    ["has an amount of 16,000 digits", `{"currency":"USD","amount":"${"9".repeat(16_000)}"}`, "422 validation_failed"],
    ["has a number of 16,000 digits", `{"currency":"USD","amount":${"9".repeat(16_000)}}`, "422 validation_failed"],
    ["has a string for metadata", withField("metadata", '"x"'), "422 validation_failed"],
    ["is false, which serverless-offline passes on as a boolean", "false", "422 validation_failed"],
    ["is 0, which serverless-offline passes on as a number", "0", "422 validation_failed"],
    ["is null, which serverless-offline passes on as no body", "null", "400 malformed_json"],
    ["is an empty string, which serverless-offline passes on as no body", '""', "400 malformed_json"],
    ["is a number", "1e999", "422 validation_failed"],
    ["is two values", VALID + VALID, "400 malformed_json"],
    ["is null bytes", Buffer.alloc(1000), "400 malformed_json"],
    ["is UTF-16", Buffer.from(VALID, "utf16le"), "400 malformed_json"],
    ["has invalid UTF-8 outside a string", bytes(VALID, [0xff]), "400 malformed_json"],
    ["has 16,385 bytes", VALID.padEnd(16_385), "413 payload_too_large"],
    ["has a megabyte", withField("reference", `"${"x".repeat(1 << 20)}"`), "413 payload_too_large"],
  ])("%s", async (_name, body, code) => {
    const key = randomUUID();
    expect(codeOf(await post(body, {}, key))).toBe(code);
    const retried = await post(VALID, {}, key);
    expect(codeOf(retried)).toBe("202");
    expect(retried.headers.has("idempotency-replayed")).toBe(false);
  });

  test("nests 8,000 deep", async () => {
    expect(codeOf(await post("[".repeat(8000) + "]".repeat(8000)))).toMatch(
      /^4(00 malformed_json|22 validation_failed)$/,
    );
  });

  test("has 12 MB, which serverless-offline refuses before our code, as API Gateway does over 10 MB", async () => {
    const response = await post(Buffer.alloc(12 << 20, " "));
    expect([response.status, isOurs(response)]).toEqual([413, false]);
  });
});

describe("a batch is refused, and nothing of it is stored, when its body", () => {
  const command = (key: string, more = "") =>
    `{"type":"deposit","userId":"${alice.userId}","idempotencyKey":"${key}","currency":"USD","amount":"1.00"${more}}`;
  const batch = async (body: string | Uint8Array) =>
    attack("POST", "/v1/batches", { "content-type": "application/json", ...(await bearer("service", ADMIN)) }, body);

  test.each<[string, (command: string) => string, string]>([
    ["has the commands twice", (one) => `{"commands":[${one}],"commands":[${one}]}`, "400 malformed_json"],
    [
      "has a command with the amount twice",
      (one) => `{"commands":[${one.replace("}", ',"amount":"1.00"}')}]}`,
      "400 malformed_json",
    ],
    [
      "has a command with the field __proto__",
      (one) => `{"commands":[${one},{"__proto__":${one}}]}`,
      "422 validation_failed",
    ],
    ["has 101 commands", (one) => `{"commands":[${Array(101).fill(one).join()}]}`, "422 validation_failed"],
    ["has commands in a list in the list", (one) => `{"commands":[[${one}]]}`, "422 validation_failed"],
    ["has 256 KB and a byte", (one) => `{"commands":[${one}]}`.padEnd(256 * 1024 + 1), "413 payload_too_large"],
    [
      "has 100 commands of 16 KB",
      (one) => `{"commands":[${Array(100).fill(one.padEnd(16_384)).join()}]}`,
      "413 payload_too_large",
    ],
  ])("%s", async (_name, bodyOf, code) => {
    const key = randomUUID();
    expect(codeOf(await batch(bodyOf(command(key))))).toBe(code);
    const retried = JSON.parse((await batch(`{"commands":[${command(key)}]}`)).body);
    expect(retried.results).toMatchObject([{ status: 202 }]);
    expect(retried.results[0]).not.toHaveProperty("replayed");
  });

  test("has wrong commands only: each has its own problem", async () => {
    const wrong = [
      command("a,b"),
      command(randomUUID(), ',"reference":"\\ud800"'),
      command(randomUUID(), `,"note":"${"x".repeat(17_000)}"`),
      command(randomUUID(), `,"metadata":${'{"a":'.repeat(500)}1${"}".repeat(500)}`),
      command(randomUUID()).replace('"1.00"', '"１.００"'),
      command(randomUUID()).replace(alice.userId, "\\u0000"),
    ];
    const { status, body } = await batch(`{"commands":[${wrong.join()}]}`);
    expect(status).toBe(200);
    const codes = JSON.parse(body).results.map(({ problem }: { problem: { code: string } }) => problem.code);
    expect(codes).toEqual([
      "validation_failed",
      "validation_failed",
      "payload_too_large",
      "validation_failed",
      "amount_invalid",
      "validation_failed",
    ]);
  });
});

describe("a compressed body is refused:", () => {
  test.each([
    ["gzip", gzipSync(VALID)],
    ["gzip", gzipSync(Buffer.alloc(10 << 20, " "))],
    ["gzip", Buffer.from(VALID)],
    ["\u00e9", Buffer.from(VALID)],
  ])("%s", async (encoding, body) => {
    expect(codeOf(await post(body, { "content-encoding": encoding }))).toBe("415 unsupported_media_type");
  });

  test("gzip without the header", async () => {
    expect(codeOf(await post(gzipSync(VALID)))).toBe("400 malformed_json");
  });
});

describe("a body of another content type is refused:", () => {
  test.each([
    "application/json, text/plain",
    "application/json; charset=utf-8; charset=utf-7",
    "application",
    "/",
    "multipart/form-data",
  ])("%s, which hapi refuses before our code", async (type) => {
    const response = await post(VALID, { "content-type": type });
    expect([response.status, isOurs(response)]).toEqual([400, false]);
  });
});

describe("a body is accepted, and its text stored unchanged, when it", () => {
  test.each([
    ["has a null byte in a string", withField("reference", '"a\\u0000b"'), "a\0b"],
    ["has characters of several scripts", withField("reference", '"é 漢 😀 \\ud83d\\ude00"'), "é 漢 😀 😀"],
    ["has a right-to-left override", withField("reference", '"\\u202eabc"'), "\u202eabc"],
    ["has quotes and colons in a string", withField("reference", '"\\":{\\"amount\\":"'), '":{"amount":'],
    ["has the string __proto__", withField("reference", '"__proto__"'), "__proto__"],
    ["has an HTML script", withField("reference", '"<script>alert(1)</script>"'), "<script>alert(1)</script>"],
  ])("%s", async (_name, body, reference) => {
    const response = await post(body, { prefer: "wait=10" });
    expect(response.status).toBe(201);
    expect(JSON.parse(response.body)).toMatchObject({ amount: "1.00", reference });
    expect(response.headers.get("content-type")).toMatch(/^application\/json/);
    expect((await alice.transactions({ limit: 1 }).page()).data).toMatchObject([{ reference }]);
  });

  test("starts with a byte order mark", async () => {
    expect(codeOf(await post(`\ufeff${VALID}`))).toBe("202");
  });

  // serverless-offline replaces such bytes before our code, which would refuse them (request.test.ts), gets the body.
  test("has invalid UTF-8 in a string", async () => {
    for (const wrong of [
      [0xff, 0xfe],
      [0xc0, 0xaf],
      [0xed, 0xa0, 0x80],
    ]) {
      const body = bytes('{"currency":"USD","amount":"1.00","reference":"', wrong, '"}');
      expect(codeOf(await post(body))).toMatch(/^(202|400 malformed_json)$/);
      const inAmount = bytes('{"currency":"USD","amount":"1', wrong, '.00"}');
      expect(codeOf(await post(inAmount))).toMatch(/^(422 amount_invalid|400 malformed_json)$/);
    }
  });
});

describe("an invalid preference is ignored:", () => {
  test.each(["wait=0x10", "wait=٣", `wait${" ".repeat(10_000)}x`])("%s", async (prefer) => {
    const response = await post(VALID, { prefer });
    expect(response.status).toBe(202);
    expect(response.headers.has("preference-applied")).toBe(false);
  });
});

test("afterwards the balance is the sum of the accepted deposits", async () => {
  await posted(alice.deposit(movement("USD", "1.00")));
  const history = await Array.fromAsync(alice.transactions({ limit: 100 }));
  const sum = history.reduce((total, { amount }) => total + Number(amount), 0);
  expect(await balanceOf(alice, "USD")).toBe(sum.toFixed(2));
});
