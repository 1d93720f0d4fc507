import {
  BatchExecuteStatementCommand,
  BatchGetItemCommand,
  GetItemCommand,
  PutItemCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { PublishBatchCommand, type PublishBatchRequestEntry } from "@aws-sdk/client-sns";
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  SendMessageCommand,
  type SendMessageCommandInput,
} from "@aws-sdk/client-sqs";
import { APPLY_MS_MAX, type DynamoModel, type Item, serviceError, toInsert } from "./dynamo/model.ts";
import { type Disturbance, prepare } from "./dynamo/prepare.ts";
import type { FaultSource } from "./faults.ts";
import type { Invocation } from "./invocation.ts";
import { WEBHOOKS_URL } from "./plan.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import type { TopicModel } from "./sns/model.ts";
import type { QueuedMessage, Sent, SqsModel } from "./sqs/model.ts";

/** As in lib/aws/clients.ts. */
const ATTEMPTS_MAX = 2;
const REQUEST_TIMEOUT_MS = 1500;
/** Of SQS and SNS. */
const ENTRIES_MAX = 10;
const TRANSACTION_ITEMS_MAX = 100;
const LATE_EFFECT_MS_MAX = 4000;
const STALL_MS_MIN = 61_000;
const STALL_MS_MAX = 700_000;
/** Without faults no response takes longer. */
const SLOW_MS = 500;

type Answer = { readonly ok: true; readonly value: object } | { readonly ok: false; readonly error: Error };

/** One call of a service, executed when it arrives. */
interface ServiceCall {
  readonly label: string;
  /** The users whose items or messages it concerns; empty for what all share. */
  readonly userIds: readonly string[];
  /** Only a write can take effect late or without a response. */
  readonly writes: boolean;
  /** Has cancellation reasons. */
  readonly transacts: boolean;
  /** The response can be partial. */
  readonly batches: boolean;
  act(disturbance?: Disturbance): object;
}

interface Environment {
  readonly scheduler: Scheduler;
  readonly faults: FaultSource;
  readonly dynamo: DynamoModel;
  readonly sqs: SqsModel;
  readonly topic: TopicModel;
  readonly latencyMs: number;
  /** Transactions whose decision the store rejects as an invalid write. */
  readonly invalidWriteIds: ReadonlySet<string>;
  /** True if the invocation crashes at this await. */
  dies(invocation: Invocation, place: string): boolean;
  /** A fault was injected into an invocation, for one user or for all. */
  faulted(invocation: Invocation, userId: string | undefined): void;
  /** A message for a webhook endpoint arrived in the queue. */
  delivered(body: string): void;
  /** The invocation whose call is being executed. */
  acting(invocation: Invocation | undefined): void;
  note(text: string): void;
}

