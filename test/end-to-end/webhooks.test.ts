import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, onTestFinished, test, vi } from "vitest";
import { ADMIN_SCOPE } from "../../lib/http/authenticate.ts";
import { eventSchema } from "../../lib/http/schemas.ts";
import { endpointSchema, newEndpointSchema } from "../../lib/http/webhooks.ts";
import { Client, newUser, transactionIn } from "../../testkit/client.ts";
import { blocksIn } from "../../testkit/examples.ts";
import { folderForTest } from "../../testkit/perTest.ts";
import { freePorts } from "../../testkit/stack.ts";

const ROOT = join(import.meta.dirname, "../..");
/** The second retry of a delivery is a minute after the first. */
const DELIVERY = { timeout: 90_000, interval: 200 };
const admin = new Client(inject("apiUrl"), newUser("ops"), ADMIN_SCOPE);

async function call(method: string, path: string, body?: object): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const response = await admin.request(method, `/v1/webhooks${path}`, body && JSON.stringify(body), headers);
  expect(response.status).toBeLessThan(300);
  return response.body;
}

/** The receiver of docs/guides/webhooks.md. */
function receiverIn(folder: string, environment: Record<string, string>) {
  const receivers: ChildProcess[] = [];
  return {
    async start() {
      const child = spawn(process.execPath, ["receiver.mjs"], { cwd: folder, env: environment, stdio: "inherit" });
      receivers.push(child);
      const url = `http://127.0.0.1:${environment.PORT}/`;
      await vi.waitFor(async () => expect((await fetch(url)).status).toBe(400), { timeout: 10_000 });
    },
    async kill() {
      const child = receivers.at(-1);
      if (child?.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

test("the guide's receiver gets every event once by its id, although it is killed and started again", async () => {
  const [{ text = "" } = {}] = blocksIn("docs/guides/webhooks.md").filter(({ language }) => language === "js");
  const folder = folderForTest();
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "receiver.mjs"), text);
  const { PORT } = await freePorts("PORT");
  const created = await call("POST", "", { url: `http://localhost:${PORT}/hooks`, types: ["deposit", "withdrawal"] });
  const { id, secret } = newEndpointSchema.parse(created);
  onTestFinished(async () => {
    await call("DELETE", `/${id}`);
  });
  const receiver = receiverIn(folder, { PORT, WEBHOOK_SECRET: secret });
  onTestFinished(receiver.kill);
  await receiver.start();

  /** The stored events of a user, by id. Other tests use the same stack. */
  function eventsOf({ user }: Client): string[] {
    const events = readdirSync(folder)
      .filter((file) => file.startsWith("msg_"))
      .map((file) => eventSchema.parse(JSON.parse(readFileSync(join(folder, file), "utf8"))));
    return events.map((event) => event.id).filter((eventId) => eventId.startsWith(`${user}/`));
  }
  const lastFailure = async () => endpointSchema.parse(await call("GET", `/${id}`)).lastFailure;

  // The publisher knows the endpoint after ten seconds at most.
  const early = new Client(inject("apiUrl"), newUser("early"));
  await vi.waitFor(async () => {
    transactionIn(await early.deposit("USD", "1.00", { wait: 10 }), 201);
    expect(eventsOf(early)).not.toEqual([]);
  }, DELIVERY);

  const alice = new Client(inject("apiUrl"), newUser("alice"));
  const idsUpTo = (count: number) => Array.from({ length: count }, (_, index) => `${alice.user}/${index + 1}`);
  const deposits = async (count: number) => {
    for (let step = 0; step < count; step++) transactionIn(await alice.deposit("USD", "1.00", { wait: 10 }), 201);
  };
  await deposits(3);
  await vi.waitFor(() => expect(eventsOf(alice).sort()).toEqual(idsUpTo(3)), DELIVERY);

  await receiver.kill();
  await deposits(3);
  await vi.waitFor(async () => expect(await lastFailure()).toMatchObject({ reason: "ECONNREFUSED" }), DELIVERY);
  await receiver.start();
  await deposits(2);
  await vi.waitFor(() => expect(eventsOf(alice).sort()).toEqual(idsUpTo(8)), DELIVERY);
});
