import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test, vi } from "vitest";

vi.setConfig({ testTimeout: 20_000 });

/** Says "orphaned" on its standard error; gives up on its own when nothing happens. */
const WATCHER = `
  import { onOrphaned } from ${JSON.stringify(new URL("orphan.ts", import.meta.url).href)};
  setTimeout(() => process.exit(1), 20_000);
  onOrphaned(() => {
    console.error("orphaned");
    process.exit();
  });
`;
const NODE = [process.execPath, "--input-type=module", "-e"];

function start(command: string, script: string) {
  const child = spawn("sh", ["-c", command, ...NODE, script], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  return child;
}

test("a process learns that its parent was killed", async () => {
  const parent = start('"$0" "$@" & wait', `${WATCHER} console.log("watching");`);
  await once(parent.stdout, "data");
  parent.kill("SIGKILL");
  expect(await text(parent.stderr)).toBe("orphaned\n");
});

test.runIf(process.platform === "linux")(
  "a process that writes nothing more learns that its reader has ended",
  async () => {
    const { stderr } = start('"$0" "$@" | head -n 1', `${WATCHER} console.log("watching");`);
    expect(await text(stderr)).toBe("orphaned\n");
  },
);

test("a process that writes learns at its next write that its reader has ended", async () => {
  const child = start('exec "$0" "$@"', `${WATCHER} setInterval(() => console.log("here"), 50);`);
  await once(child.stdout, "data");
  child.stdout.destroy();
  expect(await text(child.stderr)).toBe("orphaned\n");
});
