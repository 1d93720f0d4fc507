import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { GetSubscriptionAttributesCommand, ListSubscriptionsCommand, SNSClient } from "@aws-sdk/client-sns";
import { GetQueueAttributesCommand, ListQueuesCommand, SQSClient, TagQueueCommand } from "@aws-sdk/client-sqs";
import { Webhook } from "standardwebhooks";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { atEndpoint } from "../../localstack/provision.ts";
import { awsEnvironment, readSettings } from "../../localstack/settings.ts";
import { ANTLER } from "../../testkit/antler.ts";
import { movement, newUser, walletOf } from "../../testkit/client.ts";
import { listenForTest } from "../../testkit/perTest.ts";
import { collect, launch, run } from "../../testkit/stack.ts";

/** `antler listen` on the shared stack. */

const stackEnvironment = inject("stackEnvironment");
const apiUrl = inject("apiUrl");
Object.assign(process.env, awsEnvironment(readSettings(stackEnvironment)));
const [sqs, sns] = [new SQSClient({}), new SNSClient({})];

/** Starts it, and waits until it listens. */
async function listenerForTest(...args: string[]) {
  const child = launch(stackEnvironment, [process.execPath, ANTLER, "listen", ...args]);
  onTestFinished(() => void child.kill("SIGKILL"));
  const output = collect(child);
  await expect.poll(output).toContain("Ctrl-C ends.");
  return {
    output,
    /** What it printed about events. */
    lines: () =>
      output()
        .split("\n")
        .slice(
          output()
            .split("\n")
            .findIndex((line) => line.includes("Ctrl-C")) + 1,
          -1,
        ),
    async end(signal: NodeJS.Signals) {
      child.kill(signal);
      return once(child, "close");
    },
  };
}

/** The ARNs of the listeners' queues and, of those, the ones that are subscribed. */
async function listenerQueues() {
  const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: "antler-local-listen-" }));
  const { Subscriptions = [] } = await sns.send(new ListSubscriptionsCommand({}));
  const subscribed = Subscriptions.filter(({ Endpoint }) => Endpoint?.includes(":antler-local-listen-"));
  return { urls: QueueUrls.map(atEndpoint), subscriptions: subscribed.map(({ SubscriptionArn }) => SubscriptionArn) };
}

describe.runIf(Object.keys(stackEnvironment).length > 0)("antler listen", () => {
  test("prints and forwards, signed, the events of a user and a type, and removes its queue on SIGTERM", async () => {
    const received: { headers: Record<string, string>; body: string }[] = [];
    const receiver = createServer(async (request, response) => {
      received.push({ headers: request.headers as Record<string, string>, body: await text(request) });
      response.writeHead(received.length === 1 ? 204 : 503).end();
    });
    const url = `http://127.0.0.1:${await listenForTest(receiver)}/events`;
    const [alice, bob] = [walletOf(apiUrl, newUser("alice")), walletOf(apiUrl, newUser("bob"))];
    const listener = await listenerForTest("--user", alice.userId, "--type", "deposit", "--forward-to", url);
    await bob.deposit(movement("USD", "1.00"));
    await alice.deposit(movement("USD", "2.00"));
    await alice.withdraw(movement("USD", "0.50"));
    await alice.deposit(movement("USD", "3.00"));

    await expect.poll(listener.lines).toHaveLength(4);
    const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
    expect(listener.lines()).toEqual([
      expect.stringMatching(`^${time}  ${alice.userId}/1  deposit  posted  2\\.00 USD$`),
      `  ${url} answered 204`,
      expect.stringMatching(`^${time}  ${alice.userId}/3  deposit  posted  3\\.00 USD$`),
      `  ${url} answered 503`,
    ]);
    const [, secret = ""] = /Signing secret: (whsec_\S+)/.exec(listener.output()) ?? [];
    for (const { headers, body } of received) {
      expect(new Webhook(secret).verify(body, headers)).toMatchObject({
        data: { userId: alice.userId, type: "deposit" },
      });
    }
    expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).toBe(2);

    const { urls, subscriptions } = await listenerQueues();
    expect(urls).toHaveLength(1);
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: urls[0], AttributeNames: ["Policy", "QueueArn"] }),
    );
    const { TopicArn } =
      (await sns.send(new GetSubscriptionAttributesCommand({ SubscriptionArn: subscriptions[0] }))).Attributes ?? {};
    expect(JSON.parse(Attributes?.Policy ?? "").Statement).toEqual([
      {
        Effect: "Allow",
        Principal: { Service: "sns.amazonaws.com" },
        Action: "sqs:SendMessage",
        Resource: Attributes?.QueueArn,
        Condition: { ArnEquals: { "aws:SourceArn": TopicArn } },
      },
    ]);
    expect(await listener.end("SIGTERM")).toEqual([0, null]);
    expect(await listenerQueues()).toEqual({ urls: [], subscriptions: [] });
  });

  test("prints the amounts of every type, and the events of all users", async () => {
    const alice = walletOf(apiUrl, newUser("alice"));
    const listener = await listenerForTest();
    await alice.deposit(movement("USD", "5.00"));
    await alice.withdraw(movement("USD", "6.00"));
    const own = () => listener.lines().filter((line) => line.includes(`  ${alice.userId}/`));
    await expect
      .poll(own)
      .toEqual([
        expect.stringMatching(/ {2}deposit {2}posted {2}5\.00 USD$/),
        expect.stringMatching(/ {2}withdrawal {2}rejected {2}6\.00 USD$/),
      ]);
    expect(await listener.end("SIGINT")).toEqual([0, null]);
  });

  test("removes a queue that a killed one has left, and not that of another one", async () => {
    const killed = await listenerForTest();
    const [left = ""] = (await listenerQueues()).urls;
    await killed.end("SIGKILL");
    const Tags = { "antler-alive-at": new Date(Date.now() - 6 * 60_000).toISOString() };
    await sqs.send(new TagQueueCommand({ QueueUrl: left, Tags }));
    const first = await listenerForTest();
    expect((await listenerQueues()).urls).not.toContain(left);
    const second = await listenerForTest();
    expect((await listenerQueues()).urls).toHaveLength(2);
    await Promise.all([first.end("SIGHUP"), second.end("SIGTERM")]);
    expect(await listenerQueues()).toEqual({ urls: [], subscriptions: [] });
  });

  test("reports in one line a stage without a topic", async () => {
    expect(await run(ANTLER, ["listen", "--stage", "none"], process.env as Record<string, string>)).toEqual({
      code: 1,
      output:
        "There is no topic antler-none-events.fifo: the stage none is not deployed to this account and region, or publishes no events\n",
    });
  });
});
