import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import * as z from "zod";
import document from "../../docs/reference/openapi.json" with { type: "json" };
import { handler as balances } from "../../functions/balances.ts";
import { handler as commands } from "../../functions/commands.ts";
import { handler as holds } from "../../functions/holds.ts";
import { handler as statements } from "../../functions/statements.ts";
import { handler as transaction } from "../../functions/transaction.ts";
import { handler as transactions } from "../../functions/transactions.ts";
import { SELF_SERVICE } from "../../lib/http/permissions.ts";
import type { Response } from "../../lib/http/response.ts";
import { historySchema, promisedSchema } from "../../lib/http/schemas.ts";
import { serveKeySet } from "../../localstack/identityProvider.ts";
import { tokenOf } from "../../testkit/client.ts";
import { startEngines } from "../../testkit/engines.ts";
import { httpEvent, lambdaContext } from "../../testkit/events.ts";
import { consumeAll } from "../../testkit/queue.ts";

/** Who may do what: every caller on every route with a user, over the functions' handlers on real engines. */
const engines = await startEngines("dynoxide");
const keySet = await serveKeySet();
vi.stubEnv("JWT_JWKS_URL", keySet.url);
vi.stubEnv("JWT_ISSUER", "test");
vi.stubEnv("JWT_AUDIENCE", "antler");

afterAll(async () => {
  keySet.stop();
  await engines.stop();
});

const GET_HANDLERS = { balances, transactions, "transactions/{id}": transaction, holds, statements };
const MONEY = { currency: "USD", amount: "1.00" };
const BODIES = {
  deposits: MONEY,
  withdrawals: MONEY,
  transfers: { ...MONEY, to: "dave" },
  holds: MONEY,
  "holds/{id}/captures": {},
  "holds/{id}/releases": {},
  exchanges: { sell: MONEY, buy: { ...MONEY, currency: "EUR" } },
  "transactions/{id}/reversals": {},
  "status-changes": { status: "frozen" },
};

type Route = `GET ${keyof typeof GET_HANDLERS}` | `POST ${keyof typeof BODIES}`;

interface Caller {
  readonly user: string;
  readonly scope?: string;
  /** The setting of the stage. */
  readonly selfService?: string;
}

const CALLERS = {
  owner: { user: "alice" },
  "owner without self-service": { user: "alice", selfService: "none" },
  /** Some holds of alice's are promised to carol. */
  counterparty: { user: "carol" },
  /** Another hold of alice's is promised to bob. */
  "another user": { user: "bob", scope: "wallets:read" },
  admin: { user: "service", scope: "wallets:admin", selfService: "none" },
} satisfies Record<string, Caller>;

/** Ids of alice's transactions, by what they are. */
const ids: Record<string, string> = { nothing: `tx_${"a".repeat(43)}`, "no id": "tx_x" };

// In the order of the callers: owner, owner without self-service, counterparty, another user, admin.
const TABLE: readonly (readonly [Route, of: string, number, number, number, number, number])[] = [
  ["POST deposits", "", 202, 403, 403, 403, 202],
  ["POST withdrawals", "", 202, 403, 403, 403, 202],
  ["POST transfers", "", 202, 403, 403, 403, 202],
  ["POST holds", "", 202, 403, 403, 403, 202],
  ["POST exchanges", "", 403, 403, 403, 403, 202],
  ["POST status-changes", "", 403, 403, 403, 403, 202],

  ["POST holds/{id}/captures", "hold", 202, 202, 403, 403, 202],
  ["POST holds/{id}/captures", "promised hold", 403, 403, 202, 403, 202],
  ["POST holds/{id}/captures", "deposit", 404, 404, 403, 403, 404],
  ["POST holds/{id}/captures", "nothing", 404, 404, 403, 403, 404],
  ["POST holds/{id}/captures", "no id", 404, 404, 403, 403, 404],
  ["POST holds/{id}/releases", "hold", 202, 202, 403, 403, 202],
  ["POST holds/{id}/releases", "promised hold", 403, 403, 202, 403, 202],
  ["POST holds/{id}/releases", "capture by the counterparty", 404, 404, 403, 403, 404],
  ["POST holds/{id}/releases", "nothing", 404, 404, 403, 403, 404],
  ["POST holds/{id}/releases", "no id", 404, 404, 403, 403, 404],

  ["POST transactions/{id}/reversals", "credit of a transfer", 202, 202, 403, 403, 202],
  ["POST transactions/{id}/reversals", "credit of a capture", 202, 202, 403, 403, 202],
  ["POST transactions/{id}/reversals", "credit of a refund", 403, 403, 403, 403, 202],
  ["POST transactions/{id}/reversals", "deposit", 403, 403, 403, 403, 202],
  ["POST transactions/{id}/reversals", "hold", 403, 403, 403, 403, 202],
  ["POST transactions/{id}/reversals", "promised hold", 403, 403, 403, 403, 202],
  ["POST transactions/{id}/reversals", "capture by the counterparty", 403, 403, 403, 403, 202],
  ["POST transactions/{id}/reversals", "nothing", 404, 404, 403, 403, 404],
  ["POST transactions/{id}/reversals", "no id", 404, 404, 403, 403, 404],

  ["GET balances", "", 200, 200, 403, 403, 200],
  ["GET statements", "", 200, 200, 403, 403, 200],
  ["GET transactions", "", 200, 200, 403, 403, 200],
  ["GET holds", "", 200, 200, 403, 403, 200],
  ["GET transactions/{id}", "deposit", 200, 200, 403, 403, 200],
  ["GET transactions/{id}", "transfer to the counterparty", 200, 200, 403, 403, 200],
  ["GET transactions/{id}", "hold", 200, 200, 403, 403, 200],
  ["GET transactions/{id}", "capture of the hold", 200, 200, 403, 403, 200],
  ["GET transactions/{id}", "promised hold", 200, 200, 200, 403, 200],
  ["GET transactions/{id}", "capture by the counterparty", 200, 200, 200, 403, 200],
  ["GET transactions/{id}", "release by the counterparty", 200, 200, 200, 403, 200],
  ["GET transactions/{id}", "capture by an admin", 200, 200, 403, 403, 200],
  ["GET transactions/{id}", "nothing", 404, 404, 403, 403, 404],
  ["GET transactions/{id}", "no id", 404, 404, 403, 403, 404],
];

