import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, inject, test } from "vitest";
import {
  balancesSchema,
  batchSchema,
  currenciesSchema,
  historySchema,
  problemSchema,
  promisedSchema,
  statementSchema,
  transactionSchema,
} from "../../lib/http/schemas.ts";
import { clientOf, movement, newUser, once, posted, walletOf } from "../../testkit/client.ts";
import { bearer, codeOf, type RawResponse, rawClient } from "../../testkit/rawClient.ts";

/** Requests and responses as HTTP. ledger.test.ts tests what the ledger does, through the client. */

const apiUrl = inject("apiUrl");
const { request } = rawClient(apiUrl);
const [alice, bob] = [newUser("alice"), newUser("bob")];
const [asAlice, asBob] = [await bearer(alice), await bearer(bob)];
const ofAlice = `/v1/users/${alice}`;
const UNKNOWN_ID = `tx_${"a".repeat(43)}`;
const valid = { currency: "USD", amount: "1.00" };
const VALID = JSON.stringify(valid);

const headersOfPost = () => ({ "content-type": "application/json", "idempotency-key": randomUUID() });
const get = (path: string) => request("GET", `${ofAlice}/${path}`, asAlice);
const bodyOf = ({ body }: RawResponse): unknown => JSON.parse(body);
const problemIn = (response: RawResponse) => problemSchema.parse(bodyOf(response));

function deposit(body: string | Uint8Array, headers: Record<string, string> = {}) {
  return request("POST", `${ofAlice}/deposits`, { ...headersOfPost(), ...asAlice, ...headers }, body);
}

describe("a command", () => {
  test("gets 202 and the Location of its transaction; with a wait for the outcome 201", async () => {
    const accepted = await deposit(VALID);
    expect(codeOf(accepted)).toBe("202");
    const { id } = transactionSchema.parse(bodyOf(accepted));
    const location = `${ofAlice}/transactions/${id}`;
    expect(accepted.headers.get("location")).toBe(location);
    expect(codeOf(await request("GET", location, asAlice))).toBe("200");

    const decided = await deposit(VALID, { prefer: "wait=10" });
    expect([codeOf(decided), decided.headers.get("preference-applied")]).toEqual(["201", "wait=10"]);
    expect(transactionSchema.parse(bodyOf(decided)).status).toBe("posted");
  });

  test("that is rejected gets 422 and the transaction", async () => {
    const rejected = await deposit(JSON.stringify({ currency: "JPY", amount: "9".repeat(36) }), { prefer: "wait=10" });
    expect(codeOf(rejected)).toBe("201");
    const response = await deposit(JSON.stringify({ currency: "JPY", amount: "1" }), { prefer: "wait=10" });
    expect(codeOf(response)).toBe("422 balance_limit");
    expect(problemIn(response)).toMatchObject({ transaction: { status: "rejected", postings: [] } });
  });

  test("that is repeated gets the header idempotency-replayed", async () => {
    const key = { "idempotency-key": randomUUID() };
    expect((await deposit(VALID, key)).headers.get("idempotency-replayed")).toBeUndefined();
    const repeated = await deposit(VALID, key);
    expect([codeOf(repeated), repeated.headers.get("idempotency-replayed")]).toEqual(["202", "true"]);
    const reused = await deposit(JSON.stringify({ ...valid, amount: "2.00" }), key);
    expect(codeOf(reused)).toBe("422 idempotency_key_reused");
  });
});

