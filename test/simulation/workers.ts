import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Job, JobResult } from "./worker.ts";

interface Report {
  readonly result?: JobResult;
  readonly error?: string;
}

interface Waiting {
  readonly job: Job;
  resolve(result: JobResult): void;
  reject(error: Error): void;
}

/** Threads that run plans; each has its own virtual clock and runs one plan at a time. */
export class Workers {
  readonly #waiting: Waiting[] = [];
  readonly #idle: Worker[];
  readonly #all: readonly Worker[];

  constructor(count = availableParallelism()) {
    this.#all = Array.from({ length: count }, () => {
      const environment = {
        ...process.env,
        POWERTOOLS_LOG_LEVEL: "SILENT",
        POWERTOOLS_METRICS_DISABLED: "true",
        AWS_REGION: "us-east-1",
      };
      return new Worker(new URL("./worker.ts", import.meta.url), { env: environment, execArgv: [] });
    });
    this.#idle = [...this.#all];
  }

  do(job: Job): Promise<JobResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject });
      this.#next();
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((worker) => worker.terminate()));
  }

  #next(): void {
    const worker = this.#idle.pop();
    if (!worker) return;
    const waiting = this.#waiting.shift();
    if (!waiting) {
      this.#idle.push(worker);
      return;
    }
    const fail = (error: unknown) => waiting.reject(error instanceof Error ? error : new Error(String(error)));
    worker.once("error", fail);
    worker.once("message", ({ result, error }: Report) => {
      worker.off("error", fail);
      this.#idle.push(worker);
      if (result) waiting.resolve(result);
      else waiting.reject(new Error(error));
      this.#next();
    });
    worker.postMessage(waiting.job);
  }
}
