import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createNetServer, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Client, newUser, transactionIn } from "../../testkit/client.ts";
import { startFrontOf } from "../../testkit/front.ts";
import { refusedStart } from "../../testkit/processes.ts";
import { collect, freeStackPorts, launch, type Stack, startStack } from "../../testkit/stack.ts";

let owner: Stack;

beforeAll(async () => {
  owner = await startStack();
  return () => owner.stop();
});

/** A port that no HTTP answer comes from, and that no other process takes, until it is released or the test ends. */
async function holdPort(onConnection = (socket: Socket) => void socket.destroy()) {
  const server = createNetServer(onConnection).listen(0, "127.0.0.1");
  await once(server, "listening");
  const release = async () => {
    if (server.listening) await once(server.close(), "close");
  };
  onTestFinished(release);
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  return { port, endpoint: `http://127.0.0.1:${port}`, release };
}

describe("an AWS_ENDPOINT_URL", () => {
  test("that comes up later than the stack is waited for", async () => {
    const { port, endpoint, release } = await holdPort();
    const starting = startStack({ AWS_ENDPOINT_URL: endpoint });
    // Later than an unready start would take to fail.
    await setTimeout(12_000);
    await release();
    await startFrontOf(owner, port);
    const guest = await starting;
    onTestFinished(() => guest.stop().then(() => {}));
    expect(guest.output()).toMatch(`Waiting until AWS_ENDPOINT_URL=${endpoint} answers …\n`);
    transactionIn(await new Client(guest.apiUrl, newUser()).deposit("USD", "1.00", { wait: 10 }), 201);
  });

  test.each(["API_PORT", "METRICS_PORT"] as const)(
    "that is waited for while another process takes the %s: the start says so and ends",
    async (name) => {
      const { port, endpoint, release } = await holdPort();
      const ports = await freeStackPorts();
      const child = launch({ ...ports, AWS_ENDPOINT_URL: endpoint });
      const output = collect(child);
      await once(child.stdout, "data");
      const waiting = output();
      const taker = createServer().listen(Number(ports[name]), "127.0.0.1");
      onTestFinished(() => {
        taker.close();
      });
      await once(taker, "listening");
      await release();
      await startFrontOf(owner, port);
      expect(await once(child, "close")).toEqual([1, null]);
      expect(output()).toBe(`${waiting}Port ${ports[name]} is taken: set ${name} to a free one\n`);
    },
  );

  test("that accepts connections and never answers is reported as awaited", async () => {
    const { endpoint } = await holdPort((socket) => void socket.resume());
    const child = launch({ ...(await freeStackPorts()), AWS_ENDPOINT_URL: endpoint });
    const [line] = await once(child.stdout, "data");
    expect(String(line)).toBe(`Waiting until AWS_ENDPOINT_URL=${endpoint} answers …\n`);
    child.kill("SIGINT");
    expect(await once(child, "close")).toEqual([0, null]);
  });

  test("that never comes up is given up after a minute, in one line", async () => {
    const { endpoint } = await holdPort();
    const { code, output } = await refusedStart({ AWS_ENDPOINT_URL: endpoint });
    expect(output).toBe(
      `Waiting until AWS_ENDPOINT_URL=${endpoint} answers …\nAWS_ENDPOINT_URL=${endpoint}: nothing answered there for 60 s\n`,
    );
    expect(code).toBe(1);
  }, 90_000);

  test("that is something else ends the start at once, with the reason", async () => {
    const server = createServer((_request, response) => {
      response.writeHead(404).end("Not here");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    const address = server.address();
    const endpoint = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
    const startedAtMs = Date.now();
    const { code, output } = await refusedStart({ AWS_ENDPOINT_URL: endpoint });
    expect(output).toMatch(/^The API ended with exit code 1\. The end of \S+stack\.log:\n/);
    expect(output).toMatch(/Exception|Error/);
    expect(code).toBe(1);
    expect(Date.now() - startedAtMs).toBeLessThan(45_000);
  });
});