/** Calls the function of a route, as API Gateway does. */
async function call(
  route: Route,
  { user, scope, selfService = SELF_SERVICE.join(",") }: Caller,
  { userId = "alice", id, body }: { userId?: string; id?: string | undefined; body?: object } = {},
): Promise<Response> {
  vi.stubEnv("SELF_SERVICE", selfService);
  const [method, path] = splitRoute(route);
  const event = httpEvent({
    method,
    path: `/v1/users/{userId}/${path}`,
    pathParameters: { userId, ...(id !== undefined && { id }) },
    headers: { authorization: `Bearer ${await tokenOf(user, scope)}`, "idempotency-key": randomUUID() },
    query: path === "statements" ? { currency: "USD" } : undefined,
    ...(method === "POST" && { body: JSON.stringify({ ...find(BODIES, path), ...body }) }),
  });
  return method === "POST" ? commands(event, lambdaContext) : find(GET_HANDLERS, path)(event, lambdaContext);
}

function splitRoute(route: Route): readonly [method: string, path: string] {
  const [method = "", path = ""] = route.split(" ");
  return [method, path];
}

function find<T>(record: Readonly<Record<string, T>>, name: string): T {
  const found = record[name];
  if (found === undefined) throw new Error(`There is no ${name}`);
  return found;
}

/** Requests a movement, decides it and all that follows from it. @returns its id */
async function done(route: Route, ...given: Parameters<typeof call> extends [Route, ...infer Rest] ? Rest : never) {
  const { statusCode, body = "" } = await call(route, ...given);
  expect(statusCode, body).toBe(202);
  while ((await consumeAll(engines.queueUrl)) > 0);
  return z.object({ id: z.string() }).parse(JSON.parse(body)).id;
}

beforeAll(async () => {
  const { owner: alice, counterparty: carol, "another user": bob, admin } = CALLERS;
  const dave = { user: "dave" };
  for (const { user } of [alice, bob, carol, dave]) {
    const id = await done("POST deposits", admin, { userId: user, body: { amount: "100.00" } });
    if (user === alice.user) ids.deposit = id;
  }
  const promised = (to: string, userId = "alice") => done("POST holds", { user: userId }, { userId, body: { to } });

  ids.hold = await done("POST holds", alice);
  const captured = await done("POST holds", alice);
  ids["capture of the hold"] = await done("POST holds/{id}/captures", alice, { id: captured });

  ids["promised hold"] = await promised(carol.user);
  const part = { amount: "0.10", final: false };
  const shared = await promised(carol.user);
  ids["capture by the counterparty"] = await done("POST holds/{id}/captures", carol, { id: shared, body: part });
  ids["capture by an admin"] = await done("POST holds/{id}/captures", admin, { id: shared, body: part });
  ids["release by the counterparty"] = await done("POST holds/{id}/releases", carol, { id: shared });
  await promised(bob.user);

  ids["transfer to the counterparty"] = await done("POST transfers", alice, { body: { to: carol.user } });
  await done("POST transfers", dave, { userId: dave.user, body: { to: alice.user } });
  ids["credit of a transfer"] = await creditOf("transfer");
  const davesHold = await promised(alice.user, dave.user);
  await done("POST holds/{id}/captures", alice, { userId: dave.user, id: davesHold });
  ids["credit of a capture"] = await creditOf("capture");
  await done("POST transfers", alice, { body: { to: dave.user } });
  await done("POST transactions/{id}/reversals", dave, {
    userId: dave.user,
    id: await creditOf("transfer", dave.user),
  });
  ids["credit of a refund"] = await creditOf("reversal");
});

