import { randomUUID } from "node:crypto";
import { run, startStack } from "../test/support/stack.ts";
import { Books } from "./books.ts";
import { type CpuMs, cpuOf } from "./processes.ts";

/** A stack of the bench's own, on free ports. */
export interface BenchStack {
  readonly apiUrl: string;
  readonly books: Books;
  /** CPU time so far, by the part that each process plays. */
  cpu(): CpuMs;
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
    books: new Books(Number(stack.environment.DYNAMODB_PORT)),
    cpu: () => cpuOf(marker),
    async verify() {
      const { code, output } = await run("scripts/verify.ts", [], stack.environment, folder);
      if (code !== 0) throw new Error(`The books do not verify: ${output}`);
    },
    stop: () => stack.stop(),
  };
}
