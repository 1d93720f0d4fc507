import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
} from "@aws-sdk/client-sqs";
import { BatchGetCommand, GetCommand, PutCommand, TransactWriteCommand } from "@aws-sdk/lib-dynamodb";
import { dynamo as realClient } from "../../lib/aws/clients.ts";
import { type Disturbance, prepare } from "./dynamo/documentClient.ts";
import { type DynamoModel, serviceError } from "./dynamo/model.ts";
import type { FaultSource } from "./faults.ts";
import type { Invocation } from "./invocation.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import type { QueuedMessage, SqsModel } from "./sqs/model.ts";

/** As in lib/aws/clients.ts. */
const ATTEMPTS_MAX = 2;
const REQUEST_TIMEOUT_MS = 1500;
const LATE_EFFECT_MS_MAX = 4000;
const STALL_MS_MIN = 61_000;
const STALL_MS_MAX = 700_000;
/** No answer takes longer in good times. */
const SLOW_MS = 500;

type Answer = { readonly ok: true; readonly value: object } | { readonly ok: false; readonly error: Error };

/** What one send asks of a service, at whatever moment it gets there. */
interface Ask {
  readonly label: string;
  /** Whose request it is; nobody's is everybody's. */
  readonly userIds: readonly string[];
  /** A read has no effect that could be late or whose answer could be lost. */
  readonly writes: boolean;
  /** Has cancellation reasons. */
  readonly transacts: boolean;
  /** May come back with a part only. */
  readonly batches: boolean;
  act(disturbance?: Disturbance): object;
}

interface Surroundings {
  readonly scheduler: Scheduler;
  readonly faults: FaultSource;
  readonly dynamo: DynamoModel;
  readonly sqs: SqsModel;
  readonly latencyMs: number;
  /** Ids of transactions that the store never takes a decision of. */
  readonly invalidWriteIds: ReadonlySet<string>;
  /** Comes to an await: true when the invocation dies there. */
  dies(invocation: Invocation, place: string): boolean;
  /** A planted fault struck an invocation, where it deals with a user or with what concerns all. */
  faulted(invocation: Invocation, userId: string | undefined): void;
  /** Whose request the service is at. */
  acting(invocation: Invocation | undefined): void;
  note(text: string): void;
}

/** The SDK's `send`: the way to the service and back, the SDK's own second attempt, and all that can go wrong there. */
export class Services {
  readonly #around: Surroundings;
  #tokens = 0;

  constructor(surroundings: Surroundings) {
    this.#around = surroundings;
  }

  send(invocation: Invocation, command: object): Promise<object> {
    const ask = this.#askOf(invocation, command);
    return new Promise((resolve, reject) => {
      if (invocation.dead) return;
      if (this.#around.dies(invocation, `${ask.label} before`)) return;
      this.#attempt(invocation, ask, 1, (answer) => {
        if (invocation.dead || this.#around.dies(invocation, `${ask.label} after`)) return;
        if (answer.ok) resolve(answer.value);
        else reject(answer.error);
      });
    });
  }

