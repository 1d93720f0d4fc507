import { randomUUID } from "node:crypto";
import { type DecidedTransaction, isDecided, type Transaction } from "../lib/domain/transaction.ts";
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
