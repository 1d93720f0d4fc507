import { isDeepStrictEqual } from "node:util";
import { refersToOf } from "../domain/command.ts";
import { decide, evolve, initialRemainder } from "../domain/decide.ts";
import { emittedBy } from "../domain/emitted.ts";
import { contentHashOf, detailsHashOf, hashOf } from "../domain/hash.ts";
import { balanceOf, currenciesOf, emptyWallet, type State, type Wallet } from "../domain/state.ts";
import type { DecidedTransaction, Decision, Remainder, Transaction, TransactionStatus } from "../domain/transaction.ts";
import { inParallel } from "./inParallel.ts";
import { checkLinks, isLinked } from "./links.ts";
import { type TransactionKey, UnreadableItem } from "./ports.ts";

/** Reads the whole ledger. A method for one user throws {@link UnreadableItem}. */
export interface LedgerReader {
  wallets(): AsyncIterable<UserWallet | UnreadableItem>;
  /** Strongly consistent. */
  wallet(userId: string): Promise<Wallet | undefined>;
  /** One user's decided transactions by sequence: eventually consistent as a stream, or complete and strongly consistent. */
  history(userId: string): AsyncIterable<DecidedTransaction>;
  consistentHistory(userId: string): Promise<readonly DecidedTransaction[]>;
  /** Those that exist, in no order. Each is strongly consistent. */
  transactions(keys: readonly TransactionKey[]): Promise<readonly Transaction[]>;
  /** Every transaction's user and status, in no order. */
  statuses(): AsyncIterable<StatusItem | UnreadableItem>;
}

interface StatusItem {
  readonly userId: string;
  readonly status: TransactionStatus;
  /** The transaction, if it is pending, or one that {@link isLinked} to another wallet's. */
  readonly transaction: Transaction | undefined;
}

interface UserWallet {
  readonly userId: string;
  readonly wallet: Wallet;
}

/** What a discrepancy is. For one decision the first that applies is reported. */
export type DiscrepancyCode =
  /** An item that the ledger did not write. */
  | "UNREADABLE"
  /** A decision is missing, or one is too many. */
  | "GAP"
  /** The decision does not continue the hash chain. */
  | "PREVIOUS_MISMATCH"
  /** The content of a transaction is not what its hashes were computed from. */
  | "HASH_MISMATCH"
  /** By the ledger's rules the outcome or the time of the decision is another. */
  | "WRONG_DECISION"
  /** The postings, or the balances after the decision or in the wallet, are not those of the history. */
  | "WRONG_BALANCE"
  /** A hold or an original leaves another amount than its captures or reversals have left. */
  | "WRONG_REMAINDER"
  /** A decision that sends money to another wallet has no credit there, or another one. */
  | "CREDIT_MISMATCH"
  /** A credit that no decision of another wallet caused. */
  | "SOURCE_MISMATCH"
  /** The wallet does not end where its history ends, or the history has another hash than the checkpoint. */
  | "HEAD_MISMATCH"
  /** The end of the history is missing. */
  | "TRUNCATED";

export interface Discrepancy {
  readonly userId: string;
  readonly code: DiscrepancyCode;
  /** A clause that follows the user's name. */
  readonly detail: string;
}

type Finding = Omit<Discrepancy, "userId">;

/** A user's head at an earlier time. */
export interface Head {
  readonly sequence: number;
  readonly hash: string;
}

export interface Verification {
  readonly wallets: number;
  readonly posted: number;
  readonly rejected: number;
  readonly pending: number;
  /** Minor units that all users hold together, by currency. */
  readonly totalsMinor: ReadonlyMap<string, bigint>;
  /** Minor units of the credits that are not decided, by currency. */
  readonly inTransitMinor: ReadonlyMap<string, bigint>;
  readonly discrepancies: readonly Discrepancy[];
}

/**
 * Recomputes every wallet from its history. Each transaction, decided again in the order of the sequence, must have the
 * recorded outcome, postings, balances and hash; the sequence must have no gap, and the wallet must be at its end. Each
 * decision that sends money to another wallet must have its credit there, and each credit its decision.
 * Commands can be decided meanwhile. The first discrepancy of a user ends the check of that user's history.
 *
 * @param checkpoint the users' earlier heads, which the histories must contain
 */