/** The SDK's `send`: the call, its response, the SDK's own retry, and the faults of all three. */
export class Services {
  readonly #environment: Environment;
  #tokens = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  send(invocation: Invocation, command: object): Promise<object> {
    const call = this.#toServiceCall(invocation, command);
    return new Promise((resolve, reject) => {
      if (invocation.dead) return;
      if (this.#environment.dies(invocation, `${call.label} before`)) return;
      this.#attempt(invocation, call, 1, (answer) => {
        if (invocation.dead || this.#environment.dies(invocation, `${call.label} after`)) return;
        if (answer.ok) resolve(answer.value);
        else reject(answer.error);
      });
    });
  }

  #attempt(invocation: Invocation, call: ServiceCall, attempt: number, done: (answer: Answer) => void): void {
    const { scheduler } = this.#environment;
    const sentAtMs = scheduler.nowMs;
    this.#travel(invocation, call, `${call.label}.${attempt}`, (answer) => {
      if (invocation.dead) return;
      if (scheduler.nowMs - sentAtMs > SLOW_MS) invocation.slowed = true;
      if (answer.ok || attempt === ATTEMPTS_MAX || !isRetried(answer.error)) done(answer);
      else scheduler.after(50 + 50 * invocation.random.next(), () => this.#again(invocation, call, attempt + 1, done));
    });
  }

  #again(invocation: Invocation, call: ServiceCall, attempt: number, done: (answer: Answer) => void): void {
    if (!invocation.dead) this.#attempt(invocation, call, attempt, done);
  }

  /** One request and its response. A sent request arrives even if the sender crashes. */
  #travel(invocation: Invocation, call: ServiceCall, place: string, deliver: (answer: Answer) => void): void {
    const { scheduler, faults, latencyMs } = this.#environment;
    const { random } = invocation;
    const arrivesMs = random.latencyMs(latencyMs);
    const returnsMs = random.latencyMs(latencyMs) + (call.transacts ? APPLY_MS_MAX : 0);
    const markFaulted = (costsMs: number) => this.#markFaulted(invocation, call, costsMs);
    const fail = (error: Error, afterMs: number) => {
      markFaulted(afterMs);
      scheduler.after(afterMs, () => {
        markFaulted(afterMs);
        deliver({ ok: false, error });
      });
    };
    const deliverAfter = (afterMs: number) => (answer: Answer) => scheduler.after(afterMs, () => deliver(answer));
    const arrive = (afterMs: number, then: (answer: Answer) => void, disturbance?: Disturbance) =>
      scheduler.after(afterMs, () => then(this.#act(invocation, call, place, disturbance)));

    const outage = faults.outageFor(call.userIds, scheduler.nowMs);
    const failure = outage
      ? FAILURES[outage.how]()
      : faults.shouldInject("noEffect", place)
        ? random.pick([timeout, serverError, refused])()
        : undefined;
    if (failure) {
      fail(failure, waitsMs(failure, arrivesMs + returnsMs));
    } else if (call.writes && faults.shouldInject("lostAnswer", place)) {
      const error = random.pick([timeout, serverError, reset])();
      arrive(arrivesMs, () => fail(error, waitsMs(error, arrivesMs + returnsMs) - arrivesMs));
    } else if (call.writes && faults.shouldInject("lateEffect", place)) {
      arrive(REQUEST_TIMEOUT_MS + random.next() * LATE_EFFECT_MS_MAX, () => {});
      fail(timeout(), REQUEST_TIMEOUT_MS);
    } else if (faults.shouldInject("throttle", place)) {
      markFaulted(0);
      if (!(call.transacts || call.batches) || random.chance(0.3)) fail(throttle(), arrivesMs + returnsMs);
      else arrive(arrivesMs, deliverAfter(returnsMs), spoil(random.pick(THROTTLES), random));
    } else if (call.writes && faults.shouldInject("conflict", place)) {
      markFaulted(0);
      if (!call.transacts) fail(conflict(), arrivesMs + returnsMs);
      else arrive(arrivesMs, deliverAfter(returnsMs), spoil("TransactionConflict", random));
    } else if (call.userIds.length > 0 && faults.shouldInject("stall", place)) {
      // Not for a scan: other invocations of the container can wait for the currencies.
      invocation.slowed = true;
      markFaulted(STALL_MS_MIN);
      arrive(arrivesMs, deliverAfter(STALL_MS_MIN + random.next() * (STALL_MS_MAX - STALL_MS_MIN)));
    } else {
      arrive(arrivesMs, deliverAfter(returnsMs));
    }
  }

  /** After a failed shared call the consumer tries each user alone, unless the failure used up the time. */
  #markFaulted(invocation: Invocation, { userIds, batches }: ServiceCall, costsMs: number): void {
    const isConsumer = invocation.label.startsWith("consume");
    if (isConsumer && userIds.length > 1 && costsMs < REQUEST_TIMEOUT_MS) return;
    // All users of a delivery wait for what some of them refer to.
    if (batches && costsMs >= REQUEST_TIMEOUT_MS) this.#environment.faulted(invocation, undefined);
    for (const userId of userIds.length > 0 ? userIds : [undefined]) this.#environment.faulted(invocation, userId);
  }

  #act(invocation: Invocation, call: ServiceCall, place: string, disturbance: Disturbance | undefined): Answer {
    this.#environment.acting(invocation);
    try {
      const value = call.act(disturbance);
      this.#environment.note(`${place} ok`);
      return { ok: true, value };
    } catch (error) {
      if (!(error instanceof Error) || !("$metadata" in error)) throw error;
      this.#environment.note(`${place} ${error.name}`);
      return { ok: false, error };
    } finally {
      this.#environment.acting(undefined);
    }
  }

  /** The queue calls of the operator's tools. */
  #receiverOf(command: object): (() => object) | undefined {
    const { sqs } = this.#environment;
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

  #toServiceCall(invocation: Invocation, command: object): ServiceCall {
    const { dynamo, sqs, invalidWriteIds } = this.#environment;
    const name = command.constructor.name.replace("Command", "");
    const label = `${invocation.label}/${++invocation.awaits} ${name}`;
    const read = this.#receiverOf(command);
    if (read) return { label, userIds: [], writes: true, transacts: false, batches: false, act: read };
    if (command instanceof SendMessageCommand) {
      const { QueueUrl = "", MessageGroupId = "" } = command.input;
      const act = () => ({ MessageId: sqs.send(QueueUrl, toSent(command.input, command.input.MessageBody)) });
      return { label, userIds: [MessageGroupId], writes: true, transacts: false, batches: false, act };
    }
    if (command instanceof SendMessageBatchCommand) {
      const { QueueUrl = "", Entries = [] } = command.input;
      const isDelivery = QueueUrl === WEBHOOKS_URL;
      const act = actEach(Entries, (entry) => {
        if (isDelivery) this.#environment.delivered(entry.MessageBody ?? "");
        else sqs.send(QueueUrl, toSent(entry, entry.MessageBody));
      });
      const userIds = isDelivery ? [] : Entries.map(({ MessageGroupId = "" }) => MessageGroupId);
      return { label, userIds, writes: true, transacts: false, batches: true, act };
    }
    if (command instanceof PublishBatchCommand) {
      const { PublishBatchRequestEntries: entries = [] } = command.input;
      const act = actEach(entries, (entry) => this.#environment.topic.publish(toSent(entry, entry.Message)));
      const userIds = entries.map(({ MessageGroupId = "" }) => MessageGroupId);
      return { label, userIds, writes: true, transacts: false, batches: true, act };
    }
    const request = prepare(command, `token-${++this.#tokens}`);
    const transacts = command instanceof TransactWriteItemsCommand;
    return {
      label,
      userIds: [...ownersOf(command)],
      writes: transacts || WRITES.some((write) => command instanceof write),
      transacts,
      batches: command instanceof BatchGetItemCommand || command instanceof BatchExecuteStatementCommand,
      act: (disturbance) => {
        const items = transacts ? (command.input.TransactItems ?? []).length : 0;
        // The ledger must not find out its own limit by an error.
        if (items > TRANSACTION_ITEMS_MAX) throw new Error(`A transaction has ${items} items`);
        const ids = transacts ? (command.input.TransactItems ?? []).map(({ Update }) => Update?.Key?.id?.S ?? "") : [];
        if (ids.some((id) => invalidWriteIds.has(id))) {
          throw serviceError("ValidationException", "Item size to update has exceeded the maximum allowed size");
        }
        return request(dynamo, disturbance);
      },
    };
  }
}

