import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { AntlerError, type Wallet } from "../../packages/client/src/index.ts";
import { balanceOf, walletOf } from "../../testkit/client.ts";
import { stackForTest } from "../../testkit/perTest.ts";
import { refusedStart } from "../../testkit/processes.ts";
import { run } from "../../testkit/stack.ts";

const canMount = process.platform === "linux" && mountsTmpfs();

function mountsTmpfs(): boolean {
  const folder = mkdtempSync(join(tmpdir(), "antler-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]).status === 0;
  if (mounted) spawnSync("umount", [folder]);
  rmSync(folder, { recursive: true });
  return mounted;
}

/** A small file system that a test can fill to the last byte. */
function smallDisk() {
  const folder = mkdtempSync(join(tmpdir(), "antler-"));
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  // Lazy, because the stack of a failed test may still have files open in it.
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
    free() {
      for (const name of readdirSync(folder)) if (name.startsWith("filler-")) rmSync(join(folder, name));
    },
  };
}

describe.runIf(canMount)("a full disk (skipped where no tmpfs can be mounted)", () => {
  test("during a load: the API answers 503, no command is lost or doubled, and the log names the reason", async () => {
    const disk = smallDisk();
    const stack = await stackForTest({ DATA_DIR: disk.dataDir });
    const wallets = Array.from({ length: 10 }, () => walletOf(stack.apiUrl));
    const accepted = new Map<Wallet, number>();
    let unavailable = 0;
    let isOver = false;
    const load = wallets.map(async (wallet) => {
      let step = 0;
      while (!isOver) {
        try {
          await wallet.deposit({ currency: "USD", amount: "1.00", idempotencyKey: `key-${step}` });
          step++;
        } catch (error) {
          if (!(error instanceof AntlerError) || error.code !== "unavailable") throw error;
          unavailable++;
          await setTimeout(50);
        }
      }
      accepted.set(wallet, step);
    });

    await setTimeout(500);
    disk.fill();
    await setTimeout(1500);
    expect(unavailable).toBeGreaterThan(0);
    expect(await wallets[0]?.balances()).toMatchObject({ status: "active" });
    disk.free();
    await setTimeout(500);
    isOver = true;
    await Promise.all(load);

    // A failed batch is delivered again when its visibility timeout of 60 s ends.
    const deadline = Date.now() + 120_000;
    for (const wallet of wallets) {
      const count = accepted.get(wallet) ?? 0;
      const sequence = async () => (await wallet.balances()).sequence;
      await expect.poll(sequence, { timeout: deadline - Date.now(), interval: 200 }).toBe(count);
      expect(await balanceOf(wallet, "USD")).toBe(`${count}.00`);
    }
    expect(await run("scripts/verify.ts", [], stack.environment)).toMatchObject({ code: 0 });
    const log = readFileSync(/Log +(\S+)/.exec(stack.output())?.[1] ?? "", "utf8");
    expect(log).toContain("database or disk is full");
  }, 240_000);

  test("at the start: npm start prints the reason in one line and ends", async () => {
    const disk = smallDisk();
    disk.fill();
    const { code, output } = await refusedStart({ DATA_DIR: disk.dataDir });
    expect(output).toMatch(/^DATA_DIR=.+: .*(disk|ENOSPC).*\n$/);
    expect(code).toBe(1);
  });
});
