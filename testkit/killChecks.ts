import { minorOf, moneyOf } from "../artillery/outcomes.ts";
import type { EventView } from "../lib/http/schemas.ts";
import type { Balances, Transaction } from "../packages/client/src/index.ts";
import type { AcceptedCommand } from "./killLoad.ts";

/** A wallet after the kill rounds, as the API shows it. */
export interface WalletRecord {
  readonly user: string;
  /** Oldest first. */
  readonly history: readonly Transaction[];
  readonly balances: Balances;
}

type TransactionOf<Type extends Transaction["type"]> = Extract<Transaction, { readonly type: Type }>;

/**
 * Checks what the API shows against what the clients have recorded.
 *
 * @param accepted the commands by their sender, in the order in which they were sent
 * @throws Error that names the first difference
 */
export function checkWallets(
  wallets: readonly WalletRecord[],
  accepted: readonly (readonly AcceptedCommand[])[],
): void {
  for (const wallet of wallets) {
    checkCommands(wallet, accepted);
    checkBalances(wallet);
  }
  const all = wallets.flatMap(({ history }) => history);
  checkCredits(all);
  checkHolds(all);
  checkReversals(all);
  const balances = wallets.flatMap((wallet) => wallet.balances.balances);
  for (const [currency, { walletsMinor, inTransitMinor, enteredMinor }] of moneyOf(all, balances)) {
    equal(`${currency} in transit`, inTransitMinor, 0n);
    equal(`${currency} in all wallets`, walletsMinor, enteredMinor);
  }
}

/**
 * Every decision was published, each user's in order; repeats may arrive late.
 *
 * @param events in the order of their arrival
 * @throws Error that names the first difference
 */
export function checkEvents(wallets: readonly WalletRecord[], events: readonly EventView[]): void {
  const byUser = Map.groupBy(events, ({ data }) => data.userId);
  for (const { user, history } of wallets) {
    const arrived = byUser.get(user) ?? [];
    const ids = new Set(arrived.map(({ id }) => id));
    const expected = history.map(({ sequence }) => `${user}/${sequence}`);
    const missing = expected.filter((id) => !ids.has(id));
    equal(`${user}: decisions that were not published`, missing.join(" "), "");
    equal(`${user}: events in the order of their first arrival`, [...ids].join(" "), expected.join(" "));
    for (const { id, subject, data } of arrived) {
      const decided = history[(data.sequence ?? 0) - 1];
      equal(`transaction of the event ${id}`, subject, decided?.id ?? "");
      equal(`hash in the event ${id}`, data.hash, decided?.hash ?? null);
    }
  }
}

/** The history has each accepted command of the wallet once, as it was sent, and each sender's in order. */
function checkCommands({ user, history }: WalletRecord, accepted: readonly (readonly AcceptedCommand[])[]): void {
  const places = new Map(history.map(({ id }, index) => [id, index]));
  equal(`${user}: transactions that are in the history once`, places.size, history.length);
  const known = new Set<string>();
  for (const ofSender of accepted) {
    let last = -1;
    for (const { id, actor, content } of ofSender) {
      const { type, userId } = content;
      if (userId !== user) continue;
      const place = places.get(id) ?? -1;
      const transaction = history[place];
      if (!transaction) throw new Error(`${user}: the accepted ${type} ${id} is not in the history`);
      if (place <= last) throw new Error(`${user}: the ${type} ${id} was decided before an earlier one of its sender`);
      equal(`${user}: type of ${id}`, transaction.type, type);
      equal(`${user}: actor of ${id}`, transaction.actor, actor);
      const amount = "amount" in content ? content.amount : undefined;
      if (amount !== undefined) equal(`${user}: amount of ${id}`, transaction.amount, amount);
      known.add(id);
      last = place;
    }
  }
  for (const { id, type, actor } of history) {
    const isOfLedger = actor === "ledger" && (type === "credit" || type === "expiry");
    if (!known.has(id) && !isOfLedger) throw new Error(`${user}: nobody sent the ${type} ${id}`);
  }
}

