import type { PromisedTransaction, Transaction } from "../../../packages/client/src/index.ts";
import { isZero, subtract } from "./amount.ts";
import { isPromised } from "./describe.ts";

/** What a page offers. The API decides, so that these rules only hide what it would refuse. */

/** True if the user can capture or release the hold. */
export function canCapture(transaction: Transaction | PromisedTransaction, isOperator: boolean): boolean {
  if (transaction.type !== "hold" || transaction.hold?.status !== "open") return false;
  return isPromised(transaction) || isOperator || transaction.hold.to === null;
}

/** True if something of the transaction is left that the user can reverse. */
export function canReverse(transaction: Transaction, isOperator: boolean): boolean {
  if (!("reversed" in transaction) || transaction.status !== "posted") return false;
  const { reversed, amount } = transaction;
  if (reversed === null || amount === null || isZero(subtract(amount, reversed))) return false;
  return isOperator || transaction.type === "credit";
}
