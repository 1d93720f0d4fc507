import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  ExpiredIteratorException,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type Shard,
  type _Record as StreamRecord,
} from "@aws-sdk/client-dynamodb-streams";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from "aws-lambda";
import * as z from "zod";
import { sdkHandlerOptions } from "../lib/aws/transport/httpHandler.ts";

/**
 * The pause after a poll: the shortest one after records, so that records gather; each poll without records doubles it, so that
 * an idle stack stays idle.
 */
const POLL_PAUSE_MS = { min: 50, max: 500 };
/** The pause after a wake-up. */
const WAKE_PAUSE_MS = 50;
/** The pause before a batch is delivered again doubles each time. */
const RETRY_PAUSE_MS = { min: 500, max: 10_000 };
/** The pause after an engine's error, and before shards are listed again when none can be read. */
const ERROR_PAUSE_MS = 500;
/** The longest time until a new shard is found while others are read. */
const LIST_PAUSE_MS = 60_000;
const TIMEOUTS = { connectMs: 1000, requestMs: 10_000 };
/** The value of a setting that has no limit. */
const UNLIMITED = -1;
/** The position of a shard whose records are all done and that gets no more. */
const END = "END";

const positionSchema = z.object({ streamArn: z.string(), shards: z.record(z.string(), z.string()) });

export interface StreamSource {
  readonly streamArn: string;
  readonly batchSize: number;
  readonly bisectBatchOnFunctionError: boolean;
  /** -1: no limit. */
  readonly maximumRetryAttempts: number;
  /** -1: no limit. */
  readonly maximumRecordAgeInSeconds: number;
  /** Gets a message about every batch that is discarded. */
  readonly failureQueueUrl: string;
  readonly functionName: string;
  readonly region: string;
  /** Has the sequence number of each shard's last record that is done. */
  readonly positionFile: string;
  /** By default 50 to 500. */
  readonly pollPauseMs?: { readonly min: number; readonly max: number };
}

export interface StreamMapping {
  /** Polls at once: the table was probably written to. */
  wake(): void;
  /** Stops polling; resolves when the batches in progress are done. */
  stop(): Promise<void>;
}

/**
 * Invokes a function with the records of a DynamoDB stream, as AWS does: each shard in order, a shard after its parent. When
 * the function reports failed records, the records from the first of them on are delivered again. When it throws, the batch
 * is delivered again, in halves with `bisectBatchOnFunctionError`. A batch that exceeds the limits is discarded, with a message
 * to the failure queue in the format of AWS.
 *
 * A batch's position is stored when the batch is done, so after a crash some records are delivered again. A position that the
 * stream does not have any more is reported, and the stream is read from its oldest record on.
 */
export function mapStream(
  source: StreamSource,
  invoke: (event: DynamoDBStreamEvent) => Promise<unknown>,
): StreamMapping {
  const mapping = new Mapping(source, invoke);
  return { wake: () => mapping.wake(), stop: () => mapping.stop() };
}

interface Batch {
  readonly records: readonly StreamRecord[];
  /** How often it was delivered and failed. */
  readonly failures: number;
}

class Mapping {
  readonly #source: StreamSource;
  readonly #invoke: (event: DynamoDBStreamEvent) => Promise<unknown>;
  readonly #streams = new DynamoDBStreamsClient({ maxAttempts: 1, requestHandler: sdkHandlerOptions(TIMEOUTS) });
  readonly #sqs = new SQSClient({ requestHandler: sdkHandlerOptions(TIMEOUTS) });
  readonly #stopping = new AbortController();
  readonly #positions: Map<string, string>;
  readonly #running: Promise<void>;
  #waking = new AbortController();

  constructor(source: StreamSource, invoke: (event: DynamoDBStreamEvent) => Promise<unknown>) {
    this.#source = source;
    this.#invoke = invoke;
    // A logger without output goes through every value of every record.
    this.#streams.middlewareStack.remove("loggerMiddleware");
    this.#positions = readPositions(source);
    this.#running = this.#followShards();
  }

  wake(): void {
    // Without a reason, each call makes an error with a stack trace.
    this.#waking.abort(null);
    this.#waking = new AbortController();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await this.#running;
    this.#streams.destroy();
    this.#sqs.destroy();
  }