describe("a response has what its schema says, and nothing else:", () => {
  const [carol, shop] = [newUser("carol"), newUser("shop")];
  let holdId = "";

  beforeAll(async () => {
    const [wallet, admin] = [walletOf(apiUrl, carol), clientOf(apiUrl, newUser("ops"), "wallets:admin").wallet(carol)];
    const usd = (amount: string) => movement("USD", amount);
    await posted(walletOf(apiUrl, shop).deposit(usd("1.00")));
    await posted(wallet.deposit({ ...usd("20.00"), reference: "salary", metadata: { month: "11" } }));
    await wallet.withdraw(usd("99.00"));
    const { id } = await posted(wallet.transfer({ ...usd("2.00"), to: shop }));
    const [credit] = await Array.fromAsync(walletOf(apiUrl, shop).transactions({ type: "credit" }));
    expect(credit).toMatchObject({ source: { transactionId: id } });
    await posted(walletOf(apiUrl, shop).reverse(credit?.id ?? "", once()));
    ({ id: holdId } = await posted(wallet.hold({ ...usd("3.00"), to: shop })));
    await posted(
      clientOf(apiUrl, shop)
        .wallet(carol)
        .capture(holdId, { amount: "1.00", final: false, ...once() }),
    );
    const own = await posted(wallet.hold(usd("1.00")));
    await posted(wallet.release(own.id, once()));
    await posted(admin.exchange({ sell: valid, buy: { currency: "EUR", amount: "0.90" }, ...once() }));
    await posted(admin.changeStatus({ status: "frozen", ...once() }));
  });

  test.each([
    ["balances", balancesSchema],
    ["transactions", historySchema],
    ["holds", historySchema],
    ["statements?currency=USD", statementSchema],
  ])("%s", async (path, schema) => {
    const response = await request("GET", `/v1/users/${carol}/${path}`, await bearer(carol));
    expect(schema.safeParse(bodyOf(response)).error).toBeUndefined();
  });

  test("a promised hold, a batch, and the currencies", async () => {
    const hold = await request("GET", `/v1/users/${carol}/transactions/${holdId}`, await bearer(shop));
    expect(promisedSchema.safeParse(bodyOf(hold)).error).toBeUndefined();
    const command = { type: "deposit", userId: carol, idempotencyKey: randomUUID(), ...valid };
    const headers = { "content-type": "application/json", ...(await bearer("service", "wallets:admin")) };
    const commands = [command, { ...command, amount: "0.00" }];
    const batch = await request("POST", "/v1/batches", headers, JSON.stringify({ commands }));
    expect(batchSchema.safeParse(bodyOf(batch)).error).toBeUndefined();
    const currencies = await request("GET", "/v1/currencies");
    expect(currenciesSchema.safeParse(bodyOf(currencies)).error).toBeUndefined();
  });

  test("a statement as CSV, whose Link leads to the next page", async () => {
    const headers = { ...(await bearer(carol)), accept: "text/csv" };
    const path = `/v1/users/${carol}/statements`;
    const first = await request("GET", `${path}?currency=USD&limit=4`, headers);
    expect(first.headers.get("content-type")).toMatch(/^text\/csv/);
    const [, next = ""] = /^<(.+)>; rel="next"$/.exec(first.headers.get("link") ?? "") ?? [];
    const last = await request("GET", `${path}${next}`, headers);
    expect(codeOf(last)).toBe("200");
  });
});

describe("privacy", () => {
  test.each([
    ["GET", "balances"],
    ["GET", "transactions"],
    ["GET", `transactions/${UNKNOWN_ID}`],
    ["POST", "deposits"],
    ["POST", "withdrawals"],
  ])("%s %s of another user is forbidden, whether the user exists or not", async (method, path) => {
    await walletOf(apiUrl, bob).deposit(movement("USD", "5.00"));
    for (const user of [bob, newUser("missing")]) {
      const headers = method === "POST" ? { ...headersOfPost(), ...asAlice } : asAlice;
      const body = method === "POST" ? VALID : undefined;
      expect(codeOf(await request(method, `/v1/users/${user}/${path}`, headers, body))).toBe("403 forbidden");
    }
  });

  test("a transaction of another user is not found in the own wallet", async () => {
    const { id } = await walletOf(apiUrl, bob).deposit(movement("USD", "5.00"));
    expect(codeOf(await request("GET", `/v1/users/${bob}/transactions/${id}`, asBob))).toBe("200");
    expect(codeOf(await get(`transactions/${id}`))).toBe("404 not_found");
  });

  test("a token with the scope wallets:admin may act for any user", async () => {
    const service = clientOf(apiUrl, "decision-service", "other wallets:admin");
    expect(await posted(service.wallet(bob).deposit(movement("USD", "1.00")))).toMatchObject({ userId: bob });
  });

  test("a missing or forged token is refused with a challenge", async () => {
    for (const authorization of ["", "Bearer x.y.z", "Basic YTpi"]) {
      const response = await request("GET", `${ofAlice}/balances`, { authorization });
      expect(codeOf(response)).toBe("401 unauthorized");
      expect(response.headers.get("www-authenticate")).toContain("Bearer");
    }
  });
});

