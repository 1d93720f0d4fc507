import { initialRemainder } from "../domain/decide.ts";
import { commandOf, type DecidedTransaction } from "../domain/transaction.ts";
import type { LedgerEvent } from "../ledger/ports.ts";
import { sendsMoney } from "../ledger/transferStatus.ts";
import type { EventView } from "./schemas.ts";
import { transactionView } from "./views.ts";

/**
 * The event of a decision. Its data is the transaction as its owner saw it right after the decision, so that it is the same
 * whenever it is published.
 *
 * @param source name of the service and its stage
 */
export function eventOf(transaction: DecidedTransaction, source: string): LedgerEvent {
  const { userId, type, currency, decision } = transaction;
  const remainder = initialRemainder(commandOf(transaction), decision);
  const data = transactionView({ ...transaction, remainder }, sendsMoney(transaction) ? "in_transit" : undefined);
  const { status } = decision.outcome;
  const id = `${userId}/${decision.sequence}`;
  const event: EventView = {
    specversion: "1.0",
    id,
    source,
    type: `antler.transaction.${status}`,
    subject: transaction.id,
    time: decision.decidedAt,
    datacontenttype: "application/json",
    data,
  };
  return { id, userId, attributes: { type, status, currency }, body: transportable(JSON.stringify(event)) };
}

/** SNS and SQS refuse messages with the characters U+FFFE and U+FFFF, which a reference or metadata can have. */
function transportable(json: string): string {
  return json.replace(/[\uFFFE\uFFFF]/g, (character) => `\\u${character.charCodeAt(0).toString(16)}`);
}
