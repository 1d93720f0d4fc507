import { createServer } from "node:http";
import { afterAll, expect, test } from "vitest";
import { ports } from "../../lib/aws/adapters.ts";
import { ANTLER } from "../../testkit/antler.ts";
import { newUser } from "../../testkit/client.ts";
import { startEngines } from "../../testkit/engines.ts";
import { movementsOf, usd } from "../../testkit/movements.ts";
import { listenForTest } from "../../testkit/perTest.ts";
import { consumeAll, sendRaw } from "../../testkit/queue.ts";
import { run } from "../../testkit/stack.ts";

/** `antler status` on real engines, as for a deployed stage. */
const engines = await startEngines("dynoxide");
const decideAll = async () => {
  while ((await consumeAll(engines.queueUrl)) > 0);
};
const { accept, move } = movementsOf(ports, decideAll);

afterAll(() => engines.stop());

/** A stand-in of CloudWatch, and of the API's health. @returns its URL */
async function serverForTest(healthStatus: number): Promise<string> {
  const server = createServer((request, response) => {
    const isHealth = request.url === "/v1/health";
    const ageAt = (minutesAgo: number, Maximum: number) => ({
      Timestamp: Date.now() / 1000 - minutesAgo * 60,
      Maximum,
    });
    const metric = { Datapoints: [ageAt(3, 7), ageAt(1, 42), ageAt(2, 9)] };
    response.writeHead(isHealth ? healthStatus : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(isHealth ? { status: "ok" } : metric));
  });
  return `http://127.0.0.1:${await listenForTest(server)}`;
}

test("antler status prints the queues, the money in transit, the open holds and the health", async () => {
  const [alice, bob] = [newUser("alice"), newUser("bob")];
  await move(bob, { type: "status_change", newStatus: "active" });
  for (const currency of ["USD", "JPY"]) await move(alice, { type: "deposit", currency, amount: "500" });
  await move(alice, { type: "hold", ...usd("20.00") });
  await move(alice, { type: "hold", ...usd("1.50"), to: bob });
  await accept(alice, { type: "transfer", currency: "JPY", amount: "300", to: bob });
  await consumeAll(engines.queueUrl);
  await sendRaw(engines.deadLetterQueueUrl, "unknown", "{not json");

  const url = await serverForTest(200);
  const status = (...args: string[]) =>
    run(ANTLER, ["status", "--stage", "test", "--api-url", url, ...args], { AWS_ENDPOINT_URL_CLOUDWATCH: url });
  expect(await status()).toEqual({
    code: 0,
    output: `stage           test
health          ok
commands queue  1 messages
oldest message  42 s
in transit      1 credits, 300 JPY
open holds      2 holds, 21.50 USD
dead letters    1 messages
`,
  });
  const { output } = await status("--json");
  expect(JSON.parse(output)).toEqual({
    stage: "test",
    health: "ok",
    queued: 1,
    oldestSeconds: 42,
    inTransit: { count: 1, amounts: { JPY: "300" } },
    openHolds: { count: 2, amounts: { USD: "21.50" } },
    deadLetters: 1,
  });
});

test("antler status exits with 1 if the API is not healthy or unknown, and goes on without CloudWatch", async () => {
  const url = await serverForTest(503);
  const environment = {
    AWS_ENDPOINT_URL_CLOUDWATCH: "http://127.0.0.1:9",
    AWS_MAX_ATTEMPTS: "1",
    XDG_CONFIG_HOME: "/nowhere",
  };
  const unhealthy = await run(ANTLER, ["status", "--stage", "test", "--api-url", url], environment);
  expect(unhealthy).toEqual({ code: 1, output: expect.stringContaining("CloudWatch does not answer: ") });
  expect(unhealthy.output).toMatch(/\nhealth +The answer 503 .*\n.*\noldest message +unknown\n/);
  const unknown = await run(ANTLER, ["status", "--stage", "test"], environment);
  expect(unknown).toEqual({ code: 1, output: expect.stringMatching(/\nhealth +The API of the stage test is unknown/) });
});
