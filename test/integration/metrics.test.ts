import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { issueToken } from "../../localstack/identityProvider.ts";
import { Client, newUser, problemIn, transactionIn } from "../support/client.ts";
import { readMetrics } from "../support/metrics.ts";
import { type Stack, startStack } from "../support/stack.ts";

/** A stack that nobody else talks to, so that every figure can be told. */
let stack: Stack;

beforeAll(async () => {
  stack = await startStack({ LOG_LEVEL: "INFO" });
});

afterAll(() => stack.stop());

const figures = () => readMetrics(stack.environment.METRICS_PORT);

/** What was added to a series since it was read before. */
function added(before: Map<string, number>, after: Map<string, number>, series: string): number {
  return (after.get(series) ?? 0) - (before.get(series) ?? 0);
}

const requests = (route: string, status: string) =>
  `antler_http_request_duration_seconds_count{route="${route}",status="${status}"}`;
const commands = (type: string, currency: string, outcome: string) =>
  `antler_commands_total{currency="${currency}",outcome="${outcome}",type="${type}"}`;
const DEPOSITS = "POST /v1/users/{userId}/deposits";
const WITHDRAWALS = "POST /v1/users/{userId}/withdrawals";

describe("the figures for Prometheus", () => {
  test("count every request and every decision, exactly", async () => {
    const before = await figures();
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
    // None of these decides anything.
    transactionIn(await alice.deposit("USD", "71.93", { key: "1" }), 202);
    problemIn(await alice.deposit("USD", "71.94", { key: "1" }), 422);
    problemIn(await alice.deposit("XXX", "1.00"), 422);
    problemIn(await alice.get("balances", bob.user), 403);
    problemIn(await alice.request("GET", `/v1/users/${alice.user}/nothing/71.93`), 404);
    await alice.balances();
    const after = await figures();

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

    // The histogram adds up the very times that the transactions tell.
    const history = [...(await alice.history()).data, ...(await bob.history()).data];
    const postedDelays = decided.map(({ postedAt, createdAt }) => Date.parse(postedAt ?? "") - Date.parse(createdAt));
    const delaySeconds = added(before, after, "antler_decision_delay_seconds_sum");
    expect(history).toHaveLength(6);
    expect(delaySeconds).toBeGreaterThanOrEqual(postedDelays.reduce((sum, each) => sum + each) / 1000 - 1e-6);
  });

  test("show a fold, a dead letter with its reason, and how the queues stand", async () => {
    const alice = new Client(stack.apiUrl, newUser("alice"));
    const before = await figures();
    const accepted = await Promise.all(Array.from({ length: 30 }, () => alice.deposit("USD", "1.00")));
    await Promise.all(accepted.map((answer) => alice.decided(transactionIn(answer, 202).id)));
    const folded = await figures();
    expect(added(before, folded, "antler_fold_commands_sum")).toBe(30);
    expect(added(before, folded, "antler_fold_commands_count")).toBeLessThan(30);

    await sendNonsense("{nonsense");
    await expect.poll(async () => (await figures()).get('antler_dead_letters_total{reason="malformed"}')).toBe(1);
    await setTimeout(50);
    const after = await figures();
    expect(after.get('antler_queue_messages{queue="dead_letters",state="waiting"}')).toBe(1);
    expect(after.get('antler_queue_oldest_message_age_seconds{queue="dead_letters"}')).toBeGreaterThan(0.04);
    expect(after.get('antler_queue_messages{queue="commands",state="waiting"}')).toBe(0);
    expect(after.get('antler_queue_oldest_message_age_seconds{queue="commands"}')).toBe(0);
  });

  test("carry no user and no amount in a label", async () => {
    const user = newUser("somebody");
    const alice = new Client(stack.apiUrl, user);
    transactionIn(await alice.deposit("USD", "8080.91", { wait: 10, reference: "secret-reference" }), 201);
    await alice.request("GET", `/v1/elsewhere/${user}`);
    await alice.request("GET", `/v1/users/${user}/transactions/tx_${user}`);
    const labels = [...(await figures()).keys()].filter((series) => series.startsWith("antler_")).join("\n");
    for (const secret of [user, "8080", "secret-reference", "tx_"]) expect(labels).not.toContain(secret);
  });
});

describe("the log", () => {
  const log = () =>
    readFileSync(join(import.meta.dirname, `../../.antler/api-${stack.environment.API_PORT}/stack.log`), "utf8");

  /** Lines of our own, which are JSON; the emulator's are not. */
  function entriesWith(text: string): Record<string, unknown>[] {
    return log()
      .split("\n")
      .filter((line) => line.startsWith("{") && line.includes(text))
      .map((line) => JSON.parse(line));
  }

  test("follows one command from the request to its decision by the request's id", async () => {
    const alice = new Client(stack.apiUrl, newUser("alice"));
    const answer = await alice.deposit("USD", "31337.42", { reference: "secret-reference", metadata: { pin: "4711" } });
    const { id } = transactionIn(answer, 202);
    await alice.decided(id);
    const requestId = answer.headers.get("x-request-id") ?? "";
    await expect.poll(() => entriesWith(requestId)).toHaveLength(2);
    const entries = entriesWith(requestId);
    expect(entries).toContainEqual(
      expect.objectContaining({ message: "request", requestId, transactionId: id, route: DEPOSITS, status: 202 }),
    );
    expect(entries).toContainEqual(
      expect.objectContaining({ message: "decided", requestId, transactionId: id, type: "deposit", status: "posted" }),
    );
  });

  test("has no token, no body and no amount in it", async () => {
    const user = newUser("alice");
    const alice = new Client(stack.apiUrl, user);
    const token = await issueToken({ subject: user, scope: undefined, issuer: "antler-local", audience: "antler" });
    const headers = {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "idempotency-key": "key-90210",
    };
    const body = JSON.stringify({ currency: "USD", amount: "31337.43", reference: "secret-reference" });
    const answer = await alice.request("POST", `/v1/users/${user}/deposits`, body, headers);
    await alice.decided(transactionIn(answer, 202).id);
    await alice.request("POST", `/v1/users/${user}/deposits`, '{"amount": 31337.43', headers);
    await sendNonsense('{"amountMinor":"3133743"');
    await expect.poll(() => entriesWith("dead letter").length).toBeGreaterThan(0);
    const text = log();
    const [, payload = "", signature = ""] = token.split(".");
    for (const secret of [payload, signature, "31337.4", "3133743", "secret-reference", "4711", "key-90210"]) {
      expect(text).not.toContain(secret);
    }
  });
});

async function sendNonsense(body: string): Promise<void> {
  const endpoint = `http://127.0.0.1:${stack.environment.AWS_PORT}`;
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const client = new SQSClient({ endpoint, region: "us-east-1", credentials });
  const QueueUrl = `${endpoint}/000000000000/antler-local-commands.fifo`;
  await client.send(
    new SendMessageCommand({
      QueueUrl,
      MessageGroupId: "nobody",
      MessageDeduplicationId: newUser(),
      MessageBody: body,
    }),
  );
  client.destroy();
}
