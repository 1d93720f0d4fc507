import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, onTestFinished, test, vi } from "vitest";
import { ADMIN_SCOPE } from "../../lib/http/authenticate.ts";
import { eventSchema } from "../../lib/http/schemas.ts";
import type { Wallet } from "../../packages/client/src/index.ts";
import { clientOf, movement, newUser, posted, walletOf } from "../../testkit/client.ts";
import { blocksIn } from "../../testkit/examples.ts";
import { folderForTest } from "../../testkit/perTest.ts";
import { freePorts } from "../../testkit/ports.ts";

const ROOT = join(import.meta.dirname, "../..");
/** The second retry of a delivery is a minute after the first. */
const DELIVERY = { timeout: 90_000, interval: 200 };
const { webhooks } = clientOf(inject("apiUrl"), newUser("ops"), ADMIN_SCOPE);

/** The receiver of docs/guides/webhooks.md. */
function receiverIn(folder: string, environment: Record<string, string>) {
  const receivers: ChildProcess[] = [];
  return {
    async start() {
      const child = spawn(process.execPath, ["receiver.mjs"], { cwd: folder, env: environment, stdio: "inherit" });
      receivers.push(child);
      const url = `http://127.0.0.1:${environment.PORT}/`;
      await expect.poll(async () => (await fetch(url)).status).toBe(400);
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
  const endpoint = { url: `http://localhost:${PORT}/hooks`, types: ["deposit", "withdrawal"] } as const;
  const { id, secret } = await webhooks.create(endpoint);
  onTestFinished(() => webhooks.delete(id));
  const receiver = receiverIn(folder, { PORT, WEBHOOK_SECRET: secret });
  onTestFinished(receiver.kill);
  await receiver.start();

  /** The stored events of a user, by id. Other tests use the same stack. */
  function eventsOf({ userId }: Wallet): string[] {
    const events = readdirSync(folder)
      .filter((file) => file.startsWith("msg_"))
      .map((file) => eventSchema.parse(JSON.parse(readFileSync(join(folder, file), "utf8"))));
    return events.map((event) => event.id).filter((eventId) => eventId.startsWith(`${userId}/`));
  }
  const lastFailure = async () => (await webhooks.get(id)).lastFailure;

  // The publisher knows the endpoint after ten seconds at most.
  const early = walletOf(inject("apiUrl"), newUser("early"));
  await vi.waitFor(async () => {
    await posted(early.deposit(movement("USD", "1.00")));
    expect(eventsOf(early)).not.toEqual([]);
  }, DELIVERY);

  const alice = walletOf(inject("apiUrl"), newUser("alice"));
  const idsUpTo = (count: number) => Array.from({ length: count }, (_, index) => `${alice.userId}/${index + 1}`);
  const deposits = async (count: number) => {
    for (let step = 0; step < count; step++) await posted(alice.deposit(movement("USD", "1.00")));
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
