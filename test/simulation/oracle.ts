import type { Change, Item } from "./dynamo/model.ts";
import type { Movement } from "./plan.ts";
import type { QueuedMessage } from "./sqs/model.ts";

/** The invariants, by the name in reports. */
export type Invariant =
  | "conservation"
  | "never negative"
  | "exact amounts"
  | "one effect per key"
  | "terminal is final"
  | "gap-free sequence"
  | "fold of the history"
  | "right decision"
  | "never lost"
  | "in order"
  | "stored as asked"
  | "same key, same answer"
  | "answers as documented"
  | "read after 202"
  | "strongly consistent"
  | "history complete"
  | "private"
  | "users isolated"
  | "dead-letters only what can't be decided"
  | "dead-letters every forged message"
  | "acknowledged only what is done"
  | "comes to an end";

export interface Violation {
  readonly invariant: Invariant;
  readonly detail: string;
  readonly atMs: number;
}

/** All requests with one key of one user. */
export interface CommandRecord {
  readonly userId: string;
  readonly key: string;
  readonly contents: Movement[];
  readonly firstSentAtMs: number;
  /** When the first 201 or 202 reached the client. */
  ackedAtMs: number | undefined;
  id: string | undefined;
}

export interface Decided {
  readonly id: string;
  readonly sequence: number;
  readonly status: string;
  readonly currency: string;
  readonly balanceAfterMinor: bigint;
  readonly amountMinor: bigint;
  readonly type: string;
}

/** A message from an attacker, not from the API. */
export interface Poison {
  readonly userId: string;
  /** A copy of the true message: in its user's group it is a second delivery. */
  readonly isCopy: boolean;
  /** Only the queue may dead-letter it, after its last delivery. */
  readonly isOfOtherVersion: boolean;
  /** The reasons for which the consumer may dead-letter it from a group. */
  reasons(groupId: string): readonly string[];
}

interface WalletVersion {
  readonly sequence: number;
  readonly balances: ReadonlyMap<string, bigint>;
}

/** The largest number of 38 digits. */
const LIMIT = 10n ** 38n - 1n;
const DECISION_ATTRIBUTES = new Set(["status", "sequence", "balanceAfterMinor", "postedAt", "rejectionCode"]);

/**
 * Checks every write inside the database against its own model of the rules, which shares no code with the ledger. The
 * first violation ends the run.
 */
export class Oracle {
  violation: Violation | undefined;
  /** Transactions whose decision the store rejects as an invalid write. */
  readonly invalidWriteIds = new Set<string>();
  readonly #nowMs: () => number;
  readonly #onStored: (movement: Movement) => void;
  readonly #commands = new Map<string, CommandRecord>();
  readonly #byId = new Map<string, CommandRecord>();
  readonly #status = new Map<string, string>();
  readonly #wallets = new Map<string, WalletVersion[]>();
  readonly #histories = new Map<string, Decided[]>();
  /** User and id of every message that arrived in the dead-letter queue. */
  readonly #deadLettered = new Set<string>();
  readonly #poison = new Map<string, Poison & { deadLettered: boolean }>();

  constructor(nowMs: () => number, onStored: (movement: Movement) => void) {
    this.#nowMs = nowMs;
    this.#onStored = onStored;
  }

  fail(invariant: Invariant, detail: string): void {
    this.violation ??= { invariant, detail, atMs: this.#nowMs() };
  }

  /** A client is about to send a request with this content. */
  asks(movement: Movement): CommandRecord {
    const name = `${movement.userId} ${movement.key}`;
    const record = this.#commands.get(name) ?? {
      userId: movement.userId,
      key: movement.key,
      contents: [],
      firstSentAtMs: this.#nowMs(),
      ackedAtMs: undefined,
      id: undefined,
    };
    if (!record.contents.some((known) => sameContent(known, movement))) record.contents.push(movement);
    this.#commands.set(name, record);
    return record;
  }

  /** A client received a 201 or a 202. */
  acked(record: CommandRecord, id: string): void {
    record.ackedAtMs ??= this.#nowMs();
    if (record.id !== undefined && record.id !== id) {
      this.fail("same key, same answer", `${record.userId} ${record.key} was ${record.id} and is now ${id}`);
    }
    record.id = id;
    if (this.#byId.get(`${record.userId} ${id}`) !== record) {
      this.fail("never lost", `${record.userId} ${record.key} was answered, and ${id} is not stored`);
    }
  }

  statusOf(userId: string, id: string): string | undefined {
    return this.#status.get(`${userId} ${id}`);
  }

  walletVersions(userId: string): readonly WalletVersion[] {
    return this.#wallets.get(userId) ?? [];
  }

  history(userId: string): readonly Decided[] {
    return this.#histories.get(userId) ?? [];
  }

  /** The contents of all requests with a movement's key. */
  contentsOf({ userId, key }: Movement): readonly Movement[] {
    return this.#commands.get(`${userId} ${key}`)?.contents ?? [];
  }

