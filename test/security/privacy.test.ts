import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, inject, test } from "vitest";
import document from "../../docs/reference/openapi.json" with { type: "json" };
import { Client, newUser, transactionIn } from "../../testkit/client.ts";
import { attack, bearer, codeOf, type RawResponse } from "./attacker.ts";

/**
 * No user gets another user's data: every route of the OpenAPI document that names a user, with every id of the other
 * user. test/conventions/openapi.test.ts proves that the document has every route.
 */
const apiUrl = inject("apiUrl");
const bob = new Client(apiUrl, newUser("bob"));
const mallory = newUser("mallory");
const carol = new Client(apiUrl, newUser("carol"));
/** The amounts are balances of bob's, before and after a transfer to carol. */
const SECRETS = ["98765.43", "1212.34", "1209.13", "bob's invoice", "bob's order"];
const bobsIds: string[] = [];
const bobsKeys: string[] = [];
const bobsCursors: string[] = [];

const routes = Object.entries(document.paths).flatMap(([path, operations]) =>
  path.includes("{userId}") ? Object.keys(operations).map((method) => [method.toUpperCase(), path] as const) : [],
);

beforeAll(async () => {
  const texts = { reference: "bob's invoice", metadata: { order: "bob's order" } };
  const options = { ...texts, wait: 10 };
  for (const [currency, amount] of [
    ["USD", "98765.43"],
    ["EUR", "1212.34"],
    ["JPY", "7"],
  ] as const) {
    const key = randomUUID();
    bobsKeys.push(key);
    bobsIds.push(transactionIn(await bob.deposit(currency, amount, { ...options, key }), 201).id);
  }
  // A rejected transaction, and one that is pending or was decided a moment ago.
  await bob.withdraw("GBP", "1212.34", options);
  bobsIds.push(transactionIn(await bob.deposit("GBP", "1212.34", texts), 202).id);
  // Carol sees the credit of the transfer, and the hold that is promised to her.
  await carol.deposit("GBP", "777.77", { wait: 10, reference: "carol's invoice" });
  await bob.post("transfers", { to: carol.user, currency: "EUR", amount: "3.21" }, options);
  await bob.post("holds", { to: carol.user, currency: "EUR", amount: "1.23" }, options);
  for (const { id } of (await bob.history()).data) if (!bobsIds.includes(id)) bobsIds.push(id);
  bobsCursors.push((await bob.history({ limit: "1" })).nextCursor ?? "");
});

const movement = JSON.stringify({ currency: "USD", amount: "1.00" });

function call(method: string, path: string, headers: Record<string, string>): Promise<RawResponse> {
  const more = { "content-type": "application/json", "idempotency-key": randomUUID(), prefer: "wait=5" };
  return method === "POST" ? attack(method, path, { ...more, ...headers }, movement) : attack(method, path, headers);
}

/** The path with the user and, if it has an id, with each id of bob. */
function paths(template: string, user: string): string[] {
  const path = template.replace("{userId}", user);
  return path.includes("{id}") ? bobsIds.map((id) => path.replace("{id}", id)) : [path];
}

function expectNothingOfBob(response: RawResponse): void {
  for (const secret of [...SECRETS, ...bobsIds, bob.user]) expect(response.text).not.toContain(secret);
}

test("the attacks have routes and ids to try", () => {
  expect(routes.length).toBeGreaterThanOrEqual(5);
  expect(bobsIds.length).toBeGreaterThanOrEqual(5);
});

describe.each(routes)("%s %s", (method, template) => {
  test("of another user is forbidden with every id, and shows nothing", async () => {
    const { sequence } = await bob.balances();
    const headers = await bearer(mallory);
    for (const path of paths(template, bob.user)) {
      const response = await call(method, path, headers);
      expect(codeOf(response)).toBe("403 forbidden");
      expectNothingOfBob(response);
    }
    expect((await bob.balances()).sequence).toBe(sequence);
  });

  test("of an existing user and of a user that does not exist get the same response", async () => {
    const headers = await bearer(mallory);
    const strip = ({ headers, body }: RawResponse) => {
      const { requestId: _, ...problem } = JSON.parse(body);
      return { problem, names: [...headers.keys()], length: body.length };
    };
    const [known = ""] = paths(template, bob.user);
    const [unknown = ""] = paths(template, newUser("bob"));
    expect(strip(await call(method, known, headers))).toEqual(strip(await call(method, unknown, headers)));
  });

  test("of the own user, with another user's ids, shows nothing", async () => {
    const headers = await bearer(mallory);
    for (const path of paths(template, mallory)) {
      const response = await call(method, path, headers);
      expectNothingOfBob(response);
      if (template.includes("{id}")) expect(codeOf(response)).toBe("404 not_found");
    }
  });

  test("with the other user, ids and cursor in the query shows nothing of the other user", async () => {
    const headers = await bearer(mallory);
    const [own = ""] = paths(template, mallory);
    const names = ["userId", "user", "sub", "owner", "id", "cursor", "account"];
    for (const name of names) {
      for (const value of [bob.user, ...bobsIds, ...bobsCursors]) {
        expectNothingOfBob(await call(method, `${own}?${name}=${value}`, headers));
      }
    }
  });

  test("without a token, or with an empty one, is refused", async () => {
    for (const headers of [{}, { authorization: "" }, { authorization: "Bearer" }]) {
      for (const path of paths(template, bob.user)) {
        const response = await call(method, path, headers);
        expect(codeOf(response)).toBe("401 unauthorized");
        expectNothingOfBob(response);
      }
    }
  });

  test("by any other method shows nothing", async () => {
    const headers = await bearer(mallory);
    for (const other of ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"]) {
      for (const path of paths(template, bob.user)) {
        const response = await attack(other, path, headers);
        expect(response.status).toBeGreaterThanOrEqual(400);
        expect(response.status).toBeLessThan(500);
        expectNothingOfBob(response);
      }
    }
  });
});

describe("between the sender and the receiver of money", () => {
  test("the receiver sees neither the sender's balances nor the reference and metadata", async () => {
    const [hold] = (await bob.holds()).data;
    const answers = [
      await carol.history(),
      await carol.statement({ currency: "EUR" }),
      await carol.get(`transactions/${hold?.id}`, bob.user),
      await carol.post(`holds/${hold?.id}/captures`, { amount: "0.23", final: false }, { wait: 10 }, bob.user),
      await carol.post(`holds/${hold?.id}/captures`, { amount: "9.99" }, { wait: 10 }, bob.user),
    ];
    const text = JSON.stringify(answers);
    expect(text).toContain("3.21");
    for (const secret of [...SECRETS, "1208.90"]) expect(text).not.toContain(secret);
  });

  test("the sender sees nothing of the receiver's wallet", async () => {
    const text = JSON.stringify([await bob.fullHistory(), await bob.holds(), await bob.statement({ currency: "EUR" })]);
    expect(text).toContain(carol.user);
    for (const secret of ["777.77", "carol's invoice"]) expect(text).not.toContain(secret);
  });
});

test("the Idempotency-Key of another user makes a new transaction of the own user", async () => {
  const { sequence } = await bob.balances();
  for (const key of bobsKeys) {
    const response = await call("POST", `/v1/users/${mallory}/deposits`, {
      ...(await bearer(mallory)),
      "idempotency-key": key,
    });
    expect(response.status).toBe(201);
    expect(response.headers.has("idempotency-replayed")).toBe(false);
    expectNothingOfBob(response);
  }
  expect((await bob.balances()).sequence).toBe(sequence);
});
