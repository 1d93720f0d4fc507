import { randomUUID } from "node:crypto";
import { readlinkSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import { measurements } from "../lib/runtime/metrics.ts";
import { type EventSource, mapEventSource } from "./eventSourceMapping.ts";
import { mapStream, type StreamSource } from "./streamMapping.ts";

/**
 * The function of an event source mapping, in its own thread: as on AWS, a busy API must not delay commands. The message
 * "wake" makes a stream's mapping poll at once, and "stop" ends the thread after the batches in progress.
 */
export interface FunctionThread {
  readonly source: EventSource | StreamSource;
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

const invoke = async (event: unknown) => {
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
};

// On AWS, publishing has processors of its own. Here it must not take those that decide.
if ("streamArn" in source && process.platform === "linux") {
  const threadId = Number(basename(readlinkSync("/proc/thread-self")));
  setPriority(threadId, constants.priority.PRIORITY_LOW);
}

const { wake, stop } =
  "streamArn" in source ? mapStream(source, invoke) : { wake() {}, stop: mapEventSource(source, invoke) };

parentPort?.on("message", async (message) => {
  if (message === "wake") return wake();
  await stop();
  process.exit();
});
