import { randomUUID } from "node:crypto";
import { GetQueueAttributesCommand, GetQueueUrlCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, expect, inject, test } from "vitest";
import { fingerprintOf, transactionId } from "../../lib/ledger/idempotency.ts";
import { encodeMessage } from "../../lib/ledger/message.ts";
import { Client, newUser, transactionIn } from "../../testkit/client.ts";

/** The attacker can write to the commands queue, and knows the key and the content of a deposit before it is sent. */
const USERS = 12;
const DEPOSIT = {
  type: "deposit",
  currency: "USD",
  amountMinor: 100n,
  reference: undefined,
  metadata: undefined,
} as const;
const FORGED = [
  { amountMinor: 777_777n },
  { type: "withdrawal" },
  { currency: "NONE" },
  { amountMinor: 777_777n, currency: "EUR" },
] as const;

const apiUrl = inject("apiUrl");
const { AWS_PORT } = inject("stackEnvironment");
const sqs = new SQSClient({
  endpoint: `http://127.0.0.1:${AWS_PORT}`,
  region: "us-east-1",
  credentials: { accessKeyId: "local", secretAccessKey: "local" },
});
afterAll(() => sqs.destroy());

test.skipIf(AWS_PORT === undefined)(
  "forged messages under a deposit's own id and fingerprint move no money, in any group, before and after it is sent",
  async () => {
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: "antler-local-commands.fifo" }));
    const forge = async (userId: string, key: string) => {
      const id = transactionId(userId, key);
      for (const change of FORGED) {
        const message = {
          command: { ...DEPOSIT, ...change, id, userId },
          fingerprint: fingerprintOf(DEPOSIT),
          acceptedAt: new Date().toISOString(),
          requestId: "forged",
        };
        for (const MessageGroupId of [userId, randomUUID()]) {
          const MessageBody = encodeMessage(message);
          const MessageDeduplicationId = randomUUID();
          await sqs.send(new SendMessageCommand({ QueueUrl, MessageGroupId, MessageDeduplicationId, MessageBody }));
        }
      }
    };
    const clients = Array.from({ length: USERS }, () => new Client(apiUrl, newUser("victim")));
    await Promise.all(
      clients.map(async (client) => {
        const key = randomUUID();
        const forged = forge(client.user, key);
        const deposit = client.deposit("USD", "1.00", { key, wait: 20 });
        await Promise.all([forged, forge(client.user, key), deposit]);
        transactionIn(await deposit, 201);
        await forge(client.user, key);
      }),
    );
    await expect.poll(() => messagesIn(QueueUrl), { timeout: 30_000 }).toBe(0);
    const wallets = await Promise.all(clients.map((client) => client.balances()));
    const held = wallets.map(({ balances }) => balances.filter(({ amount }) => Number(amount) !== 0));
    expect(held).toEqual(clients.map(() => [{ currency: "USD", amount: "1.00" }]));
  },
);

async function messagesIn(QueueUrl: string | undefined): Promise<number> {
  const AttributeNames = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"] as const;
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...AttributeNames] }),
  );
  return AttributeNames.reduce((sum, name) => sum + Number(Attributes[name]), 0);
}
