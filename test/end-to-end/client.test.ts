import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { expect, inject, onTestFinished, test } from "vitest";
import { ADMIN_SCOPE } from "../../lib/http/authenticate.ts";
import {
  AntlerError,
  createClient,
  verifyHistory,
  verifyWebhook,
  type WebhookEvent,
} from "../../packages/client/src/index.ts";
import { clientOf, newUser, once, walletOf } from "../../testkit/client.ts";
import { listenForTest } from "../../testkit/perTest.ts";

const apiUrl = inject("apiUrl");
const [aliceId, shopId] = [newUser("alice"), newUser("shop")];
const operator = clientOf(apiUrl, newUser("ops"), ADMIN_SCOPE);
const alice = walletOf(apiUrl, aliceId);
const usd = (amount: string) => ({ currency: "USD", amount });
const posted = { status: "posted", replayed: false };

test("the client makes every call of a wallet", async () => {
  const ofOperator = operator.wallet(aliceId);
  await walletOf(apiUrl, shopId).deposit({ ...usd("1.00"), ...once() });

  const command = { ...usd("100.00"), reference: "salary", metadata: { month: "11" }, ...once() };
  const deposit = await alice.deposit(command);
  expect(deposit).toMatchObject({ ...posted, type: "deposit", reference: "salary", metadata: { month: "11" } });
  expect(await alice.deposit(command)).toEqual({ ...deposit, replayed: true });
  await expect(alice.deposit({ ...command, amount: "1.00" })).rejects.toMatchObject({
    ...{ code: "idempotency_key_reused", status: 422, requestId: expect.any(String) },
  });
  expect(await alice.withdraw({ ...usd("1.00"), ...once() })).toMatchObject(posted);
  const rejected = await alice.withdraw({ ...usd("1000.00"), ...once() });
  expect(rejected).toMatchObject({ status: "rejected", rejection: { code: "insufficient_funds" }, replayed: false });

  const pending = await alice.transfer({ ...usd("5.00"), to: shopId, ...once(), wait: 0 });
  expect(await alice.settled(pending.id)).toMatchObject({ status: "posted", transfer: { status: "credited" } });

  const own = await alice.hold({ ...usd("10.00"), ...once() });
  expect(await Array.fromAsync(alice.holds())).toMatchObject([{ id: own.id, hold: { status: "open" } }]);
  expect(await alice.capture(own.id, { amount: "4.00", final: false, ...once() })).toMatchObject(posted);
  expect(await alice.release(own.id, once())).toMatchObject({ ...posted, amount: "6.00" });
  const promised = await alice.hold({ ...usd("3.00"), to: shopId, ...once() });
  const asShop = clientOf(apiUrl, shopId).wallet(aliceId);
  const capture = await asShop.capture(promised.id, once());
  expect(capture).toMatchObject({ ...posted, transfer: { to: shopId, status: "credited" } });
  expect(capture).not.toHaveProperty("postings");
  expect(await asShop.transaction(promised.id)).toMatchObject({ hold: { status: "captured" } });

  const exchange = { sell: usd("20.00"), buy: { currency: "EUR", amount: "18.00" }, ...once() };
  expect(await ofOperator.exchange(exchange)).toMatchObject({ ...posted, actor: "admin" });
  expect(await ofOperator.reverse(deposit.id, { amount: "7.00", ...once() })).toMatchObject(posted);
  for (const status of ["frozen", "active"] as const) {
    expect(await ofOperator.changeStatus({ status, ...once() })).toMatchObject({ ...posted, newStatus: status });
  }

  const balances = await alice.balances();
  expect(balances.balances).toContainEqual({ currency: "USD", amount: "60.00", held: "0.00", available: "60.00" });
  const early = await alice.balances({ at: deposit.createdAt });
  expect(early).toMatchObject({ sequence: 0 });

  const history = await Array.fromAsync(alice.transactions({ limit: 5 }));
  expect(history).toHaveLength(balances.sequence);
  expect(await verifyHistory(alice.transactions())).toEqual({
    ...{ isValid: true, decisions: balances.sequence, head: balances.hash },
  });
  const { data, nextCursor } = await alice.transactions({ type: "hold", status: "posted", limit: 1 }).page();
  expect(data).toMatchObject([{ id: promised.id }]);
  expect(await Array.fromAsync(alice.transactions({ type: "hold", cursor: nextCursor ?? "" }))).toMatchObject([
    { id: own.id },
  ]);

  const lines = await Array.fromAsync(alice.statement({ currency: "USD", limit: 3 }));
  expect(lines.at(-1)).toMatchObject({ debit: "7.00", balance: "60.00" });
  const csv = (await Array.fromAsync(alice.statementCsv({ currency: "USD", limit: 3 }))).join("");
  const ids = csv
    .trimEnd()
    .split("\r\n")
    .map((row) => row.split(",")[2]);
  expect(ids).toEqual(["id", ...lines.map(({ id }) => id)]);
});

test("a batch has a result for each command", async () => {
  const userId = newUser("batch");
  const command = { type: "deposit", userId, ...usd("1.00"), idempotencyKey: "1" } as const;
  const results = await operator.batch([command, { ...command, amount: "1.001", idempotencyKey: "2" }]);
  expect(results).toMatchObject([
    { status: 202, transaction: { userId, amount: "1.00" } },
    { status: 422, problem: { code: "amount_scale", errors: [{ pointer: "/commands/1/amount" }] } },
  ]);
});

test("currencies and health need no token", async () => {
  const client = createClient({ apiUrl });
  expect(await client.currencies()).toContainEqual({ code: "JPY", name: "Japanese yen", exponent: 0 });
  expect(await client.health()).toEqual({ status: "ok" });
  const refused = client.wallet("alice").balances();
  await expect(refused).rejects.toThrow(AntlerError);
  await expect(refused).rejects.toMatchObject({ code: "unauthorized", status: 401 });
});

test("the client makes every call of the webhook endpoints, and verifies what they receive", async () => {
  const { webhooks } = operator;
  const received = Promise.withResolvers<{ event: WebhookEvent; webhookId: unknown }>();
  let secret = "";
  const server = createServer(async (request, response) => {
    const { headers } = request;
    verifyWebhook({ body: await text(request), headers, secret }).then(
      (event) => received.resolve({ event, webhookId: headers["webhook-id"] }),
      received.reject,
    );
    response.end();
  });
  const port = await listenForTest(server);
  const created = await webhooks.create({ url: `http://localhost:${port}/`, types: ["expiry"], description: "test" });
  const { id } = created;
  onTestFinished(async () => {
    await webhooks.delete(id).catch(() => {});
  });
  secret = created.secret;
  const sent = await webhooks.sendTestEvent(id);
  const { event, webhookId } = await received.promise;
  expect(event).toMatchObject({ id: sent.eventId, type: "antler.test", data: { endpointId: id } });
  expect(webhookId).toBe(sent.webhookId);

  expect((await webhooks.list()).map((endpoint) => endpoint.id)).toContain(id);
  expect(await webhooks.get(id)).toMatchObject({ id, status: "enabled", types: ["expiry"] });
  expect(await webhooks.update(id, { description: null })).toMatchObject({ description: null });
  expect(await webhooks.disable(id)).toMatchObject({ status: "disabled" });
  expect(await webhooks.enable(id)).toMatchObject({ status: "enabled" });
  expect((await webhooks.rotateSecret(id)).secret).not.toBe(secret);
  expect(await webhooks.delete(id)).toBeUndefined();
  await expect(webhooks.get(id)).rejects.toMatchObject({ code: "not_found", status: 404 });
});
