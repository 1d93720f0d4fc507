import { randomUUID } from "node:crypto";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import { measurements } from "../lib/runtime/metrics.ts";
import { type EventSource, mapEventSource } from "./eventSourceMapping.ts";

/**
 * A function that a queue feeds, in a thread of its own: on AWS it shares no processor with the API either, and a busy
 * API must not keep commands waiting. A message to the thread ends it once the batches under way are done.
 */
export interface FunctionThread {
  readonly source: EventSource;
  /** The bundle that a deploy would send. */
  readonly file: string;
  readonly exportName: string;
  readonly timeoutSeconds: number;
}

const { source, file, exportName, timeoutSeconds }: FunctionThread = workerData;
const { [exportName]: handler } = await import(pathToFileURL(file).href);

// The channel ends with the thread: whoever listens is in the main one.
measurements.subscribe((measurement) => parentPort?.postMessage(measurement));

const stop = mapEventSource(source, async (event) => {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`The function has not ended within ${timeoutSeconds} s`)),
      timeoutSeconds * 1000,
    );
  });
  try {
    return await Promise.race([handler(event, { awsRequestId: randomUUID() }), timeout]);
  } finally {
    clearTimeout(timer);
  }
});

parentPort?.once("message", async () => {
  await stop();
  process.exit();
});
