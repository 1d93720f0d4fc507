import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { listen } from "../../localstack/tcp.ts";
import { type LedgerEvent, TransientError } from "../ledger/ports.ts";
import { snsTopic } from "./topic.ts";

/** A stand-in for SNS. It records the parameters of each request. */
const received: URLSearchParams[] = [];
let answer: (parameters: URLSearchParams) => { status: number; body: string };
const server = createServer(async (request, response) => {
  const parameters = new URLSearchParams(await text(request));
  received.push(parameters);
  const { status, body } = answer(parameters);
  response.writeHead(status, { "content-type": "text/xml" }).end(body);
});
vi.stubEnv("AWS_ENDPOINT_URL_SNS", `http://127.0.0.1:${await listen(server)}`);
vi.stubEnv("AWS_REGION", "eu-west-1");
vi.stubEnv("AWS_ACCESS_KEY_ID", "key");
vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
vi.stubEnv("EVENTS_TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:events.fifo");

afterAll(() => {
  server.close();
  vi.unstubAllEnvs();
});

beforeEach(() => {
  received.length = 0;
  answer = () => succeed();
});

/** @param failed the ids in the request of the entries that fail */
function succeed(...failed: string[]) {
  const members = failed.map(
    (id) => `<member><Id>${id}</Id><Code>Throttled</Code><SenderFault>false</SenderFault></member>`,
  );
  const result = `<Successful/><Failed>${members.join("")}</Failed>`;
  const body = `<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult>${result}</PublishBatchResult></PublishBatchResponse>`;
  return { status: 200, body };
}

function eventOf(userId: string, body = "{}", currency: string | undefined = "USD"): LedgerEvent {
  return { id: `${userId}/1`, userId, attributes: { type: "deposit", status: "posted", currency }, body };
}

const ENTRY = "PublishBatchRequestEntries.member";
const entriesOf = (parameters: URLSearchParams | undefined) =>
  [...(parameters ?? [])].filter(([name]) => name.endsWith(".MessageGroupId")).map(([, value]) => value);

describe("the SNS topic", () => {
  it("gets each event in its user's message group, with a deduplication id and attributes to filter by", async () => {
    expect(await snsTopic.publish([eventOf("alice", '{"name":"Zoë & co"}')])).toEqual(new Set());
    const [parameters] = received;
    expect(Object.fromEntries(parameters ?? [])).toEqual({
      Action: "PublishBatch",
      Version: "2010-03-31",
      TopicArn: "arn:aws:sns:eu-west-1:123456789012:events.fifo",
      [`${ENTRY}.1.Id`]: "0",
      [`${ENTRY}.1.Message`]: '{"name":"Zoë & co"}',
      [`${ENTRY}.1.MessageGroupId`]: "alice",
      // The SHA-256 of alice/1.
      [`${ENTRY}.1.MessageDeduplicationId`]: "fe46c693ebe591e1985989c3b01aa87ce4df01c2a59a1414815ee007d5a4d6b4",
      ...Object.fromEntries(
        [
          ["type", "deposit"],
          ["status", "posted"],
          ["currency", "USD"],
        ].flatMap(([name = "", value = ""], index) => {
          const entry = `${ENTRY}.1.MessageAttributes.entry.${index + 1}`;
          return [
            [`${entry}.Name`, name],
            [`${entry}.Value.DataType`, "String"],
            [`${entry}.Value.StringValue`, value],
          ];
        }),
      ),
    });
  });

  it("gets no attribute for a currency that there is not", async () => {
    await snsTopic.publish([
      { ...eventOf("alice"), attributes: { type: "status_change", status: "posted", currency: undefined } },
    ]);
    expect([...(received[0]?.values() ?? [])]).not.toContain("currency");
  });

  it("fails those events that SNS reports, and no others", async () => {
    answer = () => succeed("1");
    expect(await snsTopic.publish(["alice", "bob", "carol"].map((user) => eventOf(user)))).toEqual(new Set(["bob/1"]));
  });

  it("gets as many requests as its limit of 256 KiB needs, and names the failed events of each", async () => {
    const large = "x".repeat(100 * 1024);
    answer = (parameters) => (entriesOf(parameters).includes("dave") ? succeed("0") : succeed());
    const events = [
      eventOf("alice", large),
      eventOf("bob", large),
      eventOf("carol"),
      eventOf("dave", large),
      eventOf("erin"),
    ];
    expect(await snsTopic.publish(events)).toEqual(new Set(["dave/1"]));
    expect(received.map(entriesOf).toSorted()).toEqual([
      ["alice", "bob", "carol"],
      ["dave", "erin"],
    ]);
    for (const parameters of received)
      expect(Buffer.byteLength([...parameters.values()].join(""))).toBeLessThan(256 * 1024);
  });

  it("that fails with a fault of the service is a transient error, after two attempts", async () => {
    answer = () => ({ status: 503, body: "" });
    await expect(snsTopic.publish([eventOf("alice")])).rejects.toThrow(TransientError);
    expect(received).toHaveLength(2);
  });
});
