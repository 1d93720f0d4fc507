import { readFileSync, writeFileSync } from "node:fs";

/**
 * Runs one function in a process that has nothing else in it: imports the bundle, calls it with each event in turn, and
 * writes what that took. It is JavaScript because Node would load a compiler into the process for TypeScript.
 */
const MEMORY_EVERY_CALLS = 1000;

const [bundleFile, eventsFile, resultFile] = process.argv.slice(2);
const events = JSON.parse(readFileSync(eventsFile, "utf8"));
const context = { awsRequestId: "fitness" };

const start = now();
const { handler } = await import(bundleFile);
const imported = now();
const memory = [memoryAfter(0)];
// Made before, so that what grows is the function's.
const callsCpuMs = new Float64Array(events.length);
let firstCalled;
let answer;
for (const [index, event] of events.entries()) {
  const before = now();
  answer = await handler(event, context);
  const after = now();
  firstCalled ??= after;
  callsCpuMs[index] = after.cpuMs - before.cpuMs;
  if ((index + 1) % MEMORY_EVERY_CALLS === 0) memory.push(memoryAfter(index + 1));
}
const importing = between(start, imported);
const firstCall = between(imported, firstCalled);
// The clock of performance.now() and the CPU time both begin with the process.
const result = { importing, firstCall, whole: firstCalled, callsCpuMs: [...callsCpuMs], memory, answer };
writeFileSync(resultFile, JSON.stringify(result));
process.exit();

function now() {
  const { user, system } = process.cpuUsage();
  return { wallMs: performance.now(), cpuMs: (user + system) / 1000 };
}

function between(before, after) {
  return { wallMs: after.wallMs - before.wallMs, cpuMs: after.cpuMs - before.cpuMs };
}

/** What stays in memory: what nobody refers to any more is collected first. */
function memoryAfter(callCount) {
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  return { calls: callCount, rss, heapUsed };
}
