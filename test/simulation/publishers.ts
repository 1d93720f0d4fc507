import type { DynamoDBBatchResponse, DynamoDBStreamEvent } from "aws-lambda";
import { APPLY_MS_MAX, type Change } from "./dynamo/model.ts";
import type { FaultSource } from "./faults.ts";
import type { Invoked } from "./invocation.ts";
import type { Oracle } from "./oracle.ts";
import type { Plan } from "./plan.ts";
import { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

interface Environment {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly faults: FaultSource;
  readonly oracle: Oracle;
  invoke(label: string, event: DynamoDBStreamEvent): Promise<Invoked<DynamoDBBatchResponse>>;
}

type StreamRecord = DynamoDBStreamEvent["Records"][number];

/** A part of the stream. All writes of one wallet are in one shard, in order. */
interface Shard {
  readonly name: string;
  /** Those that no invocation has finished. */
  records: StreamRecord[];
  isActive: boolean;
  /** When all items of the newest write are visible. */
  appliedAtMs: number;
  /** Invocations in a row that did not finish a record. */
  failures: number;
}

const SHARDS = 2;
const POLL_MS = 10;
const DUPLICATE_DELAY_MS_MAX = 20_000;
/** So many invocations in a row can fail by faults. */
const FAILURES_MAX = 10;
const PAUSE_FIRST_MS = 100;
const PAUSE_MAX_MS = 60_000;

/** The stream of the wallets table and its event source mapping: each shard's records go to the publisher in order. */
export class Publishers {
  readonly #environment: Environment;
  readonly #random: Random;
  readonly #shards: readonly Shard[];
  #records = 0;
  #batches = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
    this.#random = new Random(environment.plan.seed, "stream");
    this.#shards = Array.from({ length: SHARDS }, (_, index) => ({
      name: `shard${index}`,
      records: [],
      isActive: false,
      appliedAtMs: 0,
      failures: 0,
    }));
  }

  /** A wallet was written. */
  wrote({ before, after }: Change): void {
    const userId = after.userId?.S ?? "";
    const shard = this.#shards[new Random(0, userId).int(0, SHARDS - 1)];
    if (!shard) return;
    shard.appliedAtMs = this.#environment.scheduler.nowMs + APPLY_MS_MAX;
    const SequenceNumber = String(++this.#records).padStart(21, "0");
    shard.records.push({
      eventName: before ? "MODIFY" : "INSERT",
      dynamodb: {
        SequenceNumber,
        Keys: { userId: { S: userId } },
        ...(before && { OldImage: image(before) }),
        NewImage: image(after),
      },
    });
    this.#wake(shard, this.#random.latencyMs(POLL_MS));
  }

  /** Records that no invocation has finished. */
  get left(): number {
    return this.#shards.reduce((sum, { records }) => sum + records.length, 0);
  }

  #wake(shard: Shard, afterMs: number): void {
    if (shard.isActive || shard.records.length === 0) return;
    shard.isActive = true;
    this.#environment.scheduler.after(afterMs, () => void this.#poll(shard));
  }

  async #poll(shard: Shard): Promise<void> {
    const { scheduler, faults, plan, oracle, invoke } = this.#environment;
    const batch = shard.records.slice(0, this.#random.int(1, plan.settings.batchMax));
    const label = `publish${++this.#batches}`;
    // A write with a hundred events is published as a whole.
    if (shard.failures >= FAILURES_MAX) faults.exempt(label);
    // Lambda can invoke a function twice with the same records.
    if (faults.shouldInject("duplicate", label)) {
      const delayMs = this.#random.next() * DUPLICATE_DELAY_MS_MAX;
      scheduler.after(delayMs, () => void invoke(`${label}b`, { Records: batch }));
    }
    const isApplied = scheduler.nowMs >= shard.appliedAtMs;
    const invoked = await invoke(label, { Records: batch });
    if (invoked.kind === "failed") oracle.fail("users isolated", `${label} fails as a whole: ${String(invoked.error)}`);
    const finished = invoked.kind === "answered" ? this.#finished(label, batch, invoked, isApplied) : 0;
    // A lost checkpoint delivers what is finished again.
    if (!faults.shouldInject("lostDelete", label)) shard.records = shard.records.slice(finished);
    shard.failures = finished > 0 ? 0 : shard.failures + 1;
    shard.isActive = false;
    const pauseMs = shard.failures === 0 ? POLL_MS : Math.min(PAUSE_FIRST_MS * 2 ** shard.failures, PAUSE_MAX_MS);
    this.#wake(shard, this.#random.latencyMs(1) + pauseMs);
  }

  /** @returns how many records of the batch the stream does not deliver again */
  #finished(
    label: string,
    batch: readonly StreamRecord[],
    { value, invocation }: Extract<Invoked<DynamoDBBatchResponse>, { kind: "answered" }>,
    isApplied: boolean,
  ): number {
    const { oracle } = this.#environment;
    const ids = new Set(value.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    const failed = batch.filter(({ dynamodb }) => ids.has(dynamodb?.SequenceNumber ?? ""));
    if (failed.length < ids.size) oracle.fail("published", `${label} reports a record that it was not given`);
    for (const { dynamodb } of failed) {
      const userId = dynamodb?.Keys?.userId?.S;
      const isExplained =
        !isApplied ||
        invocation.slowed ||
        invocation.faultedUsers.has(userId) ||
        invocation.faultedUsers.has(undefined);
      if (!isExplained) oracle.fail("users isolated", `${label} fails for ${userId}, and nothing failed for it`);
    }
    const [first] = failed;
    return first ? batch.indexOf(first) : batch.length;
  }
}

function image(item: Change["after"]) {
  return structuredClone(item) as NonNullable<StreamRecord["dynamodb"]>["NewImage"];
}
