import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, describe, expect, test, vi } from "vitest";
import { dynamoDocuments } from "../../lib/aws/documents.ts";
import { awsEnvironment, readSettings } from "../../localstack/settings.ts";
import { clientOf, movement, newUser, once, posted, walletOf } from "../../testkit/client.ts";
import { readMetrics } from "../../testkit/metrics.ts";
import { sendRaw } from "../../testkit/queue.ts";
import { bearer, codeOf, rawClient } from "../../testkit/rawClient.ts";
import { startStack } from "../../testkit/stack.ts";

/** A stack that only this file uses, so that every count is known. */
const stack = await startStack({ LOG_LEVEL: "INFO" });
afterAll(() => stack.stop());
for (const [name, value] of Object.entries(awsEnvironment(readSettings(stack.environment)))) vi.stubEnv(name, value);
const commandsQueueUrl = `http://127.0.0.1:${stack.environment.AWS_PORT}/000000000000/antler-local-commands.fifo`;

const { request } = rawClient(stack.apiUrl);
const aWallet = (name: string) => walletOf(stack.apiUrl, newUser(name));
const usd = (amount: string) => movement("USD", amount);

const read = () => readMetrics(stack.environment.METRICS_PORT);

/** By how much a series has grown. */
function added(before: Map<string, number>, after: Map<string, number>, series: string): number {
  return (after.get(series) ?? 0) - (before.get(series) ?? 0);
}

const requests = (route: string, status: string) =>
  `antler_http_request_duration_seconds_count{route="${route}",status="${status}"}`;
const commands = (type: string, currency: string, outcome: string) =>
  `antler_commands_total{currency="${currency}",outcome="${outcome}",type="${type}"}`;
const DEPOSITS = "POST /v1/users/{userId}/deposits";
const WITHDRAWALS = "POST /v1/users/{userId}/withdrawals";

