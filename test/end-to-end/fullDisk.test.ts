import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { Client, newUser, problemIn, transactionIn } from "../../testkit/client.ts";
import { refusedStart } from "../../testkit/processes.ts";
import { run, startStack } from "../../testkit/stack.ts";

const canMount = process.platform === "linux" && mountsTmpfs();

function mountsTmpfs(): boolean {
  const folder = mkdtempSync(join(tmpdir(), "antler-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]).status === 0;
  if (mounted) spawnSync("umount", [folder]);
  rmSync(folder, { recursive: true });
  return mounted;
}

/** A small disk of its own, with a way to fill it to the last byte and to make room again. */
function smallDisk() {
  const folder = mkdtempSync(join(tmpdir(), "antler-"));
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  // Lazily, because a stack that dies of a failed test may still have it open.
  onTestFinished(() => {
    spawnSync("umount", ["-l", folder]);
    rmSync(folder, { recursive: true });
  });
  return {
    dataDir: join(folder, "data"),
    fill() {
      for (const size of [1 << 20, 4096, 1]) {
        try {
          for (let index = 0; ; index++) writeFileSync(join(folder, `filler-${size}-${index}`), Buffer.alloc(size));
        } catch (error) {
          if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
        }
      }
    },
    makeRoom() {
      for (const name of readdirSync(folder)) if (name.startsWith("filler-")) rmSync(join(folder, name));
    },
  };
}

describe.runIf(canMount)("a disk that is full (skipped where no tmpfs can be mounted)", () => {
  test("in the middle of a load, refuses with 503, loses and doubles nothing, and is said in the log", async () => {
    const disk = smallDisk();
    const stack = await startStack({ DATA_DIR: disk.dataDir });
    onTestFinished(() => stack.stop().then(() => {}));
    const clients = Array.from({ length: 10 }, () => new Client(stack.apiUrl, newUser()));
    const accepted = new Map<Client, number>();
    let refused = 0;
    let over = false;
    const load = clients.map(async (client) => {
      let step = 0;
      while (!over) {
        const answer = await client.deposit("USD", "1.00", { key: `key-${step}` });
        if (answer.status === 503) {
          expect(problemIn(answer, 503).code).toBe("unavailable");
          expect(answer.headers.get("retry-after")).toBe("1");
          refused++;
          await setTimeout(50);
        } else {
          transactionIn(answer, 202);
          step++;
        }
      }
      accepted.set(client, step);
    });

    await setTimeout(500);
    disk.fill();
    await setTimeout(1500);
    expect(refused).toBeGreaterThan(0);
    const [first] = clients;
    // Reading needs no room.
    expect((await first?.get("balances"))?.status).toBe(200);
    disk.makeRoom();
    await setTimeout(500);
    over = true;
    await Promise.all(load);

    // A delivery that failed comes back when its visibility timeout of 60 s ends.
    const deadline = Date.now() + 120_000;
    for (const client of clients) {
      const count = accepted.get(client) ?? 0;
      while ((await client.balances()).sequence < count && Date.now() < deadline) await setTimeout(200);
      expect(await client.balances()).toMatchObject({ sequence: count });
      expect(await client.balance("USD")).toBe(`${count}.00`);
    }
    expect(await run("scripts/verify.ts", [], stack.environment)).toMatchObject({ code: 0 });
    const log = readFileSync(/Log +(\S+)/.exec(stack.output())?.[1] ?? "", "utf8");
    expect(log).toContain("database or disk is full");
  }, 240_000);

  test("at the start, is said in one line", async () => {
    const disk = smallDisk();
    disk.fill();
    const { code, output } = await refusedStart({ DATA_DIR: disk.dataDir });
    expect(output).toMatch(/^DATA_DIR=.+: .*(disk|ENOSPC).*\n$/);
    expect(code).toBe(1);
  });
});
