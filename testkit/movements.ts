import { randomUUID } from "node:crypto";
import { emittedBy } from "../lib/domain/emitted.ts";
import { type DecidedTransaction, isDecided, type Transaction } from "../lib/domain/transaction.ts";
import type { TransactionKey } from "../lib/ledger/ports.ts";
import { type Request, type Submission, type SubmitPorts, submit } from "../lib/ledger/submit.ts";
import { consumeSent, type InMemoryPorts, submissionWith } from "./inMemoryPorts.ts";

/** An amount in US dollars, as a request has it. */
export const usd = (amount: string) => ({ currency: "USD", amount });

/**
 * Accepts requests of users, and decides them.
 *
 * @param decideAll decides everything that was sent, and all that this sends
 */
export function movementsOf(ports: SubmitPorts, decideAll: () => Promise<unknown>) {
  async function accept(userId: string, request: Request, change: Partial<Submission> = {}): Promise<Transaction> {
    const submission = submissionWith({ userId, idempotencyKey: randomUUID(), request, ...change });
    const submitted = await submit(submission, ports);
    if (!submitted.accepted) throw new Error(`A request is not accepted: ${submitted.problem}`);
    return submitted.transaction;
  }

  /** @returns the transaction after everything is decided */
  async function move(...given: Parameters<typeof accept>): Promise<DecidedTransaction> {
    const { userId, id } = await accept(...given);
    await decideAll();
    return decided(userId, id);
  }

  async function decided(userId: string, id: string): Promise<DecidedTransaction> {
    const transaction = await ports.store.findTransaction(userId, id);
    if (!transaction || !isDecided(transaction)) throw new Error(`Transaction ${id} is not decided`);
    return transaction;
  }

  return { accept, move, decided };
}

/** {@link movementsOf} with the ports in memory. */
export function movementsInMemory(ports: InMemoryPorts) {
  return movementsOf(ports, async () => {
    while (ports.sent.length > 0) await consumeSent(ports);
  });
}

/** The hold as a capture or a release refers to it. */
export function holdOf(transaction: Transaction): Transaction & { type: "hold" } {
  if (transaction.type !== "hold") throw new Error(`Transaction ${transaction.id} is no hold`);
  return transaction;
}

function creditOf(transaction: DecidedTransaction): DecidedTransaction & { type: "credit" } {
  if (transaction.type !== "credit") throw new Error(`Transaction ${transaction.id} is no credit`);
  return transaction;
}

export type Movements = ReturnType<typeof movementsOf>;

/** The credit that a transaction emitted, or the return of a rejected one. */
export function emittedOf(transaction: DecidedTransaction): TransactionKey {
  const credit = emittedBy(transaction, transaction.decision);
  if (!credit) throw new Error(`Transaction ${transaction.id} emits no credit`);
  return credit;
}

/**
 * Every movement among five users, mostly of alice's: each type, each end of a hold, part and whole reversals, and returns of
 * a transfer and of a refund.
 *
 * @param userOf the users' ids by name
 */
export async function moveAll({ accept, move, decided }: Movements, userOf = (name: string) => name) {
  const [alice, bob, shop, dave, erin] = [
    userOf("alice"),
    userOf("bob"),
    userOf("shop"),
    userOf("dave"),
    userOf("erin"),
  ];
  const deposit = await move(alice, { type: "deposit", ...usd("100.00") });
  for (const userId of [bob, shop, dave]) await move(userId, { type: "status_change", newStatus: "active" });
  await move(alice, { type: "withdrawal", ...usd("1.00") });
  await move(alice, { type: "withdrawal", ...usd("1000.00") });
  const exchange = await move(alice, { type: "exchange", sell: usd("5.00"), buy: { currency: "EUR", amount: "4.00" } });
  await move(alice, { type: "reversal", referred: deposit, amount: "10.00" });

  const transfer = await move(alice, { type: "transfer", ...usd("10.00"), to: bob });
  const credit = creditOf(await decided(bob, emittedOf(transfer).id));
  const refund = await move(bob, { type: "reversal", referred: credit, amount: "3.00" });

  const untouched = await decided(bob, emittedOf(await move(alice, { type: "transfer", ...usd("1.00"), to: bob })).id);

  const byShop = { actor: "counterparty", counterpartyId: shop } as const;
  const promised = holdOf(await move(alice, { type: "hold", ...usd("20.00"), to: shop }));
  const capture = await move(alice, { type: "capture", referred: promised, amount: "5.00", final: false }, byShop);
  await move(alice, { type: "capture", referred: promised, amount: "6.00", final: true }, byShop);
  const own = holdOf(await move(alice, { type: "hold", ...usd("3.00") }));
  const captureOut = await move(alice, { type: "capture", referred: own, final: true });
  await move(alice, { type: "reversal", referred: captureOut });
  const released = holdOf(await move(alice, { type: "hold", ...usd("2.00") }));
  await move(alice, { type: "release", referred: released });
  const open = holdOf(await move(alice, { type: "hold", ...usd("4.00") }));
  await move(alice, { type: "capture", referred: open, amount: "1.00", final: false });

  // Each receiver closes the wallet before its credit is decided.
  const returned = await accept(alice, { type: "transfer", ...usd("7.00"), to: dave });
  const closing = await move(dave, { type: "status_change", newStatus: "closed" });
  await move(erin, { type: "deposit", ...usd("8.00") });
  const ofErin = await move(erin, { type: "transfer", ...usd("8.00"), to: alice });
  const refunded = await decided(alice, emittedOf(ofErin).id);
  await accept(alice, { type: "reversal", referred: refunded });
  await move(erin, { type: "status_change", newStatus: "closed" });

  await move(bob, { type: "status_change", newStatus: "frozen" });
  await move(bob, { type: "withdrawal", ...usd("1.00") });
  const rejectedCredit = await decided(dave, emittedOf(await decided(alice, returned.id)).id);
  return {
    deposit,
    exchange,
    closing,
    transfer,
    credit,
    refund,
    untouched,
    capture,
    promised,
    released,
    open,
    refunded,
    rejectedCredit,
  };
}
