import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { Client, newUser, transactionIn } from "../support/client.ts";
import { startFrontOf } from "../support/front.ts";
import { refusedStart } from "../support/processes.ts";
import { freePorts, startStack } from "../support/stack.ts";

describe("an AWS_ENDPOINT_URL", () => {
  test("that comes up later than the stack is waited for", async () => {
    const owner = await startStack();
    onTestFinished(() => owner.stop().then(() => {}));
    const { FRONT_PORT } = await freePorts("FRONT_PORT");
    const starting = startStack({ AWS_ENDPOINT_URL: `http://127.0.0.1:${FRONT_PORT}` });
    // Later than an unready start would take to fail.
    await setTimeout(12_000);
    await startFrontOf(owner, Number(FRONT_PORT));
    const guest = await starting;
    onTestFinished(() => guest.stop().then(() => {}));
    transactionIn(await new Client(guest.apiUrl, newUser()).deposit("USD", "1.00", { wait: 10 }), 201);
  });

  test("that never comes up is given up after a minute, in one line", async () => {
    const { FRONT_PORT } = await freePorts("FRONT_PORT");
    const endpoint = `http://127.0.0.1:${FRONT_PORT}`;
    const { code, output } = await refusedStart({ AWS_ENDPOINT_URL: endpoint });
    expect(output).toBe(`AWS_ENDPOINT_URL=${endpoint}: nothing answered there for 60 s\n`);
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
