import { createHash } from "node:crypto";
import { APPLY_MS_MAX, type Change, type Item } from "./dynamo/model.ts";
import { derivedIdOf, idOf, referenceOf, sha256 } from "./ids.ts";
import { ENDPOINTS, EVENT_SOURCE, type Movement } from "./plan.ts";
import type { QueuedMessage, Sent } from "./sqs/model.ts";

/** The invariants, by the name in reports. */
export type Invariant =
  | "conservation"
  | "never negative"
  | "exact amounts"
  | "one effect per key"
  | "terminal is final"
  | "gap-free sequence"
  | "monotone times"
  | "hash chain"
  | "reproducible"
  | "statement adds up"
  | "fold of the history"
  | "one credit or return"
  | "holds end once"
  | "reversals within the original"
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
  | "published"
  | "published in order"
  | "one event per decision"
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

/** A change of one currency of a wallet, in minor units, with the balance after it. */
export interface Posting {
  readonly currency: string;
  readonly amountMinor: bigint;
  readonly heldMinor: bigint;
  readonly balanceAfterMinor: bigint;
  readonly heldAfterMinor: bigint;
}

type Minor = ReadonlyMap<string, bigint>;
type WalletStatus = "active" | "frozen" | "closed";

/** A wallet after a decision. Maps have no entry for zero. */
interface WalletState {
  readonly walletStatus: WalletStatus;
  readonly available: Minor;
  readonly held: Minor;
}

export interface Decided extends WalletState {
  readonly id: string;
  readonly sequence: number;
  readonly status: string;
  readonly code: string | undefined;
  readonly type: string;
  /** Of what the ledger stored; none for a command that moves no money. */
  readonly currency: string | undefined;
  readonly boughtCurrency: string | undefined;
  readonly createdAt: string;
  readonly decidedAt: string;
  readonly hash: string;
  readonly postings: readonly Posting[];
  /** Change of the money that the outside world has in the ledger, by currency. */
  readonly external: Minor;
  /** The credit that it causes in another wallet. */
  readonly emits: Emitted | undefined;
}

interface Emitted {
  readonly userId: string;
  readonly id: string;
  readonly currency: string;
  readonly amountMinor: bigint;
  readonly createdAt: string;
  readonly source: Readonly<Record<string, string>>;
  readonly refersTo: string | undefined;
}

/** What captures or reversals can still take of a transaction. */
interface Remainder {
  readonly initialMinor: bigint;
  readonly remainingMinor: bigint;
  readonly hold: "open" | "captured" | "released" | "expired" | undefined;
}

/** A message from an attacker, not from the API. */
export interface Poison {
  readonly userId: string;
  /** A copy of the true message: in its user's group it is a second delivery. */
  readonly isCopy: boolean;
  /** Only the queue may dead-letter it, after its last delivery. */
  readonly isOfOtherVersion: boolean;
  /** The message has something that is no command, besides a command. */
  readonly hasMalformed: boolean;
  /** The reasons for which the consumer may dead-letter it from a group. */
  reasons(groupId: string): readonly string[];
}

interface TrackedPoison extends Poison {
  readonly commands: readonly string[];
  /** What the consumer dead-lettered of it. */
  readonly deadLetters: QueuedMessage[];
}

/** A CloudEvent, parsed. */
interface PublishedEvent {
  readonly id: string;
  readonly specversion: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: string;
  readonly data: {
    readonly id: string;
    readonly hash: string;
    readonly amount: string;
    readonly hold?: { readonly status: string; readonly remaining: string };
    readonly transfer?: { readonly status: string };
  };
}

interface WalletVersion {
  readonly sequence: number;
}

/** The start time of every run. */
export const START_MS = Date.UTC(2030, 0, 1);
/** The largest balance, of 36 digits. */
const LIMIT = 10n ** 36n - 1n;
/** An answer about an older moment is final. */
const FINAL_AFTER_MS = 30_000;
/** A call can take effect this long after it was made. */
const LATE_WRITE_MS = 10_000;
/** How long after a hold's time its expiry is sent, and after its emission a credit again. */
const DUE_AFTER_MS = 60_000;
/** What later transactions and the sweep change of a decided one. */
const REMAINDER_ATTRIBUTES = new Set(["remainingMinor", "holdStatus", "openHold", "dueShard", "dueAt"]);
const DECISION_ATTRIBUTES = new Set([
  "status",
  "position",
  "rejectionCode",
  "changes",
  "walletStatus",
  "available",
  "held",
  "previousHash",
  "hash",
  ...REMAINDER_ATTRIBUTES,
]);
export const NO_DETAILS_HASH = canonicalHash({ reference: null, metadata: {} });
const EMPTY: WalletState = { walletStatus: "active", available: new Map(), held: new Map() };

/**
 * Checks every write inside the database against its own model of the rules, which shares no code with the ledger. The
 * first violation ends the run.
 */
export class Oracle {
  violation: Violation | undefined;
  /** Transactions whose decision the store rejects as an invalid write. */
  readonly invalidWriteIds = new Set<string>();
  readonly #nowMs: () => number;
  /** By the decision's hash. */
  readonly #appliedAtMs = new Map<string, number>();
  readonly #onStored: (movement: Movement) => void;
  readonly #commands = new Map<string, CommandRecord>();
  readonly #byId = new Map<string, CommandRecord>();
  readonly #status = new Map<string, string>();
  readonly #wallets = new Map<string, WalletVersion[]>();
  readonly #histories = new Map<string, Decided[]>();
  /** Every stored transaction as last written, by user and id. */
  readonly #items = new Map<string, Item>();
  readonly #remainders = new Map<string, Remainder>();
  /** Credits that are not decided. */
  readonly #inTransit = new Map<string, Emitted>();
  /** By currency: what all wallets hold and what is in transit must add up to. */
  readonly #external = new Map<string, bigint>();
  readonly #stored = new Map<string, Minor>();
  readonly #skewMs: number;
  /** User and id of every message that arrived in the dead-letter queue. */
  readonly #deadLettered = new Set<string>();
  /** The events that the topic's subscribers received, each user's in the order of first arrival. */
  readonly #published = new Map<string, string[]>();
  /** Bodies by webhook endpoint and event. */
  readonly #delivered = new Map<string, string>();
  readonly #poison = new Map<string, TrackedPoison>();
  /** The commands before a command of the same user in the same batch. */
  readonly #before = new Map<CommandRecord, readonly Movement[]>();

