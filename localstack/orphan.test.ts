import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test, vi } from "vitest";

vi.setConfig({ testTimeout: 20_000 });

/** Prints "orphaned" to its standard error; ends after 20 s in any case. */
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

test("when the parent is killed, the process is called back", async () => {
  const parent = start('"$0" "$@" & wait', `${WATCHER} console.log("watching");`);
  await once(parent.stdout, "data");
  parent.kill("SIGKILL");
  expect(await text(parent.stderr)).toBe("orphaned\n");
});

test.runIf(process.platform === "linux")(
  "when the reader of its output ends, a process that writes nothing is called back",
  async () => {
    const { stderr } = start('"$0" "$@" | head -n 1', `${WATCHER} console.log("watching");`);
    expect(await text(stderr)).toBe("orphaned\n");
  },
);

test("when the reader of its output ends, a process that writes is called back at its next write", async () => {
  const child = start('exec "$0" "$@"', `${WATCHER} setInterval(() => console.log("here"), 50);`);
  await once(child.stdout, "data");
  child.stdout.destroy();
  expect(await text(child.stderr)).toBe("orphaned\n");
});
