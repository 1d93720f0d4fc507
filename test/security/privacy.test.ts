import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, inject, test } from "vitest";
import document from "../../docs/reference/openapi.json" with { type: "json" };
import { clientOf, movement, newUser, once, posted, walletOf } from "../../testkit/client.ts";
import { bearer, codeOf, type RawResponse } from "../../testkit/rawClient.ts";
import { attack } from "./attacker.ts";

/**
 * No user gets another user's data: every route of the OpenAPI document that names a user, with every id of the other
 * user. test/conventions/openapi.test.ts proves that the document has every route.
 */
const apiUrl = inject("apiUrl");
const bob = walletOf(apiUrl, newUser("bob"));
const mallory = newUser("mallory");
const carol = walletOf(apiUrl, newUser("carol"));
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
  for (const [currency, amount] of [
    ["USD", "98765.43"],
    ["EUR", "1212.34"],
    ["JPY", "7"],
  ] as const) {
    const command = { ...movement(currency, amount), ...texts };
    bobsKeys.push(command.idempotencyKey);
    bobsIds.push((await posted(bob.deposit(command))).id);
  }
  // A rejected transaction, and one that is pending or was decided a moment ago.
  await bob.withdraw({ ...movement("GBP", "1212.34"), ...texts });
  bobsIds.push((await bob.deposit({ ...movement("GBP", "1212.34"), ...texts, wait: 0 })).id);
  // Carol sees the credit of the transfer, and the hold that is promised to her.
  await carol.deposit({ ...movement("GBP", "777.77"), reference: "carol's invoice" });
  await bob.transfer({ ...movement("EUR", "3.21"), ...texts, to: carol.userId });
  await bob.hold({ ...movement("EUR", "1.23"), ...texts, to: carol.userId });
  for await (const { id } of bob.transactions()) if (!bobsIds.includes(id)) bobsIds.push(id);
  bobsCursors.push((await bob.transactions({ limit: 1 }).page()).nextCursor ?? "");
});

const BODY = JSON.stringify({ currency: "USD", amount: "1.00" });

function call(method: string, path: string, headers: Record<string, string>): Promise<RawResponse> {
  const more = { "content-type": "application/json", "idempotency-key": randomUUID(), prefer: "wait=5" };
  return method === "POST" ? attack(method, path, { ...more, ...headers }, BODY) : attack(method, path, headers);
}

/** The path with the user and, if it has an id, with each id of bob. */
function paths(template: string, user: string): string[] {
  const path = template.replace("{userId}", user);
  return path.includes("{id}") ? bobsIds.map((id) => path.replace("{id}", id)) : [path];
}

function expectNothingOfBob(response: RawResponse): void {
  for (const secret of [...SECRETS, ...bobsIds, bob.userId]) expect(response.text).not.toContain(secret);
}

test("the attacks have routes and ids to try", () => {
  expect(routes.length).toBeGreaterThanOrEqual(5);
  expect(bobsIds.length).toBeGreaterThanOrEqual(5);
});

describe.each(routes)("%s %s", (method, template) => {
  test("of another user is forbidden with every id, and shows nothing", async () => {
    const { sequence } = await bob.balances();
    const headers = await bearer(mallory);
    for (const path of paths(template, bob.userId)) {
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
    const [known = ""] = paths(template, bob.userId);
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
      for (const value of [bob.userId, ...bobsIds, ...bobsCursors]) {
        expectNothingOfBob(await call(method, `${own}?${name}=${value}`, headers));
      }
    }
  });

  test("without a token, or with an empty one, is refused", async () => {
    for (const headers of [{}, { authorization: "" }, { authorization: "Bearer" }]) {
      for (const path of paths(template, bob.userId)) {
        const response = await call(method, path, headers);
        expect(codeOf(response)).toBe("401 unauthorized");
        expectNothingOfBob(response);
      }
    }
  });

  test("by any other method shows nothing", async () => {
    const headers = await bearer(mallory);
    for (const other of ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"]) {
      for (const path of paths(template, bob.userId)) {
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
    const {
      data: [hold],
    } = await bob.holds().page();
    const holdId = hold?.id ?? "";
    const ofBob = clientOf(apiUrl, carol.userId).wallet(bob.userId);
    const answers = [
      await Array.fromAsync(carol.transactions()),
      await carol.statement({ currency: "EUR" }).page(),
      await ofBob.transaction(holdId),
      await ofBob.capture(holdId, { amount: "0.23", final: false, ...once() }),
      await ofBob.capture(holdId, { amount: "9.99", ...once() }),
    ];
    const text = JSON.stringify(answers);
    expect(text).toContain("3.21");
    for (const secret of [...SECRETS, "1208.90"]) expect(text).not.toContain(secret);
  });

  test("the sender sees nothing of the receiver's wallet", async () => {
    const lists = [bob.transactions(), bob.holds(), bob.statement({ currency: "EUR" })];
    const text = JSON.stringify(await Promise.all(lists.map((list) => Array.fromAsync<unknown>(list))));
    expect(text).toContain(carol.userId);
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