const WRITES = [PutItemCommand, UpdateItemCommand, BatchExecuteStatementCommand];

/** A call with several entries, of which some can fail. */
function actEach<Entry extends { readonly Id?: string | undefined }>(
  entries: readonly Entry[],
  act: (entry: Entry) => unknown,
): ServiceCall["act"] {
  if (entries.length > ENTRIES_MAX) throw new Error(`A call has ${entries.length} entries`);
  return ({ unprocessed = () => false } = {}) => {
    const failed = entries.filter(() => unprocessed());
    for (const entry of entries) if (!failed.includes(entry)) act(entry);
    return { Failed: failed.map(({ Id }) => ({ Id, Code: "ServiceUnavailable", SenderFault: false })) };
  };
}

/** A message for a queue or for a topic. */
function toSent(
  entry: SendMessageBatchRequestEntry | SendMessageCommandInput | PublishBatchRequestEntry,
  body: string | undefined,
): Sent {
  const { MessageGroupId = "", MessageDeduplicationId = "", MessageAttributes = {} } = entry;
  const attributes = Object.entries(MessageAttributes).map(([name, { StringValue = "" }]) => [name, StringValue]);
  return {
    groupId: MessageGroupId,
    deduplicationId: MessageDeduplicationId,
    body: body ?? "",
    attributes: Object.fromEntries(attributes),
  };
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
  return new Set(keysOf(command).map((key) => key?.userId?.S ?? ""));
}

function keysOf(command: object): readonly (Item | undefined)[] {
  if (command instanceof PutItemCommand) return [command.input.Item];
  if (command instanceof BatchExecuteStatementCommand) {
    return (command.input.Statements ?? []).map((statement) => toInsert(statement).Item);
  }
  if (command instanceof GetItemCommand || command instanceof UpdateItemCommand) return [command.input.Key];
  if (command instanceof BatchGetItemCommand) {
    return Object.values(command.input.RequestItems ?? {}).flatMap(({ Keys = [] }) => Keys);
  }
  if (command instanceof TransactWriteItemsCommand) {
    // A new item can be put while the data of its user is unavailable: the credit of another wallet's decision.
    return (command.input.TransactItems ?? []).flatMap(({ Update }) => (Update?.Key ? [Update.Key] : []));
  }
  return [];
}

function spoil(code: string, random: Random): Disturbance {
  return {
    reasons(reasons) {
      const target = random.int(0, reasons.length - 1);
      return reasons.map((reason, index) => (index === target ? { Code: code, Message: code } : reason));
    },
    unprocessed: () => random.chance(0.5),
  };
}

/** Errors that the SDK's standard retry strategy retries; a cancelled transaction is not one. */
function isRetried(error: Error): boolean {
  const status = "$metadata" in error ? (error.$metadata as { httpStatusCode?: number }).httpStatusCode : 0;
  return (status ?? 0) >= 500 || "code" in error || ["TimeoutError", "ThrottlingException"].includes(error.name);
}

/** A timeout is known only after the full time. */
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