export async function verify(
  reader: LedgerReader,
  checkpoint: ReadonlyMap<string, Head> = new Map(),
): Promise<Verification> {
  const totalsMinor = new Map<string, bigint>();
  const discrepancies: Discrepancy[] = [];
  const sequences = new Map<string, number>();
  const wrong = new Set<string>();

  function report(userId: string, finding: Finding | undefined): void {
    if (!finding) return;
    wrong.add(userId);
    discrepancies.push({ userId, ...finding });
  }

  await inParallel(reader.wallets(), async (read) => {
    if (read instanceof UnreadableItem) {
      sequences.set(read.userId, Number.NaN);
      report(read.userId, unreadable(read));
      return;
    }
    const { userId, wallet } = read;
    sequences.set(userId, wallet.sequence);
    for (const currency of currenciesOf(wallet)) {
      totalsMinor.set(currency, (totalsMinor.get(currency) ?? 0n) + balanceOf(wallet, currency));
    }
    report(userId, await orUnreadable(() => checkUser(userId, wallet, reader, checkpoint.get(userId))));
  });

  const counts = { posted: 0, rejected: 0, pending: 0 };
  const decided = new Map<string, number>();
  const inTransitMinor = new Map<string, bigint>();
  let linked: Transaction[] = [];

  async function checkCollectedLinks(): Promise<void> {
    const found = await checkLinks(linked, reader);
    linked = [];
    for (const { userId, ...finding } of found) if (!wrong.has(userId)) report(userId, finding);
  }

  for await (const read of reader.statuses()) {
    if (read instanceof UnreadableItem) {
      if (!wrong.has(read.userId)) report(read.userId, unreadable(read));
      continue;
    }
    const { userId, status, transaction } = read;
    counts[status]++;
    if (status !== "pending") decided.set(userId, (decided.get(userId) ?? 0) + 1);
    if (!transaction) continue;
    if (status === "pending" && !hasItsContent(transaction) && !wrong.has(userId)) {
      report(userId, contentMismatch(transaction));
    }
    if (status === "pending" && transaction.type === "credit") {
      const { currency, amountMinor } = transaction;
      inTransitMinor.set(currency, (inTransitMinor.get(currency) ?? 0n) + amountMinor);
    }
    if (isLinked(transaction)) linked.push(transaction);
    if (linked.length === LINKS_AT_ONCE) await checkCollectedLinks();
  }
  await checkCollectedLinks();
  for (const userId of new Set([...decided.keys(), ...sequences.keys(), ...checkpoint.keys()])) {
    const [count, sequence] = [decided.get(userId) ?? 0, sequences.get(userId)];
    if (count === sequence || wrong.has(userId)) continue;
    report(userId, await orUnreadable(() => checkCount(userId, count, sequence, reader)));
  }
  return { wallets: sequences.size, ...counts, totalsMinor, inTransitMinor, discrepancies };
}

/** Each can be linked to two others, and 100 transactions are read at once. */
const LINKS_AT_ONCE = 50;

/** Checks that all decided transactions of a user are in the history that was checked. */
async function checkCount(
  userId: string,
  decided: number,
  sequenceBefore: number | undefined,
  reader: LedgerReader,
): Promise<Finding | undefined> {
  const after = await reader.wallet(userId);
  if (!after) {
    return decided > 0
      ? { code: "TRUNCATED", detail: "has decided transactions but no wallet" }
      : { code: "TRUNCATED", detail: "is in the checkpoint and has no wallet" };
  }
  if (decided >= (sequenceBefore ?? 0) && decided <= after.sequence) return undefined;
  return (
    (await checkConsistently(userId, reader, undefined)) ?? {
      code: "GAP",
      detail: `has ${decided} decided transactions and a wallet at sequence ${after.sequence}`,
    }
  );
}