/** The balances after each posting add up, no step is below zero, and what could be covered was posted. */
function checkBalances({ user, history, balances }: WalletRecord): void {
  const totals = new Map<string, { balanceMinor: bigint; heldMinor: bigint }>();
  let isFrozen = false;
  for (const [index, transaction] of history.entries()) {
    const { id, type, status, postings } = transaction;
    equal(`${user}: sequence of ${id}`, transaction.sequence, index + 1);
    if (type === "withdrawal" || type === "transfer" || type === "hold") {
      const { balanceMinor = 0n, heldMinor = 0n } = totals.get(transaction.currency) ?? {};
      const isCovered = minorOf(transaction.amount) <= balanceMinor - heldMinor;
      const isAllowed = !isFrozen || transaction.actor === "admin";
      equal(`${user}: status of the ${type} ${id}`, status, isCovered && isAllowed ? "posted" : "rejected");
    }
    if (type === "deposit") equal(`${user}: status of the deposit ${id}`, status, "posted");
    if (type === "status_change" && status === "posted") isFrozen = transaction.newStatus === "frozen";
    for (const { currency, amount, held, balanceAfter, heldAfter } of postings) {
      const before = totals.get(currency) ?? { balanceMinor: 0n, heldMinor: 0n };
      const after = {
        balanceMinor: before.balanceMinor + minorOf(amount),
        heldMinor: before.heldMinor + minorOf(held),
      };
      totals.set(currency, after);
      equal(`${user}: balance after ${id}`, minorOf(balanceAfter), after.balanceMinor);
      equal(`${user}: held after ${id}`, minorOf(heldAfter), after.heldMinor);
      if (after.heldMinor < 0n || after.balanceMinor < after.heldMinor)
        throw new Error(`${user}: negative after ${id}`);
    }
  }
  for (const { currency, amount, held } of balances.balances) {
    equal(`${user}: balance of ${currency}`, minorOf(amount), totals.get(currency)?.balanceMinor ?? 0n);
    equal(`${user}: held ${currency}`, minorOf(held), totals.get(currency)?.heldMinor ?? 0n);
  }
}

/** Each posted transaction that sent money has one credit; a rejected credit has one return. There are no other credits. */
function checkCredits(all: readonly Transaction[]): void {
  const credits = Map.groupBy(ofType(all, "credit"), ({ source }) => source.transactionId);
  const creditOf = ({ id, userId, amount }: Transaction, receiver: string) => {
    const [credit, ...others] = credits.get(id) ?? [];
    credits.delete(id);
    if (!credit || others.length > 0) throw new Error(`${userId}: ${id} has ${credit ? "two credits" : "no credit"}`);
    equal(`receiver of ${id}`, credit.userId, receiver);
    equal(`credited amount of ${id}`, credit.amount, amount);
    return credit;
  };
  for (const transaction of all) {
    const transfer = "transfer" in transaction && transaction.status === "posted" ? transaction.transfer : null;
    if (!transfer) continue;
    const credit = creditOf(transaction, transfer.to);
    equal(
      `state of the transfer ${transaction.id}`,
      transfer.status,
      credit.status === "posted" ? "credited" : "returned",
    );
    if (credit.status === "rejected") {
      equal(`status of the return of ${transaction.id}`, creditOf(credit, transaction.userId).status, "posted");
    }
  }
  equal("credits that nothing emitted", credits.size, 0);
}

/** Each posted hold has ended, and what was captured and freed of it is what was held. */
function checkHolds(all: readonly Transaction[]): void {
  const movements = [...ofType(all, "capture"), ...ofType(all, "release"), ...ofType(all, "expiry")];
  const byHold = Map.groupBy(movements.filter(isPosted), ({ refersTo }) => refersTo);
  for (const { id, amount, hold } of ofType(all, "hold").filter(isPosted)) {
    const ofHold = byHold.get(id) ?? [];
    if (hold.status === "open") throw new Error(`The hold ${id} is still open`);
    equal(`what remains of the hold ${id}`, minorOf(hold.remaining ?? ""), 0n);
    const freedMinor = ofHold.flatMap(({ postings }) => postings).reduce((sum, { held }) => sum - minorOf(held), 0n);
    equal(`what ended of the hold ${id}`, freedMinor, minorOf(amount));
    byHold.delete(id);
  }
  equal("holds that only captures, releases or expiries know", byHold.size, 0);
}

/** The reversals of a transaction do not exceed it. */
function checkReversals(all: readonly Transaction[]): void {
  const originals = new Map(all.map((transaction) => [transaction.id, transaction]));
  for (const [id, reversals] of Map.groupBy(ofType(all, "reversal").filter(isPosted), ({ refersTo }) => refersTo)) {
    const reversedMinor = reversals.reduce((sum, { amount }) => sum + minorOf(amount ?? ""), 0n);
    const originalMinor = minorOf(originals.get(id)?.amount ?? "0");
    if (reversedMinor > originalMinor) throw new Error(`${id} is reversed by ${reversedMinor} of ${originalMinor}`);
  }
}

function ofType<Type extends Transaction["type"]>(all: readonly Transaction[], type: Type): TransactionOf<Type>[] {
  return all.filter((transaction): transaction is TransactionOf<Type> => transaction.type === type);
}

function isPosted({ status }: Transaction): boolean {
  return status === "posted";
}

function equal<T>(what: string, got: T, expected: T): void {
  if (got !== expected) throw new Error(`${what} is ${got}, expected ${expected}`);
}
