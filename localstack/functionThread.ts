import { randomUUID } from "node:crypto";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import { measurements } from "../lib/runtime/metrics.ts";
import { type EventSource, mapEventSource } from "./eventSourceMapping.ts";

/**
 * The function of an event source mapping, in its own thread: as on AWS, a busy API must not delay commands. When the
 * thread gets a message, it ends after the batches in progress.
 */
export interface FunctionThread {
  readonly source: EventSource;
  /** The same bundle as on AWS. */
  readonly file: string;
  readonly exportName: string;
  readonly timeoutSeconds: number;
}

const { source, file, exportName, timeoutSeconds }: FunctionThread = workerData;
const { [exportName]: handler } = await import(pathToFileURL(file).href);

// A diagnostics channel does not cross threads: the main thread publishes the measurements of a batch again.
const recorded: unknown[] = [];
measurements.subscribe((measurement) => recorded.push(measurement));

const stop = mapEventSource(source, async (event) => {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`The function did not end within ${timeoutSeconds} s`)),
      timeoutSeconds * 1000,
    );
  });
  try {
    return await Promise.race([handler(event, { awsRequestId: randomUUID() }), timeout]);
  } finally {
    clearTimeout(timer);
    parentPort?.postMessage(recorded.splice(0));
  }
});

parentPort?.once("message", async () => {
  await stop();
  process.exit();
});