describe("an invalid request", () => {
  test.each([
    ["malformed JSON", "{", "400 malformed_json"],
    ["no body", "", "400 malformed_json"],
    ["an array", "[]", "422 validation_failed"],
    ["a missing field", JSON.stringify({ currency: "USD" }), "422 validation_failed"],
    ["an unknown field", JSON.stringify({ ...valid, user: "bob" }), "422 validation_failed"],
    ["a JSON number for the amount", '{"currency":"USD","amount":1}', "422 validation_failed"],
    ["an unknown currency", JSON.stringify({ ...valid, currency: "XXX" }), "422 unknown_currency"],
    ["more decimals than the currency", JSON.stringify({ ...valid, amount: "1.001" }), "422 amount_scale"],
    ["a zero amount", JSON.stringify({ ...valid, amount: "0.00" }), "422 amount_zero"],
    ["a negative amount", JSON.stringify({ ...valid, amount: "-1.00" }), "422 amount_invalid"],
    ["an amount in exponent form", JSON.stringify({ ...valid, amount: "1e2" }), "422 amount_invalid"],
    ["an amount over the limit", JSON.stringify({ ...valid, amount: "9".repeat(37) }), "422 amount_limit"],
    ["a body over 16 KB", JSON.stringify({ ...valid, reference: "x".repeat(16_384) }), "413 payload_too_large"],
  ])("with %s is refused, and nothing is stored", async (_name, body, code) => {
    const key = { "idempotency-key": randomUUID() };
    expect(codeOf(await deposit(body, key))).toBe(code);
    const retried = await deposit(VALID, key);
    expect([codeOf(retried), retried.headers.get("idempotency-replayed")]).toEqual(["202", undefined]);
  });

  test("gets a JSON pointer to each wrong field", async () => {
    const { errors } = problemIn(await deposit('{"currency":"USD","amount":1,"metadata":{"a":2}}'));
    expect(errors?.map(({ pointer }) => pointer)).toEqual(["/amount", "/metadata/a"]);
  });

  test("with another content type is refused", async () => {
    expect(codeOf(await deposit(VALID, { "content-type": "text/plain" }))).toBe("415 unsupported_media_type");
  });

  test("without an Idempotency-Key, or with one that is too long, is refused", async () => {
    const withKey = async (key: string) => codeOf(await deposit(VALID, { "idempotency-key": key }));
    expect(await withKey("")).toBe("400 idempotency_key_required");
    expect(await withKey("k".repeat(256))).toBe("400 idempotency_key_invalid");
  });

  test("for an invalid page is refused", async () => {
    for (const query of [
      ...["limit=0", "limit=101", "limit=x", "limit=0x10", "limit=1e1", "limit=%201", "limit=%2B1", "limit="],
      ...["status=pending", "unknown=1"],
    ]) {
      expect(codeOf(await get(`transactions?${query}`))).toBe("422 validation_failed");
    }
    for (const query of ["limit=0", "status=posted"]) {
      expect(codeOf(await get(`holds?${query}`))).toBe("422 validation_failed");
    }
    for (const list of ["transactions", "holds"]) {
      expect(codeOf(await get(`${list}?cursor=made-up`))).toBe("400 invalid_cursor");
    }
    expect(codeOf(await get("transactions?currency=XXX"))).toBe("422 unknown_currency");
  });

  test("for an unknown path or id gets 404", async () => {
    expect(codeOf(await request("GET", "/v1/nothing", asAlice))).toBe("404 not_found");
    expect(codeOf(await get("transactions/tx_x"))).toBe("404 not_found");
    expect(codeOf(await get(`transactions/${UNKNOWN_ID}`))).toBe("404 not_found");
  });

  test("gets the request's id", async () => {
    const response = await request("GET", "/v1/nothing");
    expect(problemIn(response).requestId).toBe(response.headers.get("x-request-id"));
  });
});

describe("without a token", () => {
  const read = (path: string) => request("GET", path);

  test("health, currencies and the OpenAPI document can be read", async () => {
    expect(bodyOf(await read("/v1/health"))).toEqual({ status: "ok" });
    expect(codeOf(await read("/v1/currencies"))).toBe("200");
    expect(bodyOf(await read("/openapi.json"))).toMatchObject({ openapi: expect.stringMatching(/^3\.1/) });
  });

  test("the documentation page and all its assets can be read", async () => {
    const { body } = await read("/docs");
    const assets = [...body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path);
    expect(assets.length).toBeGreaterThan(0);
    for (const asset of assets) {
      expect(asset).not.toMatch(/^(https?:)?\/\//);
      expect(codeOf(await read(`/${asset}`))).toBe("200");
    }
  });

  // The emulator of test:deploy serves /docs/ as /docs and hides the slash from the function.
  test.skipIf(process.env.API_URL)("/docs/ redirects to /docs", async () => {
    const { status, headers } = await read("/docs/");
    expect([status, headers.get("location")]).toEqual([308, "../docs"]);
  });
});
