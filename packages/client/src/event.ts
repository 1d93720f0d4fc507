import type { Transaction } from "./transaction.ts";

/** A decision, as a CloudEvent 1.0. */
export interface TransactionEvent {
  readonly specversion: "1.0";
  /** The user id and the sequence number, such as `alice/1`: the same whenever the event is delivered again. */
  readonly id: string;
  /** Name of the service and its stage, such as `antler-prod`. */
  readonly source: string;
  readonly type: "antler.transaction.posted" | "antler.transaction.rejected";
  /** The `id` of the transaction. */
  readonly subject: string;
  /** When the transaction was decided. */
  readonly time: string;
  readonly datacontenttype: "application/json";
  /** The transaction as it was right after the decision. */
  readonly data: Transaction;
}

/** What an operator sends to an endpoint to test it. */
export interface TestEvent {
  readonly specversion: "1.0";
  readonly id: string;
  readonly source: string;
  readonly type: "antler.test";
  readonly time: string;
  readonly datacontenttype: "application/json";
  readonly data: { readonly endpointId: string };
}

/** What a webhook endpoint receives. */
export type WebhookEvent = TransactionEvent | TestEvent;