/** The newest credit of a wallet that this type of transaction caused. */
async function creditOf(type: string, userId = "alice"): Promise<string> {
  const { body = "" } = await call("GET transactions", CALLERS.admin, { userId });
  const credit = historySchema
    .parse(JSON.parse(body))
    .data.find((each) => each.type === "credit" && each.source.type === type);
  if (!credit) throw new Error(`${userId} has no credit of a ${type}`);
  return credit.id;
}

/** The id of a row, if its route has one. */
function idOf(what: string): string | undefined {
  return what === "" ? undefined : find(ids, what);
}

describe("who may do what", () => {
  test("is tried on every route with a user, the counterparty's commands included", () => {
    const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
      path.includes("{userId}")
        ? Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replace("/v1/users/{userId}/", "")}`)
        : [],
    );
    expect([...new Set(TABLE.map(([route]) => route))].sort()).toEqual(documented.sort());
  });

  test.each(TABLE)("%s: %s", async (route, what, ...statuses) => {
    const got: Record<string, number | undefined> = {};
    for (const [name, caller] of Object.entries(CALLERS)) {
      got[name] = (await call(route, caller, { id: idOf(what) })).statusCode;
    }
    expect(Object.values(got), Object.keys(got).join(", ")).toEqual(statuses);
  });

  test.each(SELF_SERVICE)(
    "with self-service of %s alone, a user's own token opens no other route",
    async (selfService) => {
      const own = { user: "alice", selfService };
      for (const name of SELF_SERVICE) {
        const { statusCode } = await call(`POST ${name}`, own);
        expect([name, statusCode]).toEqual([name, name === selfService ? 202 : 403]);
      }
    },
  );

  test("a token with wallets:admin acts in its own wallet as the owner where that may, and else as an admin", async () => {
    const both = { user: "alice", scope: "wallets:admin", selfService: "deposits" };
    const actorOf = async (route: Route) => JSON.parse((await call(route, both)).body ?? "").actor;
    expect([await actorOf("POST deposits"), await actorOf("POST withdrawals")]).toEqual(["owner", "admin"]);
  });
});

describe("who may send a batch", () => {
  const batch = async (caller: Caller, authorization?: string) => {
    vi.stubEnv("SELF_SERVICE", caller.selfService ?? SELF_SERVICE.join(","));
    const command = { type: "deposit", userId: caller.user, idempotencyKey: randomUUID(), ...MONEY };
    const event = httpEvent({
      method: "POST",
      path: "/v1/batches",
      headers: { authorization: authorization ?? `Bearer ${await tokenOf(caller.user, caller.scope)}` },
      body: JSON.stringify({ commands: [command] }),
    });
    return commands(event, lambdaContext);
  };

  test("only an operator, for any user's wallet", async () => {
    for (const [name, caller] of Object.entries<Caller>(CALLERS)) {
      const { statusCode, body = "" } = await batch(caller);
      expect([name, statusCode]).toEqual([name, caller.scope === "wallets:admin" ? 200 : 403]);
      if (statusCode === 200) expect(JSON.parse(body)).toMatchObject({ results: [{ status: 202 }] });
    }
    expect(await batch(CALLERS.admin, "")).toMatchObject({ statusCode: 401 });
  });
});

describe("what the counterparty of a hold sees", () => {
  test.each(["promised hold", "capture by the counterparty", "release by the counterparty"])(
    "of a %s is narrow",
    async (what) => {
      const { body = "" } = await call("GET transactions/{id}", CALLERS.counterparty, { id: find(ids, what) });
      expect(promisedSchema.parse(JSON.parse(body))).toMatchObject({ id: ids[what], status: "posted" });
    },
  );

  test.each(["captures", "releases"] as const)("in the answer to its %s is narrow", async (name) => {
    const { body = "" } = await call(`POST holds/{id}/${name}`, CALLERS.counterparty, {
      id: find(ids, "promised hold"),
    });
    expect(promisedSchema.parse(JSON.parse(body))).toMatchObject({ status: "pending" });
  });
});

describe("the 403 of a stranger", () => {
  const refusal = () => call("GET balances", CALLERS["another user"]);

  test("is the same on every route, whether what it asks for exists or not", async () => {
    const expected = await refusal();
    expect(expected.statusCode).toBe(403);
    for (const [route, what] of TABLE) {
      const id = idOf(what);
      for (const userId of ["alice", "nobody", "no user id", "u".repeat(3000), ".."]) {
        expect(await call(route, CALLERS["another user"], { userId, id }), `${route} ${what}`).toEqual(expected);
      }
    }
  });

  test("is the counterparty's too, outside of what is promised to it", async () => {
    const expected = await refusal();
    for (const [route, what, , , status] of TABLE) {
      if (status !== 403) continue;
      expect(await call(route, CALLERS.counterparty, { id: idOf(what) }), `${route} ${what}`).toEqual(expected);
    }
  });
});
