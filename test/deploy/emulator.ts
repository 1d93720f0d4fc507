import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type Program, startProgram } from "../../localstack/process.ts";
import { collect } from "../../testkit/stack.ts";

const MINISTACK_VERSION = "1.5.33";
const VENV = join(import.meta.dirname, "../../.venv-deploy");
const PYTHON = join(VENV, "bin/python");
const READY_TIMEOUT_MS = 180_000;

/** Creates the Python environment of the emulator unless it exists. */
export async function installEmulator(): Promise<void> {
  if (await isInstalled()) return;
  await succeed("python3", ["-m", "venv", "--clear", VENV]);
  await succeed(PYTHON, ["-m", "pip", "install", "--quiet", `ministack==${MINISTACK_VERSION}`, "cryptography"]);
}

async function isInstalled(): Promise<boolean> {
  if (!existsSync(PYTHON)) return false;
  const versions = "import cryptography; from importlib.metadata import version; print(version('ministack'))";
  const { code, output } = await execute(PYTHON, ["-c", versions]);
  return code === 0 && output.trim() === MINISTACK_VERSION;
}

/**
 * Starts the emulator on the loopback interface and waits until it answers.
 *
 * @param environment the whole environment of the emulator, which passes it on to the functions
 * @param log file descriptor for the output of the emulator and the functions
 */
export async function startEmulator(
  port: number,
  environment: Readonly<Record<string, string>>,
  log: number,
): Promise<Program> {
  const program = startProgram(
    "The emulator",
    [join(VENV, "bin/ministack")],
    {
      ...environment,
      BIND_HOST: "127.0.0.1",
      GATEWAY_PORT: String(port),
      // The host of the queues' URLs, which the SDK connects to.
      MINISTACK_HOST: "127.0.0.1",
      LAMBDA_EXECUTOR: "local",
      // Disables listeners on fixed ports.
      IOT_MTLS_ENABLED: "0",
      SFTP_ENABLED: "0",
    },
    log,
  );
  let ended: string | undefined;
  program.ended.then((how) => {
    ended = how;
  });
  for (const deadline = Date.now() + READY_TIMEOUT_MS; Date.now() < deadline; await setTimeout(100)) {
    if (ended) throw new Error(ended);
    const response = await fetch(`http://127.0.0.1:${port}/_ministack/health`).catch(() => undefined);
    if (response?.ok) return program;
  }
  await program.stop();
  throw new Error(`The emulator is not ready after ${READY_TIMEOUT_MS / 1000} s`);
}

async function execute(command: string, args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const output = collect(child);
  const [code] = await once(child, "close");
  return { code, output: output() };
}

async function succeed(command: string, args: readonly string[]): Promise<void> {
  const { code, output } = await execute(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}: ${output}`);
}