  commands(): readonly CommandRecord[] {
    return [...this.#commands.values()];
  }

  /** An attacker is about to send a message. */
  poisons(poison: Poison, body: string): void {
    this.#poison.set(body, { ...poison, deadLettered: false });
  }

  /** Checks one atomic write. */
  wrote(changes: readonly Change[]): void {
    const newlyDecided: { readonly userId: string; readonly decided: Decided }[] = [];
    const wallets = new Map<string, Change>();
    for (const change of changes) {
      if (change.table === "wallets") wallets.set(text(change.after, "userId"), change);
      else if (change.before) this.#checkDecision(change.before, change.after, newlyDecided);
      else this.#checkPending(change.after);
    }
    for (const [owner, wallet] of wallets) {
      const own = newlyDecided.filter(({ userId }) => userId === owner).map(({ decided }) => decided);
      this.#checkWallet(wallet, own);
    }
    if (newlyDecided.some(({ userId }) => !wallets.has(userId))) {
      this.fail("fold of the history", "a decision was written without its wallet");
    }
    for (const { userId, decided } of newlyDecided) {
      this.#histories.set(userId, [...this.history(userId), decided]);
      this.#checkOrder(userId, decided);
    }
  }

  #checkPending(item: Item): void {
    const userId = text(item, "userId");
    const id = text(item, "id");
    const record = this.#commands.get(`${userId} ${text(item, "reference")}`);
    const content = record?.contents.find(
      ({ type, currency, amountMinor }) =>
        type === text(item, "type") &&
        currency === text(item, "currency") &&
        String(amountMinor) === item.amountMinor?.N,
    );
    if (!record || !content) {
      this.fail("stored as asked", `no client requested ${JSON.stringify(item)}`);
      return;
    }
    if (text(item, "status") !== "pending" || item.sequence) {
      this.fail("stored as asked", `${id} is stored as ${text(item, "status")}`);
    }
    const taken = this.#byId.get(`${userId} ${id}`);
    if (taken) this.fail("one effect per key", `${id} is the id of ${taken.key} and of ${record.key}`);
    for (const [name, other] of this.#byId) {
      if (other === record)
        this.fail("one effect per key", `${userId} ${record.key} is stored as ${name} and as ${id}`);
    }
    this.#byId.set(`${userId} ${id}`, record);
    this.#status.set(`${userId} ${id}`, "pending");
    if (content.isInvalidWrite) this.invalidWriteIds.add(id);
    this.#onStored(content);
  }

