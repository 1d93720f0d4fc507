import { randomUUID } from "node:crypto";
import { GetQueueAttributesCommand, GetQueueUrlCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, expect, inject, test } from "vitest";
import type { Command } from "../../lib/domain/command.ts";
import { NO_DETAILS_HASH } from "../../lib/domain/hash.ts";
import { derivedId } from "../../lib/domain/id.ts";
import { transactionId } from "../../lib/ledger/idempotency.ts";
import { encodeMessage, MalformedCommand } from "../../lib/ledger/message.ts";
import { movement, newUser, posted, walletOf } from "../../testkit/client.ts";

/** The attacker can write to the commands queue, and knows the key and the content of a deposit before it is sent. */
const USERS = 12;
const ATTACKER = newUser("attacker");
const DEPOSIT = {
  type: "deposit",
  actor: "owner",
  currency: "USD",
  exponent: 2,
  amountMinor: 100n,
  detailsHash: NO_DETAILS_HASH,
} as const;
const FORGED = [
  { amountMinor: 777_777n },
  { type: "withdrawal" },
  { type: "transfer", to: ATTACKER },
  { type: "hold", to: ATTACKER, expiresAt: "2099-01-01T00:00:00.000Z" },
  { type: "status_change", newStatus: "frozen", currency: undefined, exponent: undefined, amountMinor: undefined },
  { type: "credit", source: { type: "transfer", userId: ATTACKER, transactionId: "tx_never" } },
  { currency: "NONE" },
  { amountMinor: 777_777n, currency: "EUR" },
  { actor: "admin" },
  { exponent: 0 },
  { createdAt: "2099-01-01T00:00:00.000Z" },
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
  "forged messages under a deposit's own id move no money, in any group, before and after it is sent",
  async () => {
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: "antler-local-commands.fifo" }));
    const send = (MessageGroupId: string, ...commands: (Command | MalformedCommand)[]) => {
      const MessageBody = encodeMessage({ commands, requestId: "forged" });
      return sqs.send(
        new SendMessageCommand({ QueueUrl, MessageGroupId, MessageDeduplicationId: randomUUID(), MessageBody }),
      );
    };
    const forge = async (userId: string, key: string, createdAt = new Date().toISOString()) => {
      const deposit = { ...DEPOSIT, id: transactionId(userId, key), userId, createdAt };
      for (const change of FORGED) {
        for (const groupId of [userId, randomUUID()]) await send(groupId, { ...deposit, ...change });
      }
      // In one message a forged command, a malformed one, a true one, and one of another user.
      const forgery = { ...deposit, amountMinor: 777_777n };
      const malformed = new MalformedCommand({ ...deposit, amountMinor: -1, exponent: "2" });
      const others = { ...deposit, userId: ATTACKER, amountMinor: 777_777n };
      await send(userId, forgery, malformed, deposit, others);
      await send(ATTACKER, others, malformed, forgery, deposit);
      // The credit that this id would cause if it were a transfer to the attacker.
      const source = { type: "transfer", userId, transactionId: deposit.id } as const;
      const id = derivedId("credit", userId, deposit.id);
      await send(ATTACKER, { ...deposit, type: "credit", actor: "ledger", id, userId: ATTACKER, source });
    };
    const wallets = Array.from({ length: USERS }, () => walletOf(apiUrl, newUser("victim")));
    await Promise.all(
      wallets.map(async (wallet) => {
        const command = movement("USD", "1.00");
        const sendForged = (createdAt?: string) => forge(wallet.userId, command.idempotencyKey, createdAt);
        const [{ createdAt }] = await Promise.all([posted(wallet.deposit(command)), sendForged(), sendForged()]);
        await sendForged(createdAt);
      }),
    );
    await expect.poll(() => messagesIn(QueueUrl), { timeout: 30_000 }).toBe(0);
    const balances = await Promise.all(wallets.map((wallet) => wallet.balances()));
    const held = balances.map(({ balances }) => balances.filter(({ amount }) => Number(amount) !== 0));
    expect(held).toEqual(wallets.map(() => [expect.objectContaining({ currency: "USD", amount: "1.00" })]));
    expect(await walletOf(apiUrl, ATTACKER).balances()).toMatchObject({ sequence: 0 });
  },
);

async function messagesIn(QueueUrl: string | undefined): Promise<number> {
  const AttributeNames = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"] as const;
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...AttributeNames] }),
  );
  return AttributeNames.reduce((sum, name) => sum + Number(Attributes[name]), 0);
}
