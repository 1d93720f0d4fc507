import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import type { QueueRecord } from "../../lib/ledger/ports.ts";
import { sqsEvent } from "../../testkit/events.ts";
import type { FaultSource } from "./faults.ts";
import type { Invoked } from "./invocation.ts";
import type { Oracle } from "./oracle.ts";
import type { Plan } from "./plan.ts";
import { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import type { QueuedMessage, SqsModel } from "./sqs/model.ts";

interface Environment {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly faults: FaultSource;
  readonly sqs: SqsModel;
  readonly oracle: Oracle;
  readonly queueUrl: string;
  invoke(label: string, event: SQSEvent): Promise<Invoked<SQSBatchResponse>>;
}

const DUPLICATE_DELAY_MS_MAX = 20_000;
const POLL_MS = 10;
/** A clock can be this far behind a command and the wallet. */
const CLOCK_BEHIND_MS = 5000;

/** The event source mapping: receives batches, invokes the consumer, and deletes the records that did not fail. */
export class Consumers {
  readonly #environment: Environment;
  readonly #random: Random;
  #running = 0;
  #batches = 0;
  #polling = false;

  constructor(environment: Environment) {
    this.#environment = environment;
    this.#random = new Random(environment.plan.seed, "batches");
  }

  /** Schedules a poll if a message can be received. */
  wake(): void {
    const { scheduler, sqs, queueUrl, plan } = this.#environment;
    if (this.#polling || this.#running >= plan.settings.consumersMax || !sqs.hasDeliverable(queueUrl)) return;
    this.#polling = true;
    scheduler.after(this.#random.latencyMs(POLL_MS), () => {
      this.#polling = false;
      this.#poll();
    });
  }

  #poll(): void {
    const { scheduler, faults, sqs, queueUrl, plan } = this.#environment;
    const size = this.#random.int(1, plan.settings.batchMax);
    const first = this.#random.chance(0.3);
    let taken = 0;
    // Every poll receives at least one message, so that a run ends.
    const batch = sqs.receive(queueUrl, size, () => first || taken++ === 0 || this.#random.chance(0.8));
    if (batch.length > 0) {
      const label = `consume${++this.#batches}`;
      void this.#handle(label, batch);
      if (faults.shouldInject("duplicate", label)) {
        scheduler.after(this.#random.next() * DUPLICATE_DELAY_MS_MAX, () => void this.#handle(`${label}b`, batch));
      }
      const visibleAtMs = Math.max(...batch.map((message) => message.visibleAtMs));
      scheduler.after(visibleAtMs - scheduler.nowMs + 1, () => this.wake());
    }
    this.wake();
  }

  async #handle(label: string, batch: readonly QueuedMessage[]): Promise<void> {
    this.#running++;
    const invoked = await this.#environment.invoke(label, sqsEvent(batch.map(toRecord)));
    this.#running--;
    if (invoked.kind === "answered") this.#finish(label, batch, invoked);
    this.wake();
  }

  #finish(
    label: string,
    batch: readonly QueuedMessage[],
    { value, invocation, touched }: Extract<Invoked<SQSBatchResponse>, { kind: "answered" }>,
  ): void {
    const { plan, faults, sqs, oracle, queueUrl } = this.#environment;
    const failed = new Set((value.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier));
    const known = new Set(batch.map(({ messageId }) => messageId));
    if ([...failed].some((id) => !known.has(id))) {
      oracle.fail("users isolated", `${label} reports a record that it was not given, which fails the whole batch`);
      return;
    }
    const blockedGroups = new Set<string>();
    for (const message of batch) {
      const { messageId, groupId } = message;
      if (oracle.isOfOtherVersion(message)) blockedGroups.add(groupId);
      if (!failed.has(messageId)) {
        oracle.acknowledged(message);
        if (blockedGroups.has(groupId)) oracle.fail("in order", `${messageId} goes ahead of one of another version`);
      } else if (
        !blockedGroups.has(groupId) &&
        // A consumer whose clock is behind fails what it can't decide yet.
        plan.faults.skewMs + plan.faults.consumerSkewMs <= CLOCK_BEHIND_MS / 2 &&
        !invocation.faultedUsers.has(groupId) &&
        !invocation.faultedUsers.has(undefined) &&
        !touched.has(groupId)
      ) {
        oracle.fail(
          "users isolated",
          `${label} reports ${messageId} of ${groupId} as failed, and nothing failed for it`,
        );
      }
    }
    if (faults.shouldInject("lostDelete", label)) return;
    for (const { messageId, receiptHandle = "" } of batch) {
      if (!failed.has(messageId)) sqs.delete(queueUrl, receiptHandle);
    }
  }
}

function toRecord({ messageId, groupId, body, receiveCount }: QueuedMessage): QueueRecord {
  return { recordId: messageId, groupId, body, isRedelivered: receiveCount > 1 };
}
