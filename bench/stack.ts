import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import * as z from "zod";
import { collect, launch, startStack } from "../testkit/stack.ts";
import { ledgerReader } from "./ledgerReader.ts";
import { readProcesses } from "./processes.ts";

const IDLE_TIMEOUT_MS = 600_000;
const POLL_MS = 100;
const PRINT_PEAK_KB = "data:text/javascript,process.on('exit',()=>console.log(process.resourceUsage().maxRSS))";

const size = z.number();
const queues = z.array(z.object({ name: z.string(), approximateMessageCount: size, approximateInflightCount: size }));

/** A stack for one measurement, on free ports. */
export type BenchStack = Awaited<ReturnType<typeof startBenchStack>>;

/** @param folder the checkout to run, another version of the code for instance */
export async function startBenchStack(environment: Readonly<Record<string, string>> = {}, folder?: string) {
  const marker = randomUUID();
  const stack = await startStack({ ANTLER_BENCH: marker, ...environment }, folder);
  return {
    apiUrl: stack.apiUrl,
    ledger: ledgerReader(stack.environment.DYNAMODB_PORT),
    resources: () => readProcesses(marker),
    /** Waits until the queue of commands is empty. */
    async untilIdle() {
      for (const deadlineMs = Date.now() + IDLE_TIMEOUT_MS; Date.now() < deadlineMs; await setTimeout(POLL_MS)) {
        const response = await fetch(`http://127.0.0.1:${stack.environment.AWS_PORT}/_fauxqs/queues`);
        const queue = queues.parse(await response.json()).find(({ name }) => name.endsWith("-commands.fifo"));
        if (queue && queue.approximateMessageCount + queue.approximateInflightCount === 0) return;
      }
      throw new Error(`Commands wait in the queue after ${IDLE_TIMEOUT_MS / 1000} s`);
    },
    /** @throws Error when a wallet differs from what its history adds up to */
    async verify() {
      const startMs = performance.now();
      const command = [process.execPath, "--import", PRINT_PEAK_KB, "scripts/verify.ts"] as const;
      const child = launch(stack.environment, command, folder);
      const output = collect(child);
      const [code] = await once(child, "close");
      if (code !== 0) throw new Error(`The ledger does not verify: ${output()}`);
      const lines = output().trimEnd().split("\n");
      const seconds = (performance.now() - startMs) / 1000;
      return { "verify prints": lines[0] ?? "", seconds, "peak MB": Number(lines.at(-1)) / 1024 };
    },
    [Symbol.asyncDispose]: async () => void (await stack.stop()),
  };
}