  #checkDecision(before: Item, after: Item, newlyDecided: { userId: string; decided: Decided }[]): void {
    const userId = text(after, "userId");
    const id = text(after, "id");
    if (text(before, "status") !== "pending") {
      this.fail("terminal is final", `${userId} ${id} was ${text(before, "status")} and is written again`);
    }
    const changed = Object.keys({ ...before, ...after }).filter(
      (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
    );
    const wrong = changed.filter((name) => !DECISION_ATTRIBUTES.has(name));
    if (wrong.length > 0) this.fail("stored as asked", `${userId} ${id} changed its ${wrong.join(", ")}`);
    if (text(after, "status") === "pending") {
      this.fail("one effect per key", `${userId} ${id} is written again while it is pending`);
      return;
    }
    this.#status.set(`${userId} ${id}`, text(after, "status"));
    newlyDecided.push({
      userId,
      decided: {
        id,
        sequence: Number(this.#integer(after.sequence?.N)),
        status: text(after, "status"),
        currency: text(after, "currency"),
        balanceAfterMinor: this.#integer(after.balanceAfterMinor?.N),
        amountMinor: this.#integer(after.amountMinor?.N),
        type: text(after, "type"),
      },
    });
  }

  #checkWallet({ before, after }: Change, newlyDecided: readonly Decided[]): void {
    const userId = text(after, "userId");
    const versions = this.#wallets.get(userId) ?? [{ sequence: 0, balances: new Map<string, bigint>() }];
    const start = versions.at(-1)?.sequence ?? 0;
    if (before && Number(before.sequence?.N) !== start) throw new Error("The oracle missed a write of a wallet");
    const expected = new Map(versions.at(-1)?.balances);
    const inOrder = newlyDecided.toSorted((a, b) => a.sequence - b.sequence);
    for (const [index, decided] of inOrder.entries()) {
      if (decided.sequence !== start + index + 1) {
        this.fail("gap-free sequence", `${userId} ${decided.id} has ${decided.sequence} after ${start + index}`);
      }
      this.#checkOutcome(userId, decided, expected);
    }
    const sequence = Number(this.#integer(after.sequence?.N));
    if (sequence !== start + inOrder.length) {
      this.fail("gap-free sequence", `${userId} has ${sequence} after ${inOrder.length} decisions on ${start}`);
    }
    const balances = new Map(
      Object.entries(after.balances?.M ?? {}).map(([currency, { N }]) => [currency, this.#integer(N)]),
    );
    for (const [currency, balance] of balances) {
      if (balance < 0n) this.fail("never negative", `${userId} has ${balance} ${currency}`);
    }
    for (const currency of new Set([...balances.keys(), ...expected.keys()])) {
      const has = balances.get(currency) ?? 0n;
      const should = expected.get(currency) ?? 0n;
      if (has !== should) this.fail("conservation", `${userId} has ${has} ${currency} and should have ${should}`);
    }
    versions.push({ sequence, balances });
    this.#wallets.set(userId, versions);
  }

  /** An independent implementation of the ledger's rules. */
  #checkOutcome(userId: string, decided: Decided, balances: Map<string, bigint>): void {
    const { id, status, type, currency, amountMinor, balanceAfterMinor } = decided;
    const before = balances.get(currency) ?? 0n;
    const possible = type === "deposit" ? before + amountMinor <= LIMIT : amountMinor <= before;
    if ((status === "posted") !== possible) {
      this.fail("right decision", `${userId} ${id}: ${type} of ${amountMinor} ${currency} on ${before} is ${status}`);
    }
    const after = status !== "posted" ? before : type === "deposit" ? before + amountMinor : before - amountMinor;
    if (after !== balanceAfterMinor) {
      this.fail("fold of the history", `${userId} ${id}: the balance after it is ${balanceAfterMinor}, not ${after}`);
    }
    if (status === "posted") balances.set(currency, after);
  }

  /** A command that was accepted before this one was first sent must be decided before it. */
  #checkOrder(userId: string, decided: Decided): void {
    const mine = this.#byId.get(`${userId} ${decided.id}`);
    if (!mine) return;
    for (const other of this.#commands.values()) {
      if (other.userId !== userId || other === mine || other.id === undefined || other.ackedAtMs === undefined)
        continue;
      const pending = this.statusOf(userId, other.id) === "pending";
      // If a forged message used the deduplication id, SQS dropped the true one, and the command waits for a redrive.
      if (pending && !this.#deadLettered.has(`${userId} ${other.id}`) && other.ackedAtMs < mine.firstSentAtMs) {
        this.fail("in order", `${userId} ${mine.key} was decided before ${other.key}, which was accepted before it`);
      }
    }
  }

  /** Checks a message that arrived in the dead-letter queue. */
  deadLettered(message: QueuedMessage): void {
    const id = idIn(message.body);
    this.#deadLettered.add(`${message.groupId} ${id}`);
    // The queue dead-letters after the last delivery; the consumer must have a reason.
    if (message.sourceUrl !== undefined) return;
    const poison = this.#poison.get(message.body);
    const { reason } = message.attributes;
    if (poison) {
      // A forged message of an invalid write can have either reason.
      const reasons = poison.reasons(message.groupId);
      if (!reasons.includes(reason ?? "") && !this.invalidWriteIds.has(id)) {
        const right = reasons.join(" or ");
        this.fail("dead-letters every forged message", `a forged message, ${right}, is dead-lettered as ${reason}`);
      }
      poison.deadLettered = true;
    } else if (!this.invalidWriteIds.has(id) || reason !== "invalid_write") {
      this.fail("dead-letters only what can't be decided", `${message.groupId} ${id} is dead-lettered as ${reason}`);
    }
  }

  /** True for a message that only a consumer of another version can decode. */
  isOfOtherVersion({ body }: QueuedMessage): boolean {
    return this.#poison.get(body)?.isOfOtherVersion ?? false;
  }

  /** Checks a message that the consumer acknowledged. */
  acknowledged(message: QueuedMessage): void {
    const id = idIn(message.body);
    const poison = this.#poison.get(message.body);
    const status = this.statusOf(message.groupId, id);
    if (poison) {
      const isOwnGroup = message.groupId === poison.userId;
      const isDecidedCopy = poison.isCopy && isOwnGroup && status !== undefined && status !== "pending";
      if (!poison.deadLettered && !isDecidedCopy)
        this.fail("dead-letters every forged message", `a forged message of ${message.groupId} is acknowledged only`);
    } else if (status !== "posted" && status !== "rejected" && !this.invalidWriteIds.has(id)) {
      this.fail("acknowledged only what is done", `${message.groupId} ${id} is acknowledged and ${status}`);
    }
  }

  #integer(number: string | undefined): bigint {
    if (number !== undefined && /^-?[0-9]+$/.test(number)) return BigInt(number);
    this.fail("exact amounts", `${number} is not a whole number`);
    return 0n;
  }
}

export function idIn(body: string): string {
  return /"id":"([^"]*)"/.exec(body)?.[1] ?? "";
}

export function sameContent(a: Movement, b: Movement): boolean {
  return a.type === b.type && a.currency === b.currency && a.amountMinor === b.amountMinor;
}

function text(item: Item, name: string): string {
  return item[name]?.S ?? "";
}