  #attempt(invocation: Invocation, ask: Ask, attempt: number, done: (answer: Answer) => void): void {
    const { scheduler } = this.#around;
    const sentAtMs = scheduler.nowMs;
    this.#travel(invocation, ask, `${ask.label}.${attempt}`, (answer) => {
      if (invocation.dead) return;
      if (scheduler.nowMs - sentAtMs > SLOW_MS) invocation.slowed = true;
      if (answer.ok || attempt === ATTEMPTS_MAX || !isRetried(answer.error)) done(answer);
      else scheduler.after(50 + 50 * invocation.random.next(), () => this.#again(invocation, ask, attempt + 1, done));
    });
  }

  #again(invocation: Invocation, ask: Ask, attempt: number, done: (answer: Answer) => void): void {
    if (!invocation.dead) this.#attempt(invocation, ask, attempt, done);
  }

  /** One request to the service and its answer. What has left arrives even when the sender dies on the way. */
  #travel(invocation: Invocation, ask: Ask, place: string, deliver: (answer: Answer) => void): void {
    const { scheduler, faults, latencyMs } = this.#around;
    const { random } = invocation;
    const arrivesMs = random.latencyMs(latencyMs);
    const returnsMs = random.latencyMs(latencyMs);
    const markFaulted = (costsMs: number) => this.#markFaulted(invocation, ask, costsMs);
    const fail = (error: Error, afterMs: number) => {
      markFaulted(afterMs);
      scheduler.after(afterMs, () => {
        markFaulted(afterMs);
        deliver({ ok: false, error });
      });
    };
    const deliverAfter = (afterMs: number) => (answer: Answer) => scheduler.after(afterMs, () => deliver(answer));
    const arrive = (afterMs: number, then: (answer: Answer) => void, disturbance?: Disturbance) =>
      scheduler.after(afterMs, () => then(this.#act(invocation, ask, place, disturbance)));

    const outage = faults.outageFor(ask.userIds, scheduler.nowMs);
    const failure = outage
      ? FAILURES[outage.how]()
      : faults.shouldInject("noEffect", place)
        ? random.pick([timeout, serverError, refused])()
        : undefined;
    if (failure) {
      fail(failure, waitsMs(failure, arrivesMs + returnsMs));
    } else if (ask.writes && faults.shouldInject("lostAnswer", place)) {
      const error = random.pick([timeout, serverError, reset])();
      arrive(arrivesMs, () => fail(error, waitsMs(error, arrivesMs + returnsMs) - arrivesMs));
    } else if (ask.writes && faults.shouldInject("lateEffect", place)) {
      arrive(REQUEST_TIMEOUT_MS + random.next() * LATE_EFFECT_MS_MAX, () => {});
      fail(timeout(), REQUEST_TIMEOUT_MS);
    } else if (faults.shouldInject("throttle", place)) {
      markFaulted(0);
      if (!(ask.transacts || ask.batches) || random.chance(0.3)) fail(throttle(), arrivesMs + returnsMs);
      else arrive(arrivesMs, deliverAfter(returnsMs), spoil(random.pick(THROTTLES), random));
    } else if (ask.writes && faults.shouldInject("conflict", place)) {
      markFaulted(0);
      if (!ask.transacts) fail(conflict(), arrivesMs + returnsMs);
      else arrive(arrivesMs, deliverAfter(returnsMs), spoil("TransactionConflict", random));
    } else if (ask.userIds.length > 0 && faults.shouldInject("stall", place)) {
      // Not a scan: what stands still is one container, and no other invocation can wait for it there.
      invocation.slowed = true;
      markFaulted(STALL_MS_MIN);
      arrive(arrivesMs, deliverAfter(STALL_MS_MIN + random.next() * (STALL_MS_MAX - STALL_MS_MIN)));
    } else {
      arrive(arrivesMs, deliverAfter(returnsMs));
    }
  }

  /** What several users share each of them can still have alone, unless it took the time for that. */
  #markFaulted(invocation: Invocation, { userIds }: Ask, costsMs: number): void {
    if (userIds.length > 1 && costsMs < REQUEST_TIMEOUT_MS) return;
    for (const userId of userIds.length > 0 ? userIds : [undefined]) this.#around.faulted(invocation, userId);
  }

  #act(invocation: Invocation, ask: Ask, place: string, disturbance: Disturbance | undefined): Answer {
    this.#around.acting(invocation);
    try {
      const value = ask.act(disturbance);
      this.#around.note(`${place} ok`);
      return { ok: true, value };
    } catch (error) {
      if (!(error instanceof Error) || !("$metadata" in error)) throw error;
      this.#around.note(`${place} ${error.name}`);
      return { ok: false, error };
    } finally {
      this.#around.acting(undefined);
    }
  }

  /** What an operator's tool does with a queue. */
  #receiverOf(command: object): (() => object) | undefined {
    const { sqs } = this.#around;
    if (command instanceof ReceiveMessageCommand) {
      const { QueueUrl = "", MaxNumberOfMessages = 1, VisibilityTimeout = 0 } = command.input;
      return () => ({
        Messages: sqs.receive(QueueUrl, MaxNumberOfMessages, undefined, VisibilityTimeout * 1000).map(toMessage),
      });
    }
    if (command instanceof ChangeMessageVisibilityBatchCommand) {
      const { QueueUrl = "", Entries = [] } = command.input;
      return () => {
        for (const { ReceiptHandle = "" } of Entries) sqs.release(QueueUrl, ReceiptHandle);
        return {};
      };
    }
    if (command instanceof DeleteMessageCommand) {
      const { QueueUrl = "", ReceiptHandle = "" } = command.input;
      return () => ({ deleted: sqs.delete(QueueUrl, ReceiptHandle) });
    }
    return undefined;
  }

  #askOf(invocation: Invocation, command: object): Ask {
    const { dynamo, sqs, invalidWriteIds } = this.#around;
    const name = command.constructor.name.replace("Command", "");
    const label = `${invocation.label}/${++invocation.awaits} ${name}`;
    const read = this.#receiverOf(command);
    if (read) return { label, userIds: [], writes: true, transacts: false, batches: false, act: read };
    if (command instanceof SendMessageCommand) {
      const { QueueUrl = "", MessageGroupId = "", MessageDeduplicationId = "", MessageBody = "" } = command.input;
      const attributes = Object.entries(command.input.MessageAttributes ?? {});
      const sent = {
        groupId: MessageGroupId,
        deduplicationId: MessageDeduplicationId,
        body: MessageBody,
        attributes: Object.fromEntries(attributes.map(([key, value]) => [key, value.StringValue ?? ""])),
      };
      const act = () => ({ MessageId: sqs.send(QueueUrl, sent) });
      return { label, userIds: [MessageGroupId], writes: true, transacts: false, batches: false, act };
    }
    const request = prepare(command, realClient.config.translateConfig ?? {}, `token-${++this.#tokens}`);
    const transacts = command instanceof TransactWriteCommand;
    return {
      label,
      userIds: [...ownersOf(command)],
      writes: transacts || command instanceof PutCommand,
      transacts,
      batches: command instanceof BatchGetCommand,
      act: (disturbance) => {
        const ids = transacts ? (command.input.TransactItems ?? []).map(({ Update }) => String(Update?.Key?.id)) : [];
        if (ids.some((id) => invalidWriteIds.has(id))) {
          throw serviceError("ValidationException", "Item size to update has exceeded the maximum allowed size");
        }
        return request(dynamo, disturbance);
      },
    };
  }
}

