import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, describe, expect, test, vi } from "vitest";
import { dynamoDocuments } from "../../lib/aws/documents.ts";
import { awsEnvironment, readSettings } from "../../localstack/settings.ts";
import { Client, newUser, problemIn, tokenOf, transactionIn } from "../../testkit/client.ts";
import { readMetrics } from "../../testkit/metrics.ts";
import { sendRaw } from "../../testkit/queue.ts";
import { startStack } from "../../testkit/stack.ts";

/** A stack that only this file uses, so that every count is known. */
const stack = await startStack({ LOG_LEVEL: "INFO" });
afterAll(() => stack.stop());
for (const [name, value] of Object.entries(awsEnvironment(readSettings(stack.environment)))) vi.stubEnv(name, value);
const commandsQueueUrl = `http://127.0.0.1:${stack.environment.AWS_PORT}/000000000000/antler-local-commands.fifo`;

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
    const alice = new Client(stack.apiUrl, newUser("alice"));
    const bob = new Client(stack.apiUrl, newUser("bob"));
    const decided = [
      transactionIn(await alice.deposit("USD", "71.93", { wait: 10, key: "1" }), 201),
      transactionIn(await alice.deposit("USD", "28.07", { wait: 10 }), 201),
      transactionIn(await bob.deposit("JPY", "7193", { wait: 10 }), 201),
      transactionIn(await alice.withdraw("USD", "40.00", { wait: 10 }), 201),
    ];
    problemIn(await alice.withdraw("USD", "60.01", { wait: 10 }), 422);
    problemIn(await alice.withdraw("EUR", "0.01", { wait: 10 }), 422);
    // None of these is decided.
    transactionIn(await alice.deposit("USD", "71.93", { key: "1" }), 202);
    problemIn(await alice.deposit("USD", "71.94", { key: "1" }), 422);
    problemIn(await alice.deposit("XXX", "1.00"), 422);
    problemIn(await alice.get("balances", bob.user), 403);
    problemIn(await alice.request("GET", `/v1/users/${alice.user}/nothing/71.93`), 404);
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
    const history = [...(await alice.history()).data, ...(await bob.history()).data];
    const postedDelays = decided.map(({ decidedAt, createdAt }) => Date.parse(decidedAt ?? "") - Date.parse(createdAt));
    const delaySeconds = added(before, after, "antler_decision_delay_seconds_sum");
    expect(history).toHaveLength(6);
    expect(delaySeconds).toBeGreaterThanOrEqual(postedDelays.reduce((sum, each) => sum + each) / 1000 - 1e-6);
  });

  test("show the batch sizes, a dead-letter message with its reason, and the state of the queues", async () => {
    const alice = new Client(stack.apiUrl, newUser("alice"));
    const before = await read();
    const accepted = await Promise.all(Array.from({ length: 30 }, () => alice.deposit("USD", "1.00")));
    await Promise.all(accepted.map((response) => alice.decided(transactionIn(response, 202).id)));
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
    const [alice, bob] = [new Client(stack.apiUrl, newUser("alice")), new Client(stack.apiUrl, newUser("bob"))];
    const full = new Client(stack.apiUrl, newUser("full"));
    const ten = { currency: "USD", amount: "10.00" };
    const wait = { wait: 10 };
    transactionIn(await alice.deposit("USD", "100.00", wait), 201);
    transactionIn(await bob.deposit("USD", "1.00", wait), 201);
    transactionIn(await full.deposit("USD", `${"9".repeat(34)}.99`, wait), 201);

    transactionIn(await alice.post("transfers", { ...ten, to: bob.user }, wait), 201);
    // A wallet at the limit rejects the credit, and the money returns.
    transactionIn(await alice.post("transfers", { ...ten, to: full.user }, wait), 201);
    const [credit] = (await bob.history({ type: "credit" })).data;
    transactionIn(await bob.post(`transactions/${credit?.id}/reversals`, { amount: "4.00" }, wait), 201);
    const promised = transactionIn(await alice.post("holds", { ...ten, to: bob.user }, wait), 201);
    const own = transactionIn(await alice.post("holds", ten, wait), 201);
    transactionIn(await alice.post("holds", ten, wait), 201);
    // The first capture leaves the rest held. The second is not final either, but takes all that remains.
    for (const amount of ["4.00", "6.00"]) {
      const captured = await bob.post(`holds/${promised.id}/captures`, { amount, final: false }, wait, alice.user);
      expect(captured.status).toBe(201);
    }
    transactionIn(await alice.post(`holds/${own.id}/releases`, {}, wait), 201);
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
    const alice = new Client(stack.apiUrl, newUser("alice"));
    transactionIn(await alice.deposit("USD", "10.00", { wait: 10 }), 201);
    const expiresAt = new Date(Date.now() + 1000).toISOString();
    const { id } = transactionIn(
      await alice.post("holds", { currency: "USD", amount: "10.00", expiresAt }, { wait: 10 }),
      201,
    );
    await setTimeout(1500);
    await dynamoDocuments.send(
      new UpdateCommand({
        TableName: "antler-local-transactions",
        Key: { userId: alice.user, id },
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
  }, 90_000);

  test("have no user and no amount in a label", async () => {
    const user = newUser("carol");
    const alice = new Client(stack.apiUrl, user);
    transactionIn(await alice.deposit("USD", "8080.91", { wait: 10, reference: "secret-reference" }), 201);
    await alice.request("GET", `/v1/elsewhere/${user}`);
    await alice.request("GET", `/v1/users/${user}/transactions/tx_${user}`);
    const labels = [...(await read()).keys()].filter((series) => series.startsWith("antler_")).join("\n");
    for (const secret of [user, "8080", "secret-reference", "tx_"]) expect(labels).not.toContain(secret);
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

  test("has the request and the decision of a command under the request's id", async () => {
    const alice = new Client(stack.apiUrl, newUser("alice"));
    const response = await alice.deposit("USD", "31337.42", {
      reference: "secret-reference",
      metadata: { pin: "secret-pin" },
    });
    const { id } = transactionIn(response, 202);
    await alice.decided(id);
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
    const alice = new Client(stack.apiUrl, user);
    const token = await tokenOf(user);
    const headers = {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "idempotency-key": "key-90210",
    };
    const body = JSON.stringify({ currency: "USD", amount: "31337.43", reference: "secret-reference" });
    const response = await alice.request("POST", `/v1/users/${user}/deposits`, body, headers);
    await alice.decided(transactionIn(response, 202).id);
    await alice.request("POST", `/v1/users/${user}/deposits`, '{"amount": 31337.43', headers);
    await sendRaw(commandsQueueUrl, "alice", '{"amountMinor":"3133743"');
    await expect.poll(() => entriesWith("dead-lettered").length).toBeGreaterThan(0);
    const text = log();
    const [, payload = "", signature = ""] = token.split(".");
    for (const secret of [payload, signature, "31337.4", "3133743", "secret-reference", "secret-pin", "key-90210"]) {
      expect(text).not.toContain(secret);
    }
  });
});
