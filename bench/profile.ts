import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { Bundle } from "../infra/bundle.ts";
import { readArguments } from "../scripts/command.ts";
import { median, sum } from "../scripts/statistics.ts";
import { table } from "../scripts/table.ts";
import { httpEvent } from "../testkit/events.ts";
import { type Invocation, passCommands, startFunctionBench } from "./lambda.ts";
import { medians, type Run } from "./measure.ts";
import { createUser } from "./workloads.ts";

const USAGE = `Usage: npm run profile

The size of each function, the CPU time of a cold start and of a warm call, and its memory over many calls. The functions run as
a deploy bundles them, each in a process of its own, against the embedded engines.`;

const COLD_STARTS = 20;
const WARM_UP_CALLS = 100;
const CALLS = 1000;
const PACKAGE = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/;
const EMPTY_FUNCTION = "data:text/javascript,export const handler = async () => ({ statusCode: 200 });";

readArguments({ usage: USAGE, usesLocalSettings: true });
await using bench = await startFunctionBench();
const { userId, token } = await createUser();
const readEvent = httpEvent({ pathParameters: { userId }, headers: { authorization: `Bearer ${token}` } });
console.log(table(bench.bundles.map(sizes)));
console.log(`\n${table(await coldStarts())}`);
console.log(`\n${table(await warmCalls())}`);

function sizes({ name, file, bytes, sources }: Bundle) {
  const byPackage = Map.groupBy(sources, ([source]) => PACKAGE.exec(source)?.[1] ?? "Antler");
  const parts = [...byPackage].map(([part, files]) => ({ part, size: sum(files.map(([, size]) => size)) }));
  const largest = parts.sort((a, b) => b.size - a.size).slice(0, 6);
  const text = largest.map(({ part, size }) => `${part} ${size}`).join(", ");
  return { function: name, bytes, gzipped: gzipSync(readFileSync(file)).byteLength, "largest parts, bytes": text };
}

async function coldStarts() {
  const runs = new Map<string, Run[]>();
  const coldCall = async (name: string, event: object, module = name) => {
    using lambda = await bench.start(module);
    const invocation = await lambda.invoke(event);
    const [firstCall, whole] = [invocation.cpuMs, lambda.startMs + invocation.cpuMs];
    const run = { import: lambda.importMs, "first call": firstCall, whole };
    runs.set(name, [...(runs.get(name) ?? []), run]);
    return invocation;
  };
  for (let round = 1; round <= COLD_STARTS; round++) {
    await coldCall("an empty function", {}, EMPTY_FUNCTION);
    const accept = (event: object) => coldCall("commands", event);
    await passCommands({ commands: 1, batch: 1, users: 1 }, { accept, consume: (event) => coldCall("consume", event) });
    for (const name of ["balances", "openapi"]) await coldCall(name, readEvent);
  }
  const wholeMs = (name: string) => median((runs.get(name) ?? []).map(({ whole = Number.NaN }) => whole));
  return [...runs].map(([name, all]) => ({
    ...{ "cold start, CPU ms": name, ...medians(all) },
    "relative to empty": wholeMs(name) / wholeMs("an empty function"),
  }));
}

async function warmCalls() {
  const row = (name: string, invocations: readonly Invocation[]) => {
    const cpuMs = invocations.slice(WARM_UP_CALLS).map((invocation) => invocation.cpuMs);
    const memoryMbAfter = (calls: number) => invocations[calls - 1]?.memoryMb ?? Number.NaN;
    return {
      ...{ "warm call": name, calls: invocations.length, "CPU ms, median": median(cpuMs) },
      ...{ mean: sum(cpuMs) / cpuMs.length, "MB after 1 call": memoryMbAfter(1) },
      ...{ "after half": memoryMbAfter(invocations.length / 2), "after all": memoryMbAfter(invocations.length) },
    };
  };
  const [commands, consume] = [await bench.start("commands"), await bench.start("consume")];
  const functions = { accept: commands.invoke, consume: consume.invoke };
  const oneUser = await passCommands({ commands: 4 * CALLS, batch: 10, users: 1 }, functions);
  const tenUsers = await passCommands({ commands: 4 * CALLS, batch: 10, users: 10 }, functions);
  const balances = await bench.start("balances");
  const reads = [];
  for (let call = 1; call <= CALLS; call++) reads.push(await balances.invoke(readEvent));
  return [
    row("accept a deposit", oneUser.accepted),
    row("decide ten commands of one user", oneUser.consumed),
    row("decide ten commands of ten users", tenUsers.consumed),
    row("read balances", reads),
  ];
}