  async #followShards(): Promise<void> {
    const following = new Map<string, Promise<unknown>>();
    while (!this.#stopping.signal.aborted) {
      try {
        const shards = await this.#listShards();
        this.#forgetAllBut(shards);
        const listed = new Set(shards.map(({ ShardId }) => ShardId));
        for (const { ShardId = "", ParentShardId = "" } of shards) {
          const isAfterParent = !listed.has(ParentShardId) || this.#positions.get(ParentShardId) === END;
          if (following.has(ShardId) || this.#positions.get(ShardId) === END || !isAfterParent) continue;
          following.set(
            ShardId,
            this.#follow(ShardId).finally(() => following.delete(ShardId)),
          );
        }
      } catch (error) {
        this.#report(error);
      }
      // The stream gets a new shard when one ends, perhaps a moment later.
      await Promise.race([...following.values(), this.#pause(following.size > 0 ? LIST_PAUSE_MS : 0)]);
      await this.#pause(ERROR_PAUSE_MS);
    }
    await Promise.all(following.values());
  }

  async #listShards(): Promise<Shard[]> {
    const shards: Shard[] = [];
    let last: string | undefined;
    do {
      const { StreamDescription: page } = await this.#streams.send(
        new DescribeStreamCommand({ StreamArn: this.#source.streamArn, ExclusiveStartShardId: last }),
      );
      shards.push(...(page?.Shards ?? []));
      last = page?.LastEvaluatedShardId;
    } while (last !== undefined);
    return shards;
  }

  #forgetAllBut(shards: readonly Shard[]): void {
    const listed = new Set(shards.map(({ ShardId }) => ShardId));
    for (const shardId of this.#positions.keys()) {
      if (!listed.has(shardId)) this.#positions.delete(shardId);
    }
  }

  /** Delivers a shard's records until it ends, or the mapping stops. */
  async #follow(shardId: string): Promise<void> {
    const { pollPauseMs = POLL_PAUSE_MS } = this.#source;
    let iterator: string | undefined;
    let pauseMs = pollPauseMs.min;
    while (!this.#stopping.signal.aborted) {
      const waking = this.#waking.signal;
      try {
        iterator ??= await this.#startOf(shardId);
        const { Records = [], NextShardIterator } = await this.#streams.send(
          new GetRecordsCommand({ ShardIterator: iterator, Limit: this.#source.batchSize }),
        );
        if (Records.length > 0) await this.#deliver(shardId, Records);
        if (this.#stopping.signal.aborted) return;
        // A shard that gets no more records has no further iterator.
        if (NextShardIterator === undefined) {
          this.#store(shardId, END);
          return;
        }
        iterator = NextShardIterator;
        pauseMs = Records.length > 0 ? pollPauseMs.min : Math.min(pauseMs * 2, pollPauseMs.max);
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        iterator = undefined;
        if (error instanceof ExpiredIteratorException) continue;
        this.#report(error);
        if (isNamed(error, "ResourceNotFoundException")) return;
        pauseMs = ERROR_PAUSE_MS;
      }
      await this.#pause(pauseMs, waking);
      if (!waking.aborted) continue;
      await this.#pause(WAKE_PAUSE_MS);
      pauseMs = pollPauseMs.min;
    }
  }

  /** An iterator of the record after the shard's position, or of its oldest one. */
  async #startOf(shardId: string): Promise<string | undefined> {
    const position = this.#positions.get(shardId);
    if (position !== undefined) {
      const next = await this.#after(shardId, position);
      if (next !== undefined) return next;
      console.error(
        `The stream has no record ${position} of ${shardId} any more: events may be missing. Publish them with npm run republish`,
      );
    }
    const { ShardIterator } = await this.#streams.send(
      new GetShardIteratorCommand({
        StreamArn: this.#source.streamArn,
        ShardId: shardId,
        ShardIteratorType: "TRIM_HORIZON",
      }),
    );
    return ShardIterator;
  }