describe("the metrics for Prometheus", () => {
  test("count every request and every decision, exactly", async () => {
    const before = await read();
    const [alice, bob] = [aWallet("alice"), aWallet("bob")];
    const repeated = usd("71.93");
    const decided = [
      await posted(alice.deposit(repeated)),
      await posted(alice.deposit(usd("28.07"))),
      await posted(bob.deposit(movement("JPY", "7193"))),
      await posted(alice.withdraw(usd("40.00"))),
    ];
    expect(await alice.withdraw(usd("60.01"))).toMatchObject({ status: "rejected" });
    expect(await alice.withdraw(movement("EUR", "0.01"))).toMatchObject({ status: "rejected" });
    // None of these is decided.
    expect(await alice.deposit({ ...repeated, wait: 0 })).toMatchObject({ replayed: true });
    await expect(alice.deposit({ ...repeated, amount: "71.94" })).rejects.toMatchObject({ status: 422 });
    await expect(alice.deposit(movement("XXX", "1.00"))).rejects.toMatchObject({ status: 422 });
    const ofBob = clientOf(stack.apiUrl, alice.userId).wallet(bob.userId);
    await expect(ofBob.balances()).rejects.toMatchObject({ status: 403 });
    const unknown = await request("GET", `/v1/users/${alice.userId}/nothing/71.93`, await bearer(alice.userId));
    expect(codeOf(unknown)).toBe("404 not_found");
    await alice.balances();
    const after = await read();

    const counted = Object.fromEntries(
      [
        requests(DEPOSITS, "2xx"),
        requests(DEPOSITS, "4xx"),
        requests(WITHDRAWALS, "2xx"),
        requests(WITHDRAWALS, "4xx"),
        requests("GET /v1/users/{userId}/balances", "2xx"),
        requests("GET /v1/users/{userId}/balances", "4xx"),
        requests("$default", "4xx"),
        commands("deposit", "USD", "posted"),
        commands("deposit", "JPY", "posted"),
        commands("withdrawal", "USD", "posted"),
        commands("withdrawal", "USD", "rejected"),
        commands("withdrawal", "EUR", "rejected"),
        'antler_rejections_total{code="insufficient_funds"}',
        'antler_rejections_total{code="balance_limit"}',
        "antler_decision_delay_seconds_count",
        "antler_fold_commands_sum",
        "antler_batch_records_sum",
        "antler_failed_records_total",
      ].map((series) => [series, added(before, after, series)]),
    );
    expect(Object.values(counted), JSON.stringify(counted, undefined, 2)).toEqual([
      ...[4, 2, 1, 2, 1, 1, 1],
      ...[2, 1, 1, 1, 1],
      ...[2, 0],
      ...[6, 6, 6, 0],
    ]);

    // The histogram includes the delays that the transactions show.
    const histories = await Promise.all([alice, bob].map((user) => Array.fromAsync(user.transactions())));
    const postedDelays = decided.map(({ decidedAt, createdAt }) => Date.parse(decidedAt ?? "") - Date.parse(createdAt));
    const delaySeconds = added(before, after, "antler_decision_delay_seconds_sum");
    expect(histories.flat()).toHaveLength(6);
    expect(delaySeconds).toBeGreaterThanOrEqual(postedDelays.reduce((sum, each) => sum + each) / 1000 - 1e-6);
  });

  test("show the batch sizes, a dead-letter message with its reason, and the state of the queues", async () => {
    const alice = aWallet("alice");
    const before = await read();
    await Promise.all(Array.from({ length: 30 }, () => posted(alice.deposit(usd("1.00")))));
    const folded = await read();
    expect(added(before, folded, "antler_fold_commands_sum")).toBe(30);
    expect(added(before, folded, "antler_fold_commands_count")).toBeLessThan(30);

    await sendRaw(commandsQueueUrl, "alice", "{nonsense");
    await expect.poll(async () => (await read()).get('antler_dead_letters_total{reason="malformed"}')).toBe(1);
    await setTimeout(50);
    const after = await read();
    expect(after.get('antler_queue_messages{queue="dead_letters",state="waiting"}')).toBe(1);
    expect(after.get('antler_queue_oldest_message_age_seconds{queue="dead_letters"}')).toBeGreaterThan(0.04);
    expect(after.get('antler_queue_messages{queue="commands",state="waiting"}')).toBe(0);
    expect(after.get('antler_queue_oldest_message_age_seconds{queue="commands"}')).toBe(0);
  });

  test("count the credits that decisions emit, by source, and the holds that they close", async () => {
    const before = await read();
    const [alice, bob, full] = [aWallet("alice"), aWallet("bob"), aWallet("full")];
    const ten = () => usd("10.00");
    await posted(alice.deposit(usd("100.00")));
    await posted(bob.deposit(usd("1.00")));
    await posted(full.deposit(usd(`${"9".repeat(34)}.99`)));

    const { transfer } = await posted(alice.transfer({ ...ten(), to: bob.userId }));
    // A wallet at the limit rejects the credit, and the money returns.
    await posted(alice.transfer({ ...ten(), to: full.userId }));
    await posted(bob.reverse(transfer.creditId ?? "", { amount: "4.00", ...once() }));
    const promised = await posted(alice.hold({ ...ten(), to: bob.userId }));
    const own = await posted(alice.hold(ten()));
    await posted(alice.hold(ten()));
    // The first capture leaves the rest held. The second is not final either, but takes all that remains.
    const ofAlice = clientOf(stack.apiUrl, bob.userId).wallet(alice.userId);
    for (const amount of ["4.00", "6.00"]) {
      await posted(ofAlice.capture(promised.id, { amount, final: false, ...once() }));
    }
    await posted(alice.release(own.id, once()));
    const after = await read();

    const counted = (series: string) => added(before, after, series);
    expect(
      ["transfer", "capture", "reversal", "return"].map((source) =>
        counted(`antler_emitted_credits_total{source="${source}"}`),
      ),
    ).toEqual([2, 2, 1, 1]);
    expect([
      counted(commands("credit", "USD", "posted")),
      counted(commands("credit", "USD", "rejected")),
      counted(commands("hold", "USD", "posted")),
    ]).toEqual([5, 1, 3]);
    expect(
      ["captured", "released", "expired"].map((status) => counted(`antler_closed_holds_total{status="${status}"}`)),
    ).toEqual([1, 1, 0]);
  });

  test("show how late the holds are that the scheduled sweep expires", async () => {
    const alice = aWallet("alice");
    await posted(alice.deposit(usd("10.00")));
    const expiresAt = new Date(Date.now() + 1000).toISOString();
    const { id } = await posted(alice.hold({ ...usd("10.00"), expiresAt }));
    // The sweep can run right after the update: by then, the hold is more than a second late.
    await setTimeout(2500);
    await dynamoDocuments.send(
      new UpdateCommand({
        TableName: "antler-local-transactions",
        Key: { userId: alice.userId, id },
        UpdateExpression: "SET dueAt = :expiresAt",
        ExpressionAttributeValues: { ":expiresAt": expiresAt },
      }),
    );
    await expect
      .poll(() => alice.transaction(id), { timeout: 70_000, interval: 200 })
      .toMatchObject({ hold: { status: "expired", remaining: "0.00" } });
    await expect.poll(async () => (await read()).get('antler_closed_holds_total{status="expired"}')).toBe(1);
    await expect.poll(async () => (await read()).get("antler_oldest_expiry_seconds")).toBeGreaterThan(1);
    expect((await read()).get("antler_oldest_credit_seconds")).toBe(0);
  });

  test("have no user and no amount in a label", async () => {
    const carol = aWallet("carol");
    const { userId } = carol;
    await posted(carol.deposit({ ...usd("8080.91"), reference: "secret-reference" }));
    const headers = await bearer(userId);
    await request("GET", `/v1/elsewhere/${userId}`, headers);
    await request("GET", `/v1/users/${userId}/transactions/tx_${userId}`, headers);
    const labels = [...(await read()).keys()].filter((series) => series.startsWith("antler_")).join("\n");
    for (const secret of [userId, "8080", "secret-reference", "tx_"]) expect(labels).not.toContain(secret);
  });
});