async function checkUser(
  userId: string,
  wallet: Wallet,
  reader: LedgerReader,
  checkpoint: Head | undefined,
): Promise<Finding | undefined> {
  if (!(await checkHistory(wallet, reader.history(userId), reader, checkpoint))) return undefined;
  return checkConsistently(userId, reader, checkpoint);
}

/**
 * The index can lag, and the consumer can write meanwhile: only a consistent read of wallet and transactions can show a
 * discrepancy.
 */
async function checkConsistently(
  userId: string,
  reader: LedgerReader,
  checkpoint: Head | undefined,
): Promise<Finding | undefined> {
  const before = (await reader.wallet(userId)) ?? emptyWallet;
  const transactions = await reader.consistentHistory(userId);
  const after = (await reader.wallet(userId)) ?? emptyWallet;
  const known = transactions.filter(
    ({ decision }) => after.sequence === before.sequence || decision.sequence <= before.sequence,
  );
  const isStill = after.sequence === before.sequence;
  const finding = await checkHistory(before, known, reader, checkpoint, isStill);
  const last = known.at(-1)?.decision.sequence ?? 0;
  if (finding || last <= before.sequence) return finding;
  return {
    code: "HEAD_MISMATCH",
    detail: `has a wallet at sequence ${before.sequence} and a history that ends at ${last}`,
  };
}

/**
 * @param isStill false if decisions after the wallet's last one may have changed remainders
 * @returns what is first wrong in a history up to the wallet's last decision
 */
async function checkHistory(
  wallet: Wallet,
  history: AsyncIterable<DecidedTransaction> | readonly DecidedTransaction[],
  reader: LedgerReader,
  checkpoint: Head | undefined,
  isStill = true,
): Promise<Finding | undefined> {
  if (checkpoint && wallet.sequence < checkpoint.sequence) {
    const detail = `has a wallet at sequence ${wallet.sequence}, before the checkpoint's ${checkpoint.sequence}`;
    return { code: "TRUNCATED", detail };
  }
  let state: State = { wallet: emptyWallet, referred: new Map() };
  const stored = new Map<string, Remainder | undefined>();
  for await (const transaction of history) {
    const { id, decision, remainder } = transaction;
    if (decision.sequence > wallet.sequence && state.wallet.sequence === wallet.sequence) break;
    state = await withReferred(state, transaction, reader);
    const finding = checkDecision(state, transaction);
    if (finding) return finding;
    if (!isDeepStrictEqual(remainder, initialRemainder(transaction, decision))) stored.set(id, remainder);
    state = evolve(state, transaction, decision);
    const { sequence, hash } = state.wallet;
    if (checkpoint?.sequence === sequence && checkpoint.hash !== hash) {
      return { code: "HEAD_MISMATCH", detail: `has another hash than the checkpoint at sequence ${sequence}` };
    }
  }
  return checkWallet(wallet, state.wallet) ?? (isStill ? checkRemainders(state, stored) : undefined);
}

/** The state with the transaction that a command refers to, as of the command's place in the history. */
async function withReferred(state: State, command: DecidedTransaction, reader: LedgerReader): Promise<State> {
  const id = refersToOf(command);
  if (id === undefined || state.referred.has(id)) return state;
  const [referred] = await reader.transactions([{ userId: command.userId, id }]);
  if (!referred) return state;
  const wasDecided = referred.decision !== undefined && referred.decision.sequence <= state.wallet.sequence;
  const asThen: Transaction = wasDecided
    ? { ...referred, remainder: initialRemainder(referred, referred.decision) }
    : { ...referred, decision: undefined, remainder: undefined };
  return { ...state, referred: new Map(state.referred).set(id, asThen) };
}

/** @param stored remainders that differ from what the transactions themselves left */
function checkRemainders({ referred }: State, stored: ReadonlyMap<string, Remainder | undefined>): Finding | undefined {
  for (const [id, transaction] of referred) {
    const { decision, remainder } = transaction;
    if (!decision) continue;
    const has = stored.has(id) ? stored.get(id) : initialRemainder(transaction, decision);
    if (!isDeepStrictEqual(has, remainder)) return wrongRemainder(id);
  }
  const [unknown] = [...stored.keys()].filter((id) => !referred.has(id));
  return unknown === undefined ? undefined : wrongRemainder(unknown);
}

