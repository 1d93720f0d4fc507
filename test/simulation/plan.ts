export const COMMANDS_URL = "https://sqs.example/commands.fifo";
export const DEAD_LETTERS_URL = "https://sqs.example/dead-letters.fifo";

/** What goes wrong in a run, each by itself on or off. */
export const FAULT_KINDS = [
  /** A function dies before or after one of its awaits. */
  "crash",
  /** A service does what it was asked and the answer is lost: a 500, a timeout, a broken connection. */
  "lostAnswer",
  /** A service does not do it: a 500, a timeout, a refused connection. */
  "noEffect",
  /** A request that timed out for the caller is done later all the same. */
  "lateEffect",
  /** A throttle, as an error and inside cancellation reasons. */
  "throttle",
  /** A transaction conflict. */
  "conflict",
  /** An invocation stands still for longer than the queue's visibility timeout. */
  "stall",
  /** A batch is given to two consumers. */
  "duplicate",
  /** The event source mapping's delete is lost, so that what is done is delivered again. */
  "lostDelete",
  /** A function's answer never reaches the client. */
  "lostResponse",
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Outage {
  readonly fromMs: number;
  readonly toMs: number;
  /** Whose items and messages fail; everybody's when absent. */
  readonly userId?: string;
  readonly how: "throttle" | "timeout" | "error";
}

export interface Faults {
  /** Probability of each kind wherever it could strike. */
  readonly rates: Readonly<Partial<Record<FaultKind, number>>>;
  readonly outages: readonly Outage[];
  readonly keys: {
    /** From here on tokens are signed with a new key, published some time before. */
    readonly rotatedAtMs?: number;
    readonly unreachable: readonly { readonly fromMs: number; readonly toMs: number }[];
  };
  /** How far a function's clock is off, at most. */
  readonly skewMs: number;
  /** How far the index and eventually consistent reads fall behind, at most. */
  readonly lagMs: number;
  /** Awaits at which a function dies, counted from 1 over all functions of the run: for exhaustive runs. */
  readonly crashAt: readonly number[];
  /** Single faults that shrinking found to be of no importance. */
  readonly suppressed: readonly string[];
}

export const noFaults: Faults = {
  rates: {},
  outages: [],
  keys: { unreachable: [] },
  skewMs: 0,
  lagMs: 0,
  crashAt: [],
  suppressed: [],
};

interface Timed {
  /** Names the operation through shrinking. */
  readonly id: string;
  readonly atMs: number;
  readonly userId: string;
}

export interface Movement extends Timed {
  readonly kind: "movement";
  readonly type: "deposit" | "withdrawal";
  readonly currency: string;
  readonly amountMinor: bigint;
  readonly key: string;
  readonly asAdmin: boolean;
  readonly waitSeconds: number;
  /** After the first try, however that ended; zero is at the same time. */
  readonly retriesAfterMs: readonly number[];
  /** The store will never take a decision of this command. */
  readonly isInvalidWrite: boolean;
  readonly forgery: Forgery | undefined;
}

export const FORGERY_MOMENTS = [
  /** The attacker knows the key and the content before the API does. */
  "beforeStored",
  /** Between the write of the transaction and its message. */
  "beforeSent",
  "afterAccepted",
] as const;

/** What of a forged message differs from the true one; with `nothing` it is a copy. */
export const FORGED_FIELDS = ["fingerprint", "amountMinor", "type", "currency", "nothing"] as const;

/** Messages under a movement's own id, from an attacker who can write to the commands queue. */
export interface Forgery {
  readonly at: (typeof FORGERY_MOMENTS)[number];
  readonly delayMs: number;
  readonly field: (typeof FORGED_FIELDS)[number];
  /** One message to each of these groups. */
  readonly groupIds: readonly string[];
  /** Sent under the true message's deduplication id, so that SQS drops the true message in that group. */
  readonly takesDeduplicationId: boolean;
}

/** A message that can't be decided; one of another version is for another consumer, after a deploy. */
type Poison = "malformed" | "unknown_transaction" | "other_version";

export type Operation =
  | Movement
  | (Timed & { readonly kind: "read"; readonly what: "balances" | "history" | "currencies" })
  | (Timed & {
      readonly kind: "intrusion";
      readonly callerId: string;
      readonly route: "deposit" | "withdrawal" | "balances" | "transactions" | "transaction";
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
  | (Timed & { readonly kind: "redrive"; readonly how: Redrive });

/** `tool` is `npm run dlq -- redrive`; `native` is SQS's own, which moves every message back as it is. */
export type Redrive = "tool" | "native";

/** A whole run: with the same plan everything happens in the same way. */
export interface Plan {
  readonly seed: number;
  readonly users: readonly string[];
  readonly operations: readonly Operation[];
  readonly faults: Faults;
  readonly settings: {
    readonly batchMax: number;
    readonly consumersMax: number;
    readonly latencyMs: number;
    /** After how many deliveries the queue gives up; with few, a consumer may still be at work on what is set aside. */
    readonly receivesMax: number;
    /** Items in a page of DynamoDB's answers, at most. */
    readonly pageItemsMax: number;
    /** A warm container is taken again with this probability. */
    readonly warm: number;
    /** How what is in the dead-letter queue at the end gets another try. */
    readonly redriveAtEnd: Redrive | "none";
    /** Whether everybody reads everything at the end, through the API. */
    readonly readAllAtEnd: boolean;
    /** Whether a function that runs for too long is stopped, or lives on beside its successor. */
    readonly functionTimeouts: boolean;
  };
}

/** Seconds after which a client tries again, in milliseconds: at once, past SQS's deduplication, past a day. */
export const RETRIES_AFTER_MS = [0, 6 * 60_000, 25 * 3_600_000];

export const CURRENCIES = [
  { code: "ETH", name: "Ether", exponent: 18, enabled: true },
  { code: "JPY", name: "Japanese yen", exponent: 0, enabled: true },
  { code: "OLD", name: "Withdrawn money", exponent: 2, enabled: false },
  { code: "USD", name: "US dollar", exponent: 2, enabled: true },
] as const;