describe("the log", () => {
  const log = () =>
    readFileSync(join(import.meta.dirname, `../../.antler/api-${stack.environment.API_PORT}/stack.log`), "utf8");

  /** Our own log entries. They are JSON; the emulator's are not. */
  function entriesWith(text: string): Record<string, unknown>[] {
    return log()
      .split("\n")
      .filter((line) => line.startsWith("{") && line.includes(text))
      .map((line) => JSON.parse(line));
  }

  function deposit(user: string, headers: Record<string, string>, body: string) {
    const all = { ...headers, "content-type": "application/json", "idempotency-key": "key-90210" };
    return request("POST", `/v1/users/${user}/deposits`, all, body);
  }

  test("has the request and the decision of a command under the request's id", async () => {
    const user = newUser("alice");
    const body = {
      currency: "USD",
      amount: "31337.42",
      reference: "secret-reference",
      metadata: { pin: "secret-pin" },
    };
    const response = await deposit(user, await bearer(user), JSON.stringify(body));
    const { id } = JSON.parse(response.body);
    const requestId = response.headers.get("x-request-id") ?? "";
    await expect.poll(() => entriesWith(requestId)).toHaveLength(2);
    const entries = entriesWith(requestId);
    expect(entries).toContainEqual(
      expect.objectContaining({ message: "request", requestId, transactionId: id, route: DEPOSITS, status: 202 }),
    );
    expect(entries).toContainEqual(
      expect.objectContaining({ message: "decided", requestId, transactionId: id, type: "deposit", status: "posted" }),
    );
  });

  test("contains no token, no body and no amount", async () => {
    const user = newUser("alice");
    const headers = await bearer(user);
    const body = { currency: "USD", amount: "31337.43", reference: "secret-reference" };
    const { id } = JSON.parse((await deposit(user, headers, JSON.stringify(body))).body);
    await walletOf(stack.apiUrl, user).settled(id);
    await deposit(user, headers, '{"amount": 31337.43');
    await sendRaw(commandsQueueUrl, "alice", '{"amountMinor":"3133743"');
    await expect.poll(() => entriesWith("dead-lettered").length).toBeGreaterThan(0);
    const text = log();
    const [, payload = "", signature = ""] = (headers.authorization ?? "").split(".");
    for (const secret of [payload, signature, "31337.4", "3133743", "secret-reference", "secret-pin", "key-90210"]) {
      expect(text).not.toContain(secret);
    }
  });
});
