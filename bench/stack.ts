import { randomUUID } from "node:crypto";
import { run, startStack } from "../testkit/stack.ts";
import { Books } from "./books.ts";
import { type ByPart, cpuMsOf, memoryMbOf } from "./processes.ts";
import { Queue } from "./queue.ts";

/** A stack of the bench's own, on free ports. */
export interface BenchStack {
  readonly apiUrl: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly books: Books;
  readonly queue: Queue;
  /** CPU time so far, in milliseconds. */
  cpuMs(): ByPart;
  /** Resident memory, in MB. */
  memoryMb(): ByPart;
  /** @throws Error when a wallet is not the fold of its history */
  verify(): Promise<void>;
  stop(): Promise<unknown>;
}

/** @param folder the version of the code to run */
export async function startBenchStack(
  environment: Readonly<Record<string, string>> = {},
  folder?: string,
): Promise<BenchStack> {
  const marker = randomUUID();
  const stack = await startStack({ ANTLER_BENCH: marker, ...environment }, folder);
  return {
    apiUrl: stack.apiUrl,
    environment: stack.environment,
    books: new Books(Number(stack.environment.DYNAMODB_PORT)),
    queue: new Queue(Number(stack.environment.AWS_PORT)),
    cpuMs: () => cpuMsOf(marker),
    memoryMb: () => memoryMbOf(marker),
    async verify() {
      const { code, output } = await run("scripts/verify.ts", [], stack.environment, folder);
      if (code !== 0) throw new Error(`The books do not verify: ${output}`);
    },
    stop: () => stack.stop(),
  };
}