  /** @param skewMs how far a function's clock can be off */
  constructor(nowMs: () => number, skewMs: number, onStored: (movement: Movement) => void) {
    this.#nowMs = nowMs;
    this.#skewMs = skewMs;
    this.#onStored = onStored;
  }

  fail(invariant: Invariant, detail: string): void {
    this.violation ??= { invariant, detail, atMs: this.#nowMs() };
  }

  /** A client is about to send a request with this content. */
  asks(movement: Movement): CommandRecord {
    const name = `${movement.userId} ${referenceOf(movement)}`;
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

  /** A client is about to send a batch. */
  asksBatch(commands: readonly Movement[]): void {
    for (const [index, movement] of commands.entries()) {
      const before = commands.slice(0, index).filter(({ userId }) => userId === movement.userId);
      // One that can be refused now and accepted later can be decided later.
      const lasting = before.filter(
        ({ type, currency }) => ["deposit", "withdrawal"].includes(type) && currency !== "JPY",
      );
      const record = this.asks(movement);
      // An attacker's copy of a message sends its command alone.
      if (!this.#before.has(record)) this.#before.set(record, movement.forgery ? [] : lasting);
    }
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

  /** The decisions that every read shows. */
  appliedHistory(userId: string): readonly Decided[] {
    return this.history(userId).filter(({ hash }) => (this.#appliedAtMs.get(hash) ?? 0) <= this.#nowMs());
  }

  /** The user's newest decision at or before a moment. */
  asOf(userId: string, at: string): Decided | undefined {
    return this.history(userId).findLast(({ decidedAt }) => decidedAt <= at);
  }

  commands(): readonly CommandRecord[] {
    return [...this.#commands.values()];
  }

  /** An attacker is about to send a message. */
  poisons(poison: Poison, body: string): void {
    this.#poison.set(nameIn(body), { ...poison, commands: commandsIn(body), deadLetters: [] });
  }

  /** The attacker's message that a message is, or is a part of. A redrive can send the true command in its place. */
  #poisonIn(body: string): TrackedPoison | undefined {
    const poison = this.#poison.get(nameIn(body));
    return poison && commandsIn(body).every((command) => poison.commands.includes(command)) ? poison : undefined;
  }

  /** Checks one atomic write. */
  wrote(changes: readonly Change[]): void {
    const newlyDecided: Item[] = [];
    const wallets = new Map<string, Change>();
    const credits: Item[] = [];
    for (const change of changes) {
      const { table, before, after } = change;
      if (table === "wallets") {
        wallets.set(text(after, "userId"), change);
        continue;
      }
      this.#items.set(keyOf(after), after);
      if (before) this.#checkRewrite(before, after, newlyDecided, changes.length === 1);
      else if (text(after, "actor") !== "ledger") this.#checkPending(after);
      else if (text(after, "type") === "expiry") this.#checkExpiry(after);
      else credits.push(after);
    }
    const decided: Decided[] = [];
    for (const [owner, wallet] of wallets) {
      const own = newlyDecided.filter((item) => text(item, "userId") === owner);
      const mine = this.#checkWallet(wallet, own);
      decided.push(...mine);
      for (const each of mine) this.#checkOrder(owner, each);
    }
    if (newlyDecided.some((item) => !wallets.has(text(item, "userId")))) {
      this.fail("fold of the history", "a decision was written without its wallet");
    }
    this.#checkCredits(credits, decided);
    for (const { table, after } of changes) if (table === "transactions") this.#checkRemainder(after);
    this.#checkConservation();
  }

  #checkPending(item: Item): void {
    const userId = text(item, "userId");
    const id = text(item, "id");
    const record = this.#commands.get(`${userId} ${text(item, "reference")}`);
    const content = record?.contents.find((movement) => this.isOf(item, movement));
    if (!record || !content) {
      this.fail("stored as asked", `no client requested ${JSON.stringify(item)}`);
      return;
    }
    if (text(item, "status") !== "pending" || item.position || item.dueAt) {
      this.fail("stored as asked", `${id} is stored as ${text(item, "status")}`);
    }
    const actor = content.callerId !== undefined ? "counterparty" : content.asAdmin ? "admin" : "owner";
    if (text(item, "actor") !== actor) {
      this.fail("stored as asked", `${id} is stored with the actor ${text(item, "actor")}`);
    }
    this.#checkContentHashes(item);
    if (id !== idOf(content)) this.fail("one effect per key", `${id} is not the id of ${record.key}`);
    const taken = this.#byId.get(`${userId} ${id}`);
    if (taken) this.fail("one effect per key", `${id} is the id of ${taken.key} and of ${record.key}`);
    for (const [name, other] of this.#byId) {
      if (other === record)
        this.fail("one effect per key", `${userId} ${record.key} is stored as ${name} and as ${id}`);
    }
    this.#byId.set(`${userId} ${id}`, record);
    this.#status.set(`${userId} ${id}`, "pending");
    if (item.expiresAt && text(item, "expiresAt") <= text(item, "createdAt")) {
      this.fail("stored as asked", `${userId} ${id} is a hold that expired before it was accepted`);
    }
    if (content.isInvalidWrite) this.invalidWriteIds.add(id);
    this.#onStored(content);
  }

  /** True if a stored transaction is what a movement asks for. */
  isOf(item: Item, movement: Movement): boolean {
    const { type, currency, amountMinor, to, refersTo, final, bought, newStatus, expiresAtMs } = movement;
    if (type !== text(item, "type")) return false;
    if (type === "status_change") return text(item, "newStatus") === newStatus && !item.currency;
    const referred = refersTo && this.#items.get(`${movement.userId} ${referredId(movement)}`);
    const expiresAt = expiresAtMs === undefined ? plusDays(text(item, "createdAt"), 7) : timeAt(expiresAtMs);
    const receiver = type === "reversal" ? refundedUser(referred) : type === "capture" ? referred?.to?.S : to;
    return (
      currency === text(item, "currency") &&
      (type === "release" || String(amountMinor) === String(item.amountMinor?.N)) &&
      receiver === item.to?.S &&
      (refersTo ? text(item, "refersTo") === referredId(movement) : !item.refersTo) &&
      (type !== "hold" || text(item, "expiresAt") === expiresAt) &&
      (type !== "capture" || item.final?.BOOL === final) &&
      (!bought ||
        (item.bought?.M?.currency?.S === bought.currency &&
          item.bought.M.amountMinor?.N === String(bought.amountMinor)))
    );
  }

  /** The sweep stores the expiry of a hold once its time is over. */
  #checkExpiry(item: Item): void {
    const [userId, id, holdId] = [text(item, "userId"), text(item, "id"), text(item, "refersTo")];
    const hold = this.#items.get(`${userId} ${holdId}`);
    const remainder = this.#remainders.get(`${userId} ${holdId}`);
    const dueMs = Date.parse(text(hold ?? {}, "expiresAt")) + DUE_AFTER_MS;
    const nowMs = START_MS + this.#nowMs();
    if (!hold || !remainder?.hold || !(dueMs <= nowMs + this.#skewMs)) {
      this.fail("holds end once", `${userId} ${id} is the expiry of ${holdId}, which is not due`);
    }
    const isRight =
      id === derivedIdOf("expiry", userId, holdId) &&
      text(item, "currency") === text(hold ?? {}, "currency") &&
      text(item, "status") === "pending" &&
      Math.abs(Date.parse(text(item, "createdAt")) - nowMs) <= this.#skewMs + LATE_WRITE_MS;
    if (!isRight) this.fail("stored as asked", `${userId} ${id} is stored as ${JSON.stringify(item)}`);
    this.#checkContentHashes(item);
    this.#status.set(`${userId} ${id}`, "pending");
  }

  #checkContentHashes(item: Item): void {
    const [salt, reference] = [item.salt?.S, item.reference?.S];
    const detailsHash = reference === undefined ? NO_DETAILS_HASH : canonicalHash({ salt, reference, metadata: {} });
    if ((item.detailsHash?.S ?? NO_DETAILS_HASH) !== detailsHash) {
      this.fail("hash chain", `${text(item, "id")} has another details hash`);
    }
    const base = ["id", "userId", "type", "actor", "createdAt"].map((name) => text(item, name));
    const money = [item.currency?.S ?? null, numberIn(item.exponent?.N), item.amountMinor?.N ?? null];
    const own = Object.entries(ownFields(item));
    if (text(item, "contentHash") !== sha256(JSON.stringify([...base, ...money, detailsHash, ...own]))) {
      this.fail("hash chain", `${text(item, "id")} has another content hash`);
    }
  }

  /** A decision, a change of what remains, or a later time for the sweep. */
  #checkRewrite(before: Item, after: Item, newlyDecided: Item[], isAlone: boolean): void {
    const name = keyOf(after);
    const changed = Object.keys({ ...before, ...after }).filter(
      (attribute) => JSON.stringify(before[attribute]) !== JSON.stringify(after[attribute]),
    );
    const wasPending = text(before, "status") === "pending";
    const isPending = text(after, "status") === "pending";
    const allowed = wasPending && !isPending ? DECISION_ATTRIBUTES : REMAINDER_ATTRIBUTES;
    const wrong = changed.filter((attribute) => !allowed.has(attribute));
    if (wrong.length > 0) {
      this.fail(wasPending ? "stored as asked" : "terminal is final", `${name} changed its ${wrong.join(", ")}`);
    }
    if (isPending) {
      if (changed.some((attribute) => attribute !== "dueAt")) {
        this.fail("one effect per key", `${name} is written again while it is pending`);
      }
    } else if (wasPending) {
      this.#status.set(name, text(after, "status"));
      newlyDecided.push(after);
    } else if (changed.length === 0 && !isAlone) {
      this.fail("terminal is final", `${name} was ${text(before, "status")} and is written again`);
    }
  }

  /** @returns the wallet's new decisions */
  #checkWallet({ before, after }: Change, newlyDecided: readonly Item[]): readonly Decided[] {
    const userId = text(after, "userId");
    const versions = this.#wallets.get(userId) ?? [{ sequence: 0 }];
    const start = versions.at(-1)?.sequence ?? 0;
    if (before && Number(before.sequence?.N) !== start) throw new Error("The oracle missed a write of a wallet");
    const inOrder = newlyDecided.toSorted((a, b) => (text(a, "position") < text(b, "position") ? -1 : 1));
    const decided: Decided[] = [];
    for (const item of inOrder) {
      const outcome = this.#checkOutcome(userId, item, this.history(userId).at(-1));
      decided.push(outcome);
      this.#appliedAtMs.set(outcome.hash, this.#nowMs() + APPLY_MS_MAX);
      this.#histories.set(userId, [...this.history(userId), outcome]);
    }
    const last = this.history(userId).at(-1);
    const sequence = Number(this.#integer(after.sequence?.N));
    if (sequence !== start + inOrder.length) {
      this.fail("gap-free sequence", `${userId} has ${sequence} after ${inOrder.length} decisions on ${start}`);
    }
    const [available, held] = [this.#minorIn(after.available), this.#minorIn(after.held)];
    for (const [currency, minor] of [...available, ...held]) {
      if (minor < 0n) this.fail("never negative", `${userId} has ${minor} ${currency}`);
    }
    if (!isSame(available, last?.available) || !isSame(held, last?.held)) {
      this.fail("conservation", `${userId} has ${listed(available)} and should have ${listed(last?.available)}`);
    }
    if ((after.status?.S ?? "active") !== last?.walletStatus) {
      this.fail("right decision", `${userId} is ${after.status?.S} and should be ${last?.walletStatus}`);
    }
    if (text(after, "hash") !== last?.hash || text(after, "decidedAt") !== last.decidedAt) {
      this.fail("hash chain", `the head of ${userId} is not the last decision ${last?.id}`);
    }
    versions.push({ sequence });
    this.#wallets.set(userId, versions);
    this.#stored.set(userId, summed([...available, ...held]));
    return decided;
  }

  #checkOutcome(userId: string, item: Item, previous: Decided | undefined): Decided {
    const [id, type] = [text(item, "id"), text(item, "type")];
    const wrong = (invariant: Invariant, what: string) => this.fail(invariant, `${userId} ${id}: ${what}`);
    const [decidedAt = "", digits = ""] = text(item, "position").split("#");
    const sequence = Number(digits);
    if (sequence !== (previous?.sequence ?? 0) + 1) {
      wrong("gap-free sequence", `it has ${sequence} after ${previous?.sequence}`);
    }
    const before = previous ?? EMPTY;
    const { code, changes, external } = this.#effectOf(item, before);
    const status = text(item, "status");
    if (status !== (code ? "rejected" : "posted") || item.rejectionCode?.S !== code) {
      wrong("right decision", `${type} is ${status} ${item.rejectionCode?.S}, not ${code ?? "posted"}`);
    }
    const after = code ? before : changes.reduce(withChange, before);
    const walletStatus = !code && type === "status_change" ? statusIn(text(item, "newStatus")) : before.walletStatus;
    const storedStatus = item.walletStatus?.S ?? "active";
    const [available, held] = [this.#minorIn(item.available), this.#minorIn(item.held)];
    if (!isSame(available, after.available) || !isSame(held, after.held) || storedStatus !== walletStatus) {
      wrong("fold of the history", `after it ${listed(available)} is available, not ${listed(after.available)}`);
    }
    const postings = code ? [] : changes.map((change) => postingOf(change, after));
    const decided: Decided = {
      ...{ id, type, sequence, status, code, postings, walletStatus },
      ...{ available: after.available, held: after.held, decidedAt },
      currency: item.currency?.S,
      boughtCurrency: item.bought?.M?.currency?.S,
      createdAt: text(item, "createdAt"),
      hash: text(item, "hash"),
      external: code ? new Map() : external,
      emits: this.#emittedBy(item, !code, changes, decidedAt),
    };
    this.#applyRemainders(item, decided);
    for (const [currency, minor] of decided.external) add(this.#external, currency, minor);
    this.#inTransit.delete(`${userId} ${id}`);
    this.#checkTimes(userId, decided, previous, text(item, "position"));
    this.#checkHash(userId, item, decided, previous);
    return decided;
  }

  /** An independent implementation of the ledger's rules. */
  #effectOf(item: Item, wallet: WalletState): { code?: string; changes: readonly Moved[]; external: Minor } {
    const nothing = { changes: [], external: new Map<string, bigint>() };
    const [userId, type, currency] = [text(item, "userId"), text(item, "type"), text(item, "currency")];
    const isReturn = item.source?.M?.type?.S === "return";
    if (wallet.walletStatus === "closed" && type !== "status_change" && !isReturn) {
      return { code: "wallet_closed", ...nothing };
    }
    const referredKey = `${userId} ${text(item, "refersTo")}`;
    const [referred, remainder] = [this.#items.get(referredKey), this.#remainders.get(referredKey)];
    const original = text(referred ?? {}, "type");
    const takes =
      ["withdrawal", "transfer", "hold", "capture", "exchange"].includes(type) ||
      (type === "reversal" && original !== "withdrawal" && original !== "capture");
    if (wallet.walletStatus === "frozen" && takes && text(item, "actor") !== "admin") {
      return { code: "wallet_frozen", ...nothing };
    }
    const requested = item.amountMinor?.N === undefined ? undefined : this.#integer(item.amountMinor.N);
    const refusal = refusalOf(item, type, original, referred, remainder, requested, wallet);
    if (refusal) return { code: refusal, ...nothing };
    const amount = requested ?? remainder?.remainingMinor ?? 0n;
    const moved = (amountMinor: bigint, heldMinor = 0n, of = currency): Moved => ({
      currency: of,
      amountMinor,
      heldMinor,
    });
    const bought = item.bought?.M;
    const boughtMoved = (sign: bigint) =>
      bought ? [moved(sign * this.#integer(bought.amountMinor?.N), 0n, bought.currency?.S)] : [];
    const changes: Moved[] = [];
    const isOutside = ["deposit", "withdrawal", "exchange"].includes(type) || (type === "capture" && !item.to);
    switch (type) {
      case "deposit":
      case "credit":
        changes.push(moved(amount));
        break;
      case "withdrawal":
      case "transfer":
        changes.push(moved(-amount));
        break;
      case "hold":
        changes.push(moved(0n, amount));
        break;
      case "capture":
        changes.push(moved(-amount, item.final?.BOOL ? -(remainder?.remainingMinor ?? 0n) : -amount));
        break;
      case "release":
      case "expiry":
        changes.push(moved(0n, -(remainder?.remainingMinor ?? 0n)));
        break;
      case "exchange":
        changes.push(moved(-amount), ...boughtMoved(1n));
        break;
      case "reversal":
        if (original === "exchange") {
          const sold = this.#integer(referred?.amountMinor?.N);
          const reverse = referred?.bought?.M;
          changes.push(moved(sold), moved(-this.#integer(reverse?.amountMinor?.N), 0n, reverse?.currency?.S));
        } else {
          changes.push(moved(original === "withdrawal" || original === "capture" ? amount : -amount));
        }
    }
    const isReversalOutside = type === "reversal" && original !== "credit";
    const external =
      isOutside || isReversalOutside ? summed(changes.map((each) => [each.currency, each.amountMinor])) : new Map();
    const after = changes.reduce(withChange, wallet);
    if (!isReturn) {
      const isShort = changes.some((each) => (after.available.get(each.currency) ?? 0n) < 0n);
      if (isShort) return { code: "insufficient_funds", ...nothing };
      const isTooMuch = changes.some((each) => each.amountMinor > 0n && balanceIn(after, each.currency) > LIMIT);
      if (isTooMuch) return { code: "balance_limit", ...nothing };
    }
    return { changes, external };
  }

  #emittedBy(item: Item, isPosted: boolean, changes: readonly Moved[], decidedAt: string): Emitted | undefined {
    const [userId, id, type] = [text(item, "userId"), text(item, "id"), text(item, "type")];
    const [currency, refersTo] = [text(item, "currency"), item.refersTo?.S];
    const source = item.source?.M;
    const created = { currency, createdAt: decidedAt };
    if (type === "credit" && !isPosted) {
      const restored = source?.type?.S === "reversal" ? source.refersTo?.S : undefined;
      return {
        ...created,
        userId: source?.userId?.S ?? "",
        id: derivedIdOf("return", userId, id),
        amountMinor: this.#integer(item.amountMinor?.N),
        source: { type: "return", userId, transactionId: id },
        refersTo: restored,
      };
    }
    if (!item.to || !["transfer", "capture", "reversal"].includes(type) || !isPosted) return undefined;
    return {
      ...created,
      userId: text(item, "to"),
      id: derivedIdOf("credit", userId, id),
      amountMinor: -(changes[0]?.amountMinor ?? 0n),
      source: { type, userId, transactionId: id, ...(refersTo !== undefined && { refersTo }) },
      refersTo: undefined,
    };
  }

  /** What a decision leaves of itself and of what it refers to. */
  #applyRemainders(item: Item, { status, postings: [posting], type }: Decided): void {
    if (status !== "posted" || !posting) return;
    const name = keyOf(item);
    const source = item.source?.M?.type?.S;
    const initial: Record<string, bigint | undefined> = {
      deposit: posting.amountMinor,
      withdrawal: -posting.amountMinor,
      exchange: -posting.amountMinor,
      capture: item.to ? undefined : -posting.amountMinor,
      credit: source === "transfer" || source === "capture" ? posting.amountMinor : undefined,
      hold: posting.heldMinor,
    };
    const initialMinor = initial[type];
    if (initialMinor !== undefined) {
      const hold = type === "hold" ? ("open" as const) : undefined;
      this.#remainders.set(name, { initialMinor, remainingMinor: initialMinor, hold });
    }
    const referredName = `${text(item, "userId")} ${text(item, "refersTo")}`;
    const referred = this.#remainders.get(referredName);
    if (!referred) return;
    const leaves = (remainingMinor: bigint, hold = referred.hold) =>
      this.#remainders.set(referredName, { ...referred, remainingMinor, hold });
    const { remainingMinor } = referred;
    if (type === "capture") {
      const left = remainingMinor + posting.heldMinor;
      leaves(left, left === 0n ? "captured" : "open");
    }
    if (type === "release") leaves(0n, "released");
    if (type === "expiry") leaves(0n, "expired");
    if (type === "credit") leaves(remainingMinor + posting.amountMinor);
    if (type === "reversal") {
      leaves(remainingMinor - (item.amountMinor?.N === undefined ? remainingMinor : this.#integer(item.amountMinor.N)));
    }
    const after = this.#remainders.get(referredName)?.remainingMinor ?? 0n;
    if (after < 0n || after > referred.initialMinor) {
      this.fail("reversals within the original", `${after} of ${referred.initialMinor} is left of ${referredName}`);
    }
    if (referred.hold && referred.hold !== "open") this.fail("holds end once", `${referredName} ends twice`);
  }

  /** The credits of a write are exactly those that its decisions emit. */
  #checkCredits(credits: readonly Item[], decided: readonly Decided[]): void {
    const expected = new Map(decided.flatMap(({ emits }) => (emits ? [[`${emits.userId} ${emits.id}`, emits]] : [])));
    for (const item of credits) {
      const name = keyOf(item);
      const emits = expected.get(name);
      expected.delete(name);
      const source = Object.fromEntries(Object.entries(item.source?.M ?? {}).map(([member, { S }]) => [member, S]));
      const isRight =
        emits &&
        text(item, "type") === "credit" &&
        text(item, "status") === "pending" &&
        text(item, "currency") === emits.currency &&
        item.amountMinor?.N === String(emits.amountMinor) &&
        text(item, "createdAt") === emits.createdAt &&
        item.refersTo?.S === emits.refersTo &&
        canonical(source) === canonical(emits.source) &&
        text(item, "dueAt") === plusMs(emits.createdAt, DUE_AFTER_MS) &&
        !item.reference;
      if (!isRight) this.fail("one credit or return", `no decision emits ${JSON.stringify(item)}`);
      this.#checkContentHashes(item);
      this.#status.set(name, "pending");
      if (emits) this.#inTransit.set(name, emits);
    }
    if (expected.size > 0) this.fail("one credit or return", `${[...expected.keys()]} is missing`);
  }

  /** What a stored transaction leaves, and its places in the indexes of open holds and of what is due. */
  #checkRemainder(item: Item): void {
    const name = keyOf(item);
    const remainder = this.#remainders.get(name);
    const { initialMinor = 0n, remainingMinor = 0n, hold } = remainder ?? {};
    const isUntouched = !remainder || remainingMinor === initialMinor;
    const remaining = isUntouched ? undefined : String(remainingMinor);
    const isOpen = hold === "open";
    const isSent = this.#inTransit.has(name) || text(item, "type") === "expiry";
    const isDue = isOpen || (isSent && text(item, "status") === "pending");
    const isRight =
      item.remainingMinor?.N === remaining &&
      item.holdStatus?.S === (isOpen ? undefined : hold) &&
      item.openHold?.S === (isOpen ? text(item, "position") : undefined) &&
      (item.dueAt !== undefined) === isDue &&
      (item.dueShard !== undefined) === (item.dueAt !== undefined);
    if (!isRight) this.fail("holds end once", `${name} is stored with another remainder: ${JSON.stringify(item)}`);
  }

  /** Money in all wallets and in transit is what came from outside. */
  #checkConservation(): void {
    const total = summed([
      ...[...this.#stored.values()].flatMap((minor) => [...minor]),
      ...[...this.#inTransit.values()].map(({ currency, amountMinor }) => [currency, amountMinor] as const),
    ]);
    if (!isSame(total, summed([...this.#external]))) {
      this.fail("conservation", `the ledger has ${listed(total)} and should have ${listed(this.#external)}`);
    }
  }

  /** As of the time of every decision: money in wallets and in transit is what came from outside until then. */
  checkPastConservation(): void {
    const histories = [...this.#histories.values()];
    for (const at of new Set(histories.flat().map(({ decidedAt }) => decidedAt))) {
      const past = histories.map((history) => history.filter(({ decidedAt }) => decidedAt <= at));
      const decidedIds = new Set(past.flat().map(({ id }) => id));
      const inTransit = past.flat().flatMap(({ emits }) => (emits && !decidedIds.has(emits.id) ? [emits] : []));
      const total = summed([
        ...past.flatMap((history) => history.slice(-1)).flatMap(({ available, held }) => [...available, ...held]),
        ...inTransit.map(({ currency, amountMinor }) => [currency, amountMinor] as const),
      ]);
      const external = summed(past.flat().flatMap((each) => [...each.external]));
      if (!isSame(total, external)) {
        this.fail("conservation", `at ${at} the ledger had ${listed(total)}, not ${listed(external)}`);
      }
    }
  }

  /** A subscriber of the topic received an event. */
  published({ groupId, deduplicationId, body, attributes }: Sent): void {
    const event: PublishedEvent = JSON.parse(body);
    const [userId = "", sequence] = String(event.id).split("/");
    const decided = this.history(userId)[Number(sequence) - 1];
    const wrong = (what: string) => this.fail("published", `the event ${event.id}: ${what}`);
    if (!decided) {
      wrong("it is published, and not decided");
      return;
    }
    if (!isEventOf(event, decided)) wrong(`it is ${body}`);
    const { status, type, currency } = decided;
    const filters = canonical({ type, status, currency });
    if (groupId !== userId || canonical(attributes) !== filters) wrong(`it has ${groupId} ${canonical(attributes)}`);
    if (deduplicationId !== createHash("sha256").update(event.id).digest("hex")) wrong("another deduplication id");
    const bodies = this.#published.get(userId) ?? [];
    this.#published.set(userId, bodies);
    const known = bodies[Number(sequence) - 1];
    if (known !== undefined && known !== body) this.fail("one event per decision", `${event.id} was ${known}`);
    if (known !== undefined) return;
    if (Number(sequence) !== bodies.length + 1) {
      this.fail("published in order", `${event.id} is published after ${bodies.length} of the user's events`);
    }
    bodies.push(body);
  }

  /** A message for a webhook endpoint arrived in the queue. */
  delivered(message: string): void {
    const { endpointId, eventId, body } = JSON.parse(message);
    const name = `${endpointId} ${eventId}`;
    const known = this.#delivered.get(name);
    if (known !== undefined && known !== body) this.fail("one event per decision", `${eventId} was ${known}`);
    this.#delivered.set(name, body);
    const { type } = JSON.parse(body).data;
    const endpoint = ENDPOINTS.find(({ id }) => id === endpointId);
    if (!endpoint || !isWanted(endpoint, type)) this.fail("published", `${endpointId} gets ${eventId}, a ${type}`);
  }

  /** In the end every decision is published, and delivered to the endpoints that want it. */
  checkPublished(): void {
    for (const [userId, history] of this.#histories) {
      const bodies = this.events(userId);
      if (bodies.length < history.length) {
        this.fail("published", `${bodies.length} of ${history.length} decisions of ${userId} are published`);
      }
      for (const [index, { type }] of history.entries()) {
        for (const endpoint of ENDPOINTS) {
          const delivered = this.#delivered.get(`${endpoint.id} ${userId}/${index + 1}`);
          if (isWanted(endpoint, type) && delivered !== bodies[index])
            this.fail("published", `${endpoint.id} has ${delivered} as ${userId}/${index + 1}, a ${type}`);
        }
      }
    }
  }

  /** The bodies of a user's events, by sequence. */
  events(userId: string): readonly string[] {
    return this.#published.get(userId) ?? [];
  }

  /** Where the money is that a transaction sent to another wallet. */
  transferStatusOf({ emits }: Decided): "in_transit" | "credited" | "returned" | undefined {
    if (!emits) return undefined;
    const status = this.statusOf(emits.userId, emits.id);
    if (status === "posted") return "credited";
    const credit = this.history(emits.userId).find(({ id }) => id === emits.id);
    const back = credit?.emits;
    return back && this.statusOf(back.userId, back.id) === "posted" ? "returned" : "in_transit";
  }

  remainderOf(userId: string, id: string): Remainder | undefined {
    return this.#remainders.get(`${userId} ${id}`);
  }

  item(userId: string, id: string): Item | undefined {
    return this.#items.get(`${userId} ${id}`);
  }

  /** Transactions of the ledger itself that are not decided, and holds whose time is over and that are open. */
  unfinished(nowMs: number): string[] {
    const pending = [...this.#items].filter(
      ([, item]) => text(item, "actor") === "ledger" && text(item, "status") === "pending",
    );
    const open = [...this.#items].filter(
      ([name, item]) =>
        this.#remainders.get(name)?.hold === "open" &&
        Date.parse(text(item, "expiresAt")) + DUE_AFTER_MS < START_MS + nowMs,
    );
    return [...pending, ...open].map(([name]) => name);
  }

  #checkTimes(userId: string, decided: Decided, previous: Decided | undefined, position: string): void {
    const { id, sequence, createdAt, decidedAt } = decided;
    if (decidedAt < createdAt || decidedAt < (previous?.decidedAt ?? "")) {
      this.fail("monotone times", `${userId} ${id} is decided at ${decidedAt}, too early`);
    }
    if (position !== `${decidedAt}#${String(sequence).padStart(15, "0")}`) {
      this.fail("monotone times", `${userId} ${id} has the position ${position}`);
    }
    const ageMs = START_MS + this.#nowMs() - Date.parse(decidedAt);
    if (ageMs > FINAL_AFTER_MS) this.fail("reproducible", `${userId} ${id} is written ${ageMs} ms after its time`);
  }

  #checkHash(userId: string, item: Item, decided: Decided, previous: Decided | undefined): void {
    const { id, type, sequence, createdAt, decidedAt, status, code, postings, available, held, emits } = decided;
    const exponentIn = (currency: string) =>
      [item, item.bought?.M ?? {}, this.#items.get(`${userId} ${text(item, "refersTo")}`)?.bought?.M ?? {}]
        .filter((each) => each.currency?.S === currency)
        .map(({ exponent }) => Number(exponent?.N))[0];
    const previousHash = previous?.hash ?? null;
    const content = {
      ...{ version: 1, userId, sequence, previousHash, id, type, actor: text(item, "actor"), createdAt, decidedAt },
      ...{
        currency: item.currency?.S ?? null,
        exponent: item.amountMinor ? numberIn(item.exponent?.N) : null,
        amount: item.amountMinor?.N ?? null,
      },
      ...ownFields(item),
      ...(emits && { emits: emits.id }),
      ...{ status, rejection: code ?? null },
      postings: postings.map(({ currency, amountMinor, heldMinor, balanceAfterMinor, heldAfterMinor }) => ({
        ...{ currency, exponent: exponentIn(currency), amount: `${amountMinor}`, held: `${heldMinor}` },
        ...{ balanceAfter: `${balanceAfterMinor}`, heldAfter: `${heldAfterMinor}` },
      })),
      walletStatus: decided.walletStatus,
      balances: [...new Set([...available.keys(), ...held.keys()])].sort().map((currency) => ({
        ...{ currency, available: `${available.get(currency) ?? 0n}`, held: `${held.get(currency) ?? 0n}` },
      })),
      detailsHash: item.detailsHash?.S ?? NO_DETAILS_HASH,
    };
    if ((item.previousHash?.S ?? null) !== previousHash || decided.hash !== canonicalHash(content)) {
      this.fail("hash chain", `${userId} ${id} does not continue the chain of ${previous?.id}`);
    }
  }

  #minorIn(attribute: Item[string] | undefined): Minor {
    return new Map(Object.entries(attribute?.M ?? {}).map(([currency, { N }]) => [currency, this.#integer(N)]));
  }

  /** A command that was accepted before this one was first sent must be decided before it. */
  #checkOrder(userId: string, decided: Decided): void {
    const mine = this.#byId.get(`${userId} ${decided.id}`);
    if (!mine) return;
    // A forged message that is redriven sends the command alone.
    const isRedriven = [...this.#deadLettered].some((name) => name.endsWith(` ${decided.id}`));
    for (const other of isRedriven ? [] : (this.#before.get(mine) ?? [])) {
      const name = `${userId} ${idOf(other)}`;
      if (this.#status.get(name) === "pending" && !this.#deadLettered.has(name)) {
        this.fail("in order", `${userId} ${mine.key} was decided before ${other.key}, which is before it in the batch`);
      }
    }
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
    const ids = idsIn(message.body);
    for (const id of ids) this.#deadLettered.add(`${message.groupId} ${id}`);
    const poison = this.#poisonIn(message.body);
    // The queue dead-letters after the last delivery; the consumer must have a reason.
    if (message.sourceUrl !== undefined) return;
    poison?.deadLetters.push(message);
    const [id = "", ...others] = ids;
    if (others.length > 0) {
      this.fail("dead-letters only what can't be decided", `${ids.length} commands are dead-lettered together`);
    }
    const { reason } = message.attributes;
    if (poison?.hasMalformed && ids.length === 0) {
      if (reason !== "malformed")
        this.fail("dead-letters every forged message", `no command: dead-lettered as ${reason}`);
    } else if (poison) {
      // A forged message of an invalid write can have either reason.
      const reasons = poison.reasons(message.groupId);
      if (!reasons.includes(reason ?? "") && !this.invalidWriteIds.has(id)) {
        const right = reasons.join(" or ");
        this.fail("dead-letters every forged message", `a forged message, ${right}, is dead-lettered as ${reason}`);
      }
    } else if (!this.invalidWriteIds.has(id) || reason !== "invalid_write") {
      this.fail("dead-letters only what can't be decided", `${message.groupId} ${id} is dead-lettered as ${reason}`);
    }
  }

  /** True for a message that only a consumer of another version can decode. */
  isOfOtherVersion({ body }: QueuedMessage): boolean {
    return this.#poisonIn(body)?.isOfOtherVersion ?? false;
  }

  /** Checks a message that the consumer acknowledged. */
  acknowledged({ messageId, groupId, body }: QueuedMessage): void {
    const poison = this.#poisonIn(body);
    const isDecided = (id: string) => ["posted", "rejected"].includes(this.statusOf(groupId, id) ?? "");
    for (const id of poison ? [] : idsIn(body)) {
      if (!isDecided(id) && !this.invalidWriteIds.has(id))
        this.fail(
          "acknowledged only what is done",
          `${groupId} ${id} is acknowledged and ${this.statusOf(groupId, id)}`,
        );
    }
    for (const command of poison ? commandsIn(body) : []) {
      const [id = ""] = idsIn(command);
      const isDecidedCopy = poison?.isCopy && groupId === poison.userId && isDecided(id);
      const isDeadLettered = poison?.deadLetters.some(
        (sent) =>
          commandsIn(sent.body).includes(command) &&
          sent.deduplicationId === sha256(JSON.stringify([messageId, sent.body])),
      );
      if (!isDeadLettered && !isDecidedCopy)
        this.fail("dead-letters every forged message", `${command} in the group ${groupId} is acknowledged only`);
    }
  }

  #integer(number: string | undefined): bigint {
    if (number !== undefined && /^-?[0-9]+$/.test(number)) return BigInt(number);
    this.fail("exact amounts", `${number} is not a whole number`);
    return 0n;
  }
}

/** The ids of the transactions whose commands a message has. */
export function idsIn(body: string): string[] {
  return [...body.matchAll(/"id":"([^"]*)"/g)].map(([, id = ""]) => id);
}

function isWanted({ status, types }: (typeof ENDPOINTS)[number], type: string): boolean {
  return status === "enabled" && (types === undefined || types.some((wanted) => wanted === type));
}

/** Whether an event has a decision, and the transaction as it was right after it. */
function isEventOf(event: PublishedEvent, { id, status, type, decidedAt, hash, emits }: Decided): boolean {
  const { data } = event;
  return (
    event.specversion === "1.0" &&
    event.source === EVENT_SOURCE &&
    event.type === `antler.transaction.${status}` &&
    event.subject === id &&
    event.time === decidedAt &&
    event.datacontenttype === "application/json" &&
    data.id === id &&
    data.hash === hash &&
    (status !== "posted" || type !== "hold" || (data.hold?.status === "open" && data.hold.remaining === data.amount)) &&
    (emits === undefined || type === "credit" || data.transfer?.status === "in_transit")
  );
}

/** What an attacker puts in the place of a command. */
export const MALFORMED_COMMAND = '{"type":"deposit"}';

/** The commands of a message, also what is no command; of what is no message, the message. */
function commandsIn(body: string): string[] {
  if (!body.endsWith("}]}")) return [body];
  const { commands }: { readonly commands: readonly unknown[] } = JSON.parse(body);
  return commands.map(canonical);
}

/** What identifies a message of an attacker, also after the consumer took it apart. */
function nameIn(body: string): string {
  return /"requestId":"([^"]*)"/.exec(body)?.[1] ?? body;
}

/** The id of what a movement refers to. */
export function referredId({ refersTo }: Pick<Movement, "refersTo">): string {
  if (!refersTo) return "";
  const id = idOf(refersTo);
  return refersTo.isCredit ? derivedIdOf("credit", refersTo.userId, id) : id;
}

export function sameContent(a: Movement, b: Movement): boolean {
  const contentOf = ({
    type,
    currency,
    amountMinor,
    to,
    final,
    bought,
    newStatus,
    expiresAtMs,
    ...other
  }: Movement) => [
    ...[type, type === "status_change" ? "" : currency, String(type === "release" ? "" : amountMinor), to, final],
    ...[bought?.currency, String(bought?.amountMinor), newStatus, expiresAtMs, referredId(other)],
  ];
  return JSON.stringify(contentOf(a)) === JSON.stringify(contentOf(b));
}

interface Moved {
  readonly currency: string;
  readonly amountMinor: bigint;
  readonly heldMinor: bigint;
}

/** Why a command is rejected whatever the balances are, except for the wallet's status. */
function refusalOf(
  item: Item,
  type: string,
  original: string,
  referred: Item | undefined,
  remainder: Remainder | undefined,
  amountMinor: bigint | undefined,
  wallet: WalletState,
): string | undefined {
  if (["capture", "release", "expiry"].includes(type) && remainder?.hold !== "open") return "hold_closed";
  if (type === "capture") {
    if (text(item, "createdAt") >= text(referred ?? {}, "expiresAt")) return "hold_expired";
    if ((amountMinor ?? 0n) > (remainder?.remainingMinor ?? 0n)) return "capture_exceeds_hold";
  }
  if (type === "reversal") {
    if (!remainder || original === "hold") return "not_reversible";
    if (remainder.remainingMinor === 0n) return "reversal_exceeds_original";
    if ((amountMinor ?? 0n) > remainder.remainingMinor) return "reversal_exceeds_original";
  }
  const closes = type === "status_change" && text(item, "newStatus") === "closed";
  return closes && wallet.available.size + wallet.held.size > 0 ? "wallet_not_empty" : undefined;
}

/** The sender who gets the money if a credit is refunded. */
function refundedUser(original: Item | undefined): string | undefined {
  const source = original?.source?.M;
  return source?.type?.S === "transfer" || source?.type?.S === "capture" ? source.userId?.S : undefined;
}

/** The fields that only one type has, as the hashes contain them. */
function ownFields(item: Item): Readonly<Record<string, unknown>> {
  const { to, source, refersTo, expiresAt, final, bought, newStatus } = item;
  const plain = (attributes: Item) =>
    Object.fromEntries(Object.entries(attributes).map(([name, { S, N }]) => [name, S ?? Number(N)]));
  const { type, userId, transactionId, ...others } = plain(source?.M ?? {});
  const sold = bought?.M;
  const fields = {
    ...(text(item, "type") === "transfer" || text(item, "type") === "hold" ? { to: to?.S } : {}),
    ...(source && { source: { type, userId, transactionId, ...others } }),
    refersTo: refersTo?.S,
    expiresAt: expiresAt?.S,
    final: final?.BOOL,
    ...(text(item, "type") === "capture" || text(item, "type") === "reversal" ? { to: to?.S } : {}),
    bought: sold && { currency: sold.currency?.S, exponent: Number(sold.exponent?.N), amount: sold.amountMinor?.N },
    newStatus: newStatus?.S,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function withChange({ walletStatus, available, held }: WalletState, change: Moved): WalletState {
  const { currency, amountMinor, heldMinor } = change;
  return {
    walletStatus,
    available: summed([...available, [currency, amountMinor - heldMinor]]),
    held: summed([...held, [currency, heldMinor]]),
  };
}

function postingOf({ currency, amountMinor, heldMinor }: Moved, after: WalletState): Posting {
  const [balanceAfterMinor, heldAfterMinor] = [balanceIn(after, currency), after.held.get(currency) ?? 0n];
  return { currency, amountMinor, heldMinor, balanceAfterMinor, heldAfterMinor };
}

/** The balance of a currency, available and held together. */
export function balanceIn({ available, held }: WalletState, currency: string): bigint {
  return (available.get(currency) ?? 0n) + (held.get(currency) ?? 0n);
}

/** Sums by currency, without zeros. */
function summed(entries: readonly (readonly [string, bigint])[]): Minor {
  const sums = new Map<string, bigint>();
  for (const [currency, minor] of entries) add(sums, currency, minor);
  return new Map([...sums].filter(([, minor]) => minor !== 0n));
}

function add(sums: Map<string, bigint>, currency: string, minor: bigint): void {
  sums.set(currency, (sums.get(currency) ?? 0n) + minor);
}

function statusIn(status: string): WalletStatus {
  return status === "frozen" || status === "closed" ? status : "active";
}

/** The text of a simulated time. */
export function timeAt(ms: number): string {
  return new Date(START_MS + ms).toISOString();
}

function plusMs(time: string, ms: number): string {
  return new Date(Date.parse(time) + ms).toISOString();
}

function plusDays(time: string, days: number): string {
  return plusMs(time, days * 24 * 3_600_000);
}

function numberIn(attribute: string | undefined): number | null {
  return attribute === undefined ? null : Number(attribute);
}

function keyOf(item: Item): string {
  return `${text(item, "userId")} ${text(item, "id")}`;
}

function text(item: Item, name: string): string {
  return item[name]?.S ?? "";
}

function isSame(a: Minor, b: Minor = new Map()): boolean {
  return listed(a) === listed(b);
}

function listed(balances: Minor = new Map()): string {
  return [...balances]
    .filter(([, minor]) => minor !== 0n)
    .map(([currency, minor]) => `${minor} ${currency}`)
    .sort()
    .join(", ");
}

/** RFC 8785, of values without fractions. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(",")}}`;
}

function canonicalHash(value: unknown): string {
  return sha256(canonical(value));
}