function wrongRemainder(id: string): Finding {
  return {
    code: "WRONG_REMAINDER",
    detail: `has transaction ${id} with another remainder than later transactions left`,
  };
}

function checkWallet(wallet: Wallet, folded: Wallet): Finding | undefined {
  if (folded.sequence < wallet.sequence) {
    const detail = `has a wallet at sequence ${wallet.sequence} and a history that ends at ${folded.sequence}`;
    return { code: "TRUNCATED", detail };
  }
  for (const currency of new Set([...currenciesOf(folded), ...currenciesOf(wallet)])) {
    const [has, expected] = [balanceOf(wallet, currency), balanceOf(folded, currency)];
    if (has !== expected) {
      const detail = `has ${has} minor units of ${currency} where the history adds up to ${expected} (difference ${has - expected})`;
      return { code: "WRONG_BALANCE", detail };
    }
  }
  // A balance of zero has no entry: with one, the hash of the next decision would contain it.
  if (!isDeepStrictEqual([wallet.available, wallet.held], [folded.available, folded.held])) {
    return { code: "WRONG_BALANCE", detail: "has other available or held amounts than the history" };
  }
  if (wallet.status !== folded.status) {
    return { code: "WRONG_DECISION", detail: `is ${wallet.status} where the history ends with ${folded.status}` };
  }
  if (wallet.hash !== folded.hash || wallet.decidedAt !== folded.decidedAt) {
    return { code: "HEAD_MISMATCH", detail: `has a wallet with another head than its last decision` };
  }
  return undefined;
}

function checkDecision(before: State, transaction: DecidedTransaction): Finding | undefined {
  const { decision } = transaction;
  const expected = decide(before, transaction, decision.decidedAt);
  if (isDeepStrictEqual(decision, expected) && hasItsContent(transaction)) return undefined;
  const what = `has transaction ${transaction.id} at sequence ${decision.sequence}`;
  if (decision.sequence !== expected.sequence) {
    return { code: "GAP", detail: `${what} where ${expected.sequence} is expected` };
  }
  if (decision.previousHash !== expected.previousHash) {
    return { code: "PREVIOUS_MISMATCH", detail: `${what}, which does not continue the hash chain` };
  }
  if (
    hashOf(transaction, decision, emittedBy(transaction, decision)?.id) !== decision.hash ||
    !hasItsContent(transaction)
  ) {
    return { code: "HASH_MISMATCH", detail: `${what} with content that its hashes do not match` };
  }
  if (decision.decidedAt !== expected.decidedAt) {
    return { code: "WRONG_DECISION", detail: `${what} decided at ${decision.decidedAt}, before ${expected.decidedAt}` };
  }
  if (!isDeepStrictEqual(decision.outcome, expected.outcome)) {
    return {
      code: "WRONG_DECISION",
      detail: `${what} ${outcomeText(decision)} where ${outcomeText(expected)} is right`,
    };
  }
  return { code: "WRONG_BALANCE", detail: `${what} with other postings or balances than the history adds up to` };
}

function outcomeText({ outcome }: Decision): string {
  return outcome.status === "posted" ? outcome.status : `${outcome.status} with ${outcome.code}`;
}

/** True if a transaction is what was accepted. Erased details have no salt, and their hash can't be recomputed. */
function hasItsContent(transaction: Transaction): boolean {
  const { salt, reference, metadata, contentHash, detailsHash } = transaction;
  const isErased = salt === undefined && reference === undefined && metadata === undefined;
  return contentHash === contentHashOf(transaction) && (isErased || detailsHash === detailsHashOf(transaction));
}

function contentMismatch({ id }: Transaction): Finding {
  return { code: "HASH_MISMATCH", detail: `has pending transaction ${id} with content that its hashes do not match` };
}

async function orUnreadable(check: () => Promise<Finding | undefined>): Promise<Finding | undefined> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof UnreadableItem) return unreadable(error);
    throw error;
  }
}

function unreadable({ message }: UnreadableItem): Finding {
  return { code: "UNREADABLE", detail: message };
}
