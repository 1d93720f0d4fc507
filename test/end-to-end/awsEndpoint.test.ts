import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createNetServer, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { movement, posted, walletOf } from "../../testkit/client.ts";
import { awsProxyForTest, listenForTest, stackForTest } from "../../testkit/perTest.ts";
import { freeStackPorts } from "../../testkit/ports.ts";
import { refusedStart } from "../../testkit/processes.ts";
import { collect, launch, startStack } from "../../testkit/stack.ts";

/**
 * The stack that has the SQS and the DynamoDB. Not the shared one: a guest that ends can have received a message, which is then
 * hidden for the visibility timeout of a minute.
 */
const owner = await startStack();
afterAll(() => owner.stop());

/** A port that sends no HTTP response, and that no other process takes until it is released or the test ends. */
async function holdPort(onConnection = (socket: Socket) => void socket.destroy()) {
  const server = createNetServer(onConnection);
  const port = await listenForTest(server);
  return { port, endpoint: `http://127.0.0.1:${port}`, release: () => once(server.close(), "close") };
}

describe("npm start with an AWS_ENDPOINT_URL", () => {
  test("waits for an endpoint that starts later", async () => {
    const { port, endpoint, release } = await holdPort();
    // The owner publishes the stream that both have.
    const starting = stackForTest({ AWS_ENDPOINT_URL: endpoint, EVENTS: "false" });
    // Longer than a start that does not wait would take to fail.
    await setTimeout(12_000);
    await release();
    await awsProxyForTest(owner, port);
    const guest = await starting;
    expect(guest.output()).toMatch(`Waiting until AWS_ENDPOINT_URL=${endpoint} answers …\n`);
    await posted(walletOf(guest.apiUrl).deposit(movement("USD", "1.00")));
  });

  test.each(["API_PORT", "METRICS_PORT"] as const)(
    "ends with the reason when another process takes the %s while it waits",
    async (name) => {
      const { port, endpoint, release } = await holdPort();
      const ports = await freeStackPorts();
      const child = launch({ ...ports, AWS_ENDPOINT_URL: endpoint });
      const output = collect(child);
      await once(child.stdout, "data");
      const waiting = output();
      await listenForTest(createServer(), Number(ports[name]));
      await release();
      await awsProxyForTest(owner, port);
      expect(await once(child, "close")).toEqual([1, null]);
      expect(output()).toBe(`${waiting}Port ${ports[name]} is taken: set ${name} to a free one\n`);
    },
  );

  test("prints that it waits for an endpoint that accepts connections and never answers", async () => {
    const { endpoint } = await holdPort((socket) => void socket.resume());
    const child = launch({ ...(await freeStackPorts()), AWS_ENDPOINT_URL: endpoint });
    const [line] = await once(child.stdout, "data");
    expect(String(line)).toBe(`Waiting until AWS_ENDPOINT_URL=${endpoint} answers …\n`);
    child.kill("SIGINT");
    expect(await once(child, "close")).toEqual([0, null]);
  });

  test("ends with one line when nothing answers for a minute", async () => {
    const { endpoint } = await holdPort();
    const { code, output } = await refusedStart({ AWS_ENDPOINT_URL: endpoint });
    expect(output).toBe(
      `Waiting until AWS_ENDPOINT_URL=${endpoint} answers …\nAWS_ENDPOINT_URL=${endpoint}: nothing answered there for 60 s\n`,
    );
    expect(code).toBe(1);
  });

  test("ends at once, with the reason, when the endpoint is not AWS", async () => {
    const server = createServer((_request, response) => {
      response.writeHead(404).end("Not here");
    });
    const endpoint = `http://127.0.0.1:${await listenForTest(server)}`;
    const startedAtMs = Date.now();
    const { code, output } = await refusedStart({ AWS_ENDPOINT_URL: endpoint });
    expect(output).toMatch(/^The API ended with exit code 1\. The end of \S+stack\.log:\n/);
    expect(output).toMatch(/Exception|Error/);
    expect(code).toBe(1);
    expect(Date.now() - startedAtMs).toBeLessThan(45_000);
  });
});
