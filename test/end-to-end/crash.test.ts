import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Client, newUser, transactionIn } from "../support/client.ts";
import { run, startStack } from "../support/stack.ts";

test("a stack that is killed in the middle of a load decides every acknowledged command once after its restart", async () => {
  const folder = mkdtempSync(join(tmpdir(), "antler-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const first = await startStack({ DATA_DIR: folder });
  const users = Array.from({ length: 20 }, () => newUser());
  const sent: { user: string; key: string; id: string | undefined }[] = [];
  const load = users.map(async (user) => {
    const client = new Client(first.apiUrl, user);
    for (;;) {
      const command: (typeof sent)[number] = { user, key: randomUUID(), id: undefined };
      sent.push(command);
      command.id = transactionIn(await client.deposit("USD", "1.00", { key: command.key }), 202).id;
      if (sent.length > 300) first.process.kill("SIGKILL");
    }
  });
  await Promise.allSettled(load);
  expect(sent.filter(({ id }) => id).length).toBeGreaterThan(100);

  const second = await startStack(first.environment);
  onTestFinished(() => second.stop().then(() => {}));
  for (const command of sent) {
    const client = new Client(second.apiUrl, command.user);
    command.id ??= transactionIn(await client.deposit("USD", "1.00", { key: command.key }), 202).id;
  }
  // What was in flight when the consumer died comes back when its visibility timeout of 60 s ends.
  for (const { user, id } of sent) {
    const { status } = await new Client(second.apiUrl, user).decided(id ?? "", 100_000);
    expect(status).toBe("posted");
  }
  for (const user of users) {
    const count = sent.filter((command) => command.user === user).length;
    expect(await new Client(second.apiUrl, user).balance("USD")).toBe(`${count}.00`);
  }
  const { code, output } = await run("scripts/verify.ts", [], second.environment);
  expect(output).toContain(`${sent.length} posted, 0 rejected, 0 pending`);
  expect(code).toBe(0);
}, 180_000);