  /**
   * Reads the position's record again: an engine can return records after a position that it does not know.
   *
   * @returns undefined if the stream does not have that record
   */
  async #after(shardId: string, position: string): Promise<string | undefined> {
    try {
      const { ShardIterator } = await this.#streams.send(
        new GetShardIteratorCommand({
          StreamArn: this.#source.streamArn,
          ShardId: shardId,
          ShardIteratorType: "AT_SEQUENCE_NUMBER",
          SequenceNumber: position,
        }),
      );
      const { Records, NextShardIterator } = await this.#streams.send(
        new GetRecordsCommand({ ShardIterator, Limit: 1 }),
      );
      return Records?.[0]?.dynamodb?.SequenceNumber === position ? NextShardIterator : undefined;
    } catch (error) {
      if (isNamed(error, "TrimmedDataAccessException") || isNamed(error, "ValidationException")) return undefined;
      throw error;
    }
  }

  /** Resolves when every record is done or discarded, or the mapping stops. */
  async #deliver(shardId: string, records: readonly StreamRecord[]): Promise<void> {
    const { bisectBatchOnFunctionError, maximumRetryAttempts } = this.#source;
    const batches: Batch[] = [{ records, failures: 0 }];
    for (let batch = batches.shift(); batch && !this.#stopping.signal.aborted; batch = batches.shift()) {
      const { failures } = batch;
      const fresh = batch.records.filter((record) => !this.#isTooOld(record));
      const old = batch.records.slice(0, batch.records.length - fresh.length);
      if (old.length > 0) await this.#discard(shardId, { records: old, failures }, "RecordAgeExceeded");
      if (fresh.length === 0) continue;

      const { done, hasThrown } = await this.#deliverOnce(fresh);
      if (done > 0) this.#storeLastOf(shardId, fresh.slice(0, done));
      const rest: Batch = { records: fresh.slice(done), failures: done > 0 ? 1 : failures + 1 };
      if (rest.records.length === 0) continue;
      if (hasThrown && bisectBatchOnFunctionError && fresh.length > 1) {
        const middle = Math.ceil(fresh.length / 2);
        batches.unshift({ records: fresh.slice(0, middle), failures }, { records: fresh.slice(middle), failures });
      } else if (maximumRetryAttempts !== UNLIMITED && rest.failures > maximumRetryAttempts) {
        await this.#discard(shardId, rest, "RetryAttemptsExhausted");
      } else {
        await this.#pause(Math.min(RETRY_PAUSE_MS.min * 2 ** (rest.failures - 1), RETRY_PAUSE_MS.max));
        batches.unshift(rest);
      }
    }
  }

  #isTooOld({ dynamodb }: StreamRecord): boolean {
    const { maximumRecordAgeInSeconds } = this.#source;
    if (maximumRecordAgeInSeconds === UNLIMITED) return false;
    const createdAtMs = dynamodb?.ApproximateCreationDateTime?.getTime() ?? 0;
    return Date.now() - createdAtMs > maximumRecordAgeInSeconds * 1000;
  }

  /** @returns how many of the first records are done */
  async #deliverOnce(records: readonly StreamRecord[]): Promise<{ done: number; hasThrown: boolean }> {
    try {
      const response = await this.#invoke({ Records: records.map((record) => toEventRecord(record, this.#source)) });
      const { batchItemFailures = [] } = (response ?? {}) as Partial<DynamoDBBatchResponse>;
      const indices = batchItemFailures.map(({ itemIdentifier }) =>
        records.findIndex(({ dynamodb }) => dynamodb?.SequenceNumber === itemIdentifier),
      );
      // As on AWS, an id that is not in the batch fails the whole batch.
      return { done: Math.max(0, Math.min(records.length, ...indices)), hasThrown: false };
    } catch (error) {
      this.#report(error);
      return { done: 0, hasThrown: true };
    }
  }

  /** Sends to the failure queue what was not delivered, and goes on after it. */
  async #discard(shardId: string, batch: Batch, condition: string): Promise<void> {
    const { streamArn, functionName, region, failureQueueUrl } = this.#source;
    const [first, last] = [batch.records[0]?.dynamodb, batch.records.at(-1)?.dynamodb];
    const message = {
      requestContext: {
        requestId: randomUUID(),
        functionArn: `arn:aws:lambda:${region}:000000000000:function:${functionName}`,
        condition,
        approximateInvokeCount: batch.failures,
      },
      responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: null },
      version: "1.0",
      timestamp: new Date().toISOString(),
      DDBStreamBatchInfo: {
        shardId,
        startSequenceNumber: first?.SequenceNumber,
        endSequenceNumber: last?.SequenceNumber,
        approximateArrivalOfFirstRecord: first?.ApproximateCreationDateTime?.toISOString(),
        approximateArrivalOfLastRecord: last?.ApproximateCreationDateTime?.toISOString(),
        batchSize: batch.records.length,
        streamArn,
      },
    };
    console.error("The event source mapping discards", JSON.stringify(message));
    await this.#sqs.send(new SendMessageCommand({ QueueUrl: failureQueueUrl, MessageBody: JSON.stringify(message) }));
    this.#storeLastOf(shardId, batch.records);
  }

  #storeLastOf(shardId: string, records: readonly StreamRecord[]): void {
    this.#store(shardId, records.at(-1)?.dynamodb?.SequenceNumber ?? "");
  }

  /** No crash can leave a part of the file. */
  #store(shardId: string, position: string): void {
    const { positionFile, streamArn } = this.#source;
    this.#positions.set(shardId, position);
    writeFileSync(`${positionFile}.new`, JSON.stringify({ streamArn, shards: Object.fromEntries(this.#positions) }));
    renameSync(`${positionFile}.new`, positionFile);
  }

  async #pause(milliseconds: number, signal = this.#stopping.signal): Promise<void> {
    await setTimeout(milliseconds, undefined, { signal }).catch(() => {});
  }

  #report(error: unknown): void {
    if (!this.#stopping.signal.aborted) console.error("The event source mapping continues after", error);
  }
}

/** The stored positions, unless they are of another stream. */
function readPositions({ positionFile, streamArn }: StreamSource): Map<string, string> {
  if (!existsSync(positionFile)) return new Map();
  try {
    const stored = positionSchema.parse(JSON.parse(readFileSync(positionFile, "utf8")));
    return new Map(stored.streamArn === streamArn ? Object.entries(stored.shards) : []);
  } catch (error) {
    console.error(`${positionFile} can't be read: the stream is read from its oldest record on`, error);
    return new Map();
  }
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

/** The record as Lambda has it: dates in seconds. The types of binary values differ, which the tables do not have. */
function toEventRecord({ dynamodb, ...record }: StreamRecord, { streamArn, region }: StreamSource): DynamoDBRecord {
  const { ApproximateCreationDateTime, ...change } = dynamodb ?? {};
  return {
    ...record,
    dynamodb: { ...change, ApproximateCreationDateTime: (ApproximateCreationDateTime?.getTime() ?? 0) / 1000 },
    awsRegion: region,
    eventSourceARN: streamArn,
  } as DynamoDBRecord;
}