function toMessage({ messageId, receiptHandle, body, groupId, sentAtMs, attributes }: QueuedMessage): Message {
  const own = Object.entries(attributes).map(([name, StringValue]) => [name, { DataType: "String", StringValue }]);
  return {
    MessageId: messageId,
    ReceiptHandle: receiptHandle,
    Body: body,
    Attributes: { MessageGroupId: groupId, SentTimestamp: String(Math.floor(sentAtMs)) },
    MessageAttributes: Object.fromEntries(own),
  };
}

function ownersOf(command: object): Set<string> {
  return new Set(keysOf(command).map((key) => String(key?.userId)));
}

function keysOf(command: object): readonly (Readonly<Record<string, unknown>> | undefined)[] {
  if (command instanceof PutCommand) return [command.input.Item];
  if (command instanceof GetCommand) return [command.input.Key];
  if (command instanceof BatchGetCommand) {
    return Object.values(command.input.RequestItems ?? {}).flatMap(({ Keys = [] }) => Keys);
  }
  if (command instanceof TransactWriteCommand) {
    return (command.input.TransactItems ?? []).map(({ Update }) => Update?.Key);
  }
  return [];
}

function spoil(code: string, random: Random): Disturbance {
  return {
    reasons(reasons) {
      const struck = random.int(0, reasons.length - 1);
      return reasons.map((reason, index) => (index === struck ? { Code: code, Message: code } : reason));
    },
    unprocessed: () => random.chance(0.5),
  };
}

/** What the SDK's standard retry strategy tries once more by itself; not a cancelled transaction. */
function isRetried(error: Error): boolean {
  const status = "$metadata" in error ? (error.$metadata as { httpStatusCode?: number }).httpStatusCode : 0;
  return (status ?? 0) >= 500 || "code" in error || ["TimeoutError", "ThrottlingException"].includes(error.name);
}

/** Nobody knows that there is no answer before the time is over. */
function waitsMs(error: Error, latencyMs: number): number {
  return error.name === "TimeoutError" ? REQUEST_TIMEOUT_MS : latencyMs;
}

const THROTTLES = ["ThrottlingError", "ProvisionedThroughputExceeded"];
const FAILURES = { timeout, throttle, error: serverError };

function timeout(): Error {
  return Object.assign(new Error("The request timed out"), { name: "TimeoutError" });
}

function refused(): Error {
  return Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
}

function reset(): Error {
  return Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
}

function serverError(): Error {
  return serviceError("InternalServerError", "Internal server error", 500);
}

function throttle(): Error {
  return serviceError("ThrottlingException", "Throughput exceeds the current capacity of your table or index");
}

function conflict(): Error {
  return serviceError("TransactionConflictException", "Transaction is ongoing for the item");
}
