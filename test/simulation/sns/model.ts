import type { Sent } from "../sqs/model.ts";

const DEDUPLICATION_MS = 5 * 60_000;

/** An SNS FIFO topic in high-throughput mode: order and deduplication per message group. */
export class TopicModel {
  readonly #nowMs: () => number;
  readonly #onArrival: (sent: Sent) => void;
  readonly #publishedAtMs = new Map<string, number>();

  /** @param onArrival called for everything that subscribers receive */
  constructor(nowMs: () => number, onArrival: (sent: Sent) => void) {
    this.#nowMs = nowMs;
    this.#onArrival = onArrival;
  }

  publish(sent: Sent): void {
    const key = JSON.stringify([sent.groupId, sent.deduplicationId]);
    const before = this.#publishedAtMs.get(key);
    if (before !== undefined && this.#nowMs() - before < DEDUPLICATION_MS) return;
    this.#publishedAtMs.set(key, this.#nowMs());
    this.#onArrival(sent);
  }
}
