import type { CommandKey } from "./ids.ts";

export const COMMANDS_URL = "https://sqs.example/commands.fifo";
export const DEAD_LETTERS_URL = "https://sqs.example/dead-letters.fifo";
export const WEBHOOKS_URL = "https://sqs.example/webhooks";
export const EVENT_SOURCE = "antler-simulation";

/** Webhook endpoints; the first one wants all types. */
export const ENDPOINTS = [
  { id: "wh_all", status: "enabled", types: undefined },
  { id: "wh_credits", status: "enabled", types: ["credit", "capture"] },
  { id: "wh_disabled", status: "disabled", types: undefined },
] as const;

/** The kinds of faults; a plan enables each independently. */
export const FAULT_KINDS = [
  /** A function crashes before or after one of its awaits. */
  "crash",
  /** A service executes a call and the response is lost: a 500, a timeout, a broken connection. */
  "lostAnswer",
  /** A service does not execute a call: a 500, a timeout, a refused connection. */
  "noEffect",
  /** A service executes a call after it timed out for the caller. */
  "lateEffect",
  /** A throttle, as an error and inside cancellation reasons. */
  "throttle",
  /** A transaction conflict. */
  "conflict",
  /** An invocation pauses for longer than the queue's visibility timeout. */
  "stall",
  /** Two consumers receive the same batch. */
  "duplicate",
  /** The event source mapping's delete is lost, so that decided records are delivered again. */
  "lostDelete",
  /** The client does not receive the response. */
  "lostResponse",
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Outage {
  readonly fromMs: number;
  readonly toMs: number;
  /** Whose items and messages fail; all users' if absent. */
  readonly userId?: string;
  readonly how: "throttle" | "timeout" | "error";
}

export interface Faults {
  /** Probability of each kind at every place where it is possible. */
  readonly rates: Readonly<Partial<Record<FaultKind, number>>>;
  readonly outages: readonly Outage[];
  readonly keys: {
    /** From then on tokens are signed with a new key, which was published before. */
    readonly rotatedAtMs?: number;
    readonly unreachable: readonly { readonly fromMs: number; readonly toMs: number }[];
  };
  /** Maximum clock skew of a function. */
  readonly skewMs: number;
  /** In addition, that of a consumer: the next one's clock can be behind. */
  readonly consumerSkewMs: number;
  /** Maximum lag of the index and of eventually consistent reads. */
  readonly lagMs: number;
  /** Awaits at which a function crashes, counted from 1 over all functions of a run: for exhaustive runs. */
  readonly crashAt: readonly number[];
  /** Single faults that shrinking found to be irrelevant. */
  readonly suppressed: readonly string[];
}

export const noFaults: Faults = {
  rates: {},
  outages: [],
  keys: { unreachable: [] },
  skewMs: 0,
  consumerSkewMs: 0,
  lagMs: 0,
  crashAt: [],
  suppressed: [],
};

interface Timed {
  /** Stays the same through shrinking. */
  readonly id: string;
  readonly atMs: number;
  readonly userId: string;
}

type MovementType =
  | "deposit"
  | "withdrawal"
  | "transfer"
  | "hold"
  | "capture"
  | "release"
  | "exchange"
  | "reversal"
  | "status_change";

/** The transaction that a movement refers to: that of another movement, or the credit that it sends to the wallet. */
interface Reference extends CommandKey {
  readonly isCredit: boolean;
}

export interface Movement extends Timed {
  readonly kind: "movement";
  readonly type: MovementType;
  readonly currency: string;
  /** Absent for all that remains of what the movement refers to. */
  readonly amountMinor: bigint | undefined;
  readonly to?: string | undefined;
  readonly refersTo?: Reference | undefined;
  /** When a hold expires, counted as {@link Timed.atMs}; seven days after the acceptance if absent. */
  readonly expiresAtMs?: number | undefined;
  readonly final?: boolean;
  readonly bought?: { readonly currency: string; readonly amountMinor: bigint };
  readonly newStatus?: "active" | "frozen" | "closed";
  readonly key: string;
  /** The caller, if it is the other user of a promised hold. */
  readonly callerId?: string | undefined;
  readonly asAdmin: boolean;
  readonly waitSeconds: number;
  /** Delays after the first request; 0 is at the same time. */
  readonly retriesAfterMs: readonly number[];
  /** The store rejects the write of this decision. */
  readonly isInvalidWrite: boolean;
  readonly forgery: Forgery | undefined;
}

/** Commands of an operator in one request. */
export interface Batch extends Timed {
  readonly kind: "batch";
  readonly commands: readonly Movement[];
  /** Delays after the first request; 0 is at the same time. */
  readonly retriesAfterMs: readonly number[];
}

export const FORGERY_MOMENTS = [
  /** Before the API stores the transaction: the attacker knows key and content. */
  "beforeStored",
  /** After the API stores the transaction and before it sends the message. */
  "beforeSent",
  "afterAccepted",
] as const;

/** The field of a forged message that differs from the true one; `nothing` makes a copy. */
export const FORGED_FIELDS = [
  "detailsHash",
  "amountMinor",
  "type",
  "currency",
  "exponent",
  "actor",
  /** A later time, which the consumer's clock has not reached. */
  "createdAt",
  "to",
  "refersTo",
  "nothing",
] as const;

/** Messages with a movement's id, from an attacker who can write to the commands queue. */
export interface Forgery {
  readonly at: (typeof FORGERY_MOMENTS)[number];
  /** True for messages with the id of the credit that the movement sends, and not with its own. */
  readonly ofCredit?: boolean;
  readonly delayMs: number;
  readonly field: (typeof FORGED_FIELDS)[number];
  /** One message to each of these groups. */
  readonly groupIds: readonly string[];
  /** Sent under the true message's deduplication id, so that SQS drops the true message in that group. */
  readonly takesDeduplicationId: boolean;
  /** In the same message, before it, is something that is no command. */
  readonly isBehindMalformed?: boolean;
}

/** A message that this consumer can't decide; a consumer of another version can decide `other_version`. */
type Poison = "malformed" | "unknown_transaction" | "other_version";

export type Operation =
  | Movement
  | Batch
  | (Timed & {
      readonly kind: "read";
      readonly what: "balances" | "past" | "history" | "statement" | "holds" | "currencies";
    })
  | (Timed & {
      readonly kind: "intrusion";
      readonly callerId: string;
      readonly route: IntrusionRoute;
    })
  | (Timed & {
      readonly kind: "badToken";
      readonly flaw: "missing" | "expired" | "forged" | "audience" | "issuer" | "unsigned" | "retired";
    })
  | (Timed & {
      readonly kind: "invalid";
      readonly body: Readonly<Record<string, unknown>>;
      readonly code: string;
    })
  | (Timed & { readonly kind: "poison"; readonly how: Poison })
  | (Timed & { readonly kind: "switch"; readonly currency: string; readonly enabled: boolean })
  | (Timed & { readonly kind: "redrive"; readonly how: Redrive })
  | (Timed & { readonly kind: "sweep" });

export const INTRUSION_ROUTES = [
  "deposit",
  "withdrawal",
  "transfer",
  "hold",
  "capture",
  "release",
  "reversal",
  "exchange",
  "status_change",
  "batch",
  "balances",
  "transactions",
  "transaction",
  "statements",
  "holds",
] as const;
type IntrusionRoute = (typeof INTRUSION_ROUTES)[number];

/** `tool` is `npm run dlq -- redrive`; `native` is SQS's own redrive, which moves messages unchanged. */
export type Redrive = "tool" | "native";

/** Determines a run completely. */
export interface Plan {
  readonly seed: number;
  readonly users: readonly string[];
  readonly operations: readonly Operation[];
  readonly faults: Faults;
  readonly settings: {
    readonly batchMax: number;
    readonly consumersMax: number;
    readonly latencyMs: number;
    /** After this many deliveries the queue dead-letters a message; a slow consumer may still be processing it. */
    readonly receivesMax: number;
    /** Maximum number of items in a page of DynamoDB. */
    readonly pageItemsMax: number;
    /** Probability that an invocation reuses a warm container. */
    readonly warm: number;
    /** How the dead-letter queue is redriven at the end. */
    readonly redriveAtEnd: Redrive | "none";
    /** Whether every user reads everything through the API at the end. */
    readonly readAllAtEnd: boolean;
    /** Whether a function is stopped at its timeout, or goes on beside its successor. */
    readonly functionTimeouts: boolean;
  };
}

/** Milliseconds until a retry: immediately, after SQS's deduplication interval, after a day. */
export const RETRIES_AFTER_MS = [0, 6 * 60_000, 25 * 3_600_000];

export const CURRENCIES = [
  { code: "ETH", name: "Ether", exponent: 18, enabled: true },
  { code: "JPY", name: "Japanese yen", exponent: 0, enabled: true },
  { code: "OLD", name: "Withdrawn money", exponent: 2, enabled: false },
  { code: "USD", name: "US dollar", exponent: 2, enabled: true },
] as const;
