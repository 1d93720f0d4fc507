import type { PromisedTransaction, Submitted, Transaction } from "../../client/src/index.ts";
import { EXIT_PENDING, EXIT_REJECTED, message, printJson, printTable } from "./output.ts";

type AnyTransaction = Transaction | PromisedTransaction;

/** A transaction as a row of a table. */
export function transactionRow(transaction: AnyTransaction): Readonly<Record<string, string>> {
  const { id, type, status, decidedAt, createdAt, rejection } = transaction;
  const postings = "postings" in transaction ? transaction.postings : [];
  return {
    time: decidedAt ?? createdAt,
    type,
    status: rejection?.code ?? status,
    amount: amountsOf(transaction).join(", "),
    balance: postings.map(({ balanceAfter, currency }) => `${balanceAfter} ${currency}`).join(", "),
    with: otherUserOf(transaction) ?? "",
    id,
  };
}

/** What the postings changed; without postings, the requested amount. */
function amountsOf(transaction: AnyTransaction): string[] {
  if ("postings" in transaction && transaction.postings.length > 0) {
    return transaction.postings.map(({ amount, held, currency }) =>
      /[1-9]/.test(amount) ? `${amount} ${currency}` : `${held} ${currency} held`,
    );
  }
  const { amount, currency } = transaction;
  return amount === null || currency === null ? [] : [`${amount} ${currency}`];
}

function otherUserOf(transaction: AnyTransaction): string | null | undefined {
  if ("source" in transaction) return transaction.source.userId;
  if ("transfer" in transaction && transaction.transfer) return transaction.transfer.to;
  return "hold" in transaction && transaction.hold && "to" in transaction.hold ? transaction.hold.to : undefined;
}

/** Where the money of a decided transaction is, if it is not in a wallet that it was meant for. */
export function transferStatusOf(transaction: AnyTransaction): "in_transit" | "returned" | undefined {
  const status = "transfer" in transaction ? transaction.transfer?.status : undefined;
  return status === "in_transit" || status === "returned" ? status : undefined;
}

/** Prints the transaction of a command, and sets the exit code. */
export function printOutcome(transaction: Submitted<AnyTransaction>, key: string, json: true | undefined): void {
  if (json) printJson(transaction);
  else printTable([transactionRow(transaction)], "");
  if (transaction.replayed) message("The key was used before: this is the transaction of that time");
  const { status, rejection } = transaction;
  const transferStatus = transferStatusOf(transaction);
  if (status === "rejected") {
    message(`Rejected: ${rejection?.detail} (${rejection?.code})`, "red");
    process.exitCode = EXIT_REJECTED;
  } else if (transferStatus === "returned") {
    message("Returned: the receiver's wallet did not accept the money", "red");
    process.exitCode = EXIT_REJECTED;
  } else if (status === "pending" || transferStatus === "in_transit") {
    const where = status === "pending" ? "Still pending" : "The money is still in transit";
    message(`${where}. Repeat the command with --key '${key}' to see the outcome`, "yellow");
    process.exitCode = EXIT_PENDING;
  }
}
