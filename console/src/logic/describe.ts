import type {
  HoldState,
  PromisedTransaction,
  Transaction,
  TransactionStatus,
  TransactionType,
  TransferState,
  WalletStatus,
} from "../../../packages/client/src/index.ts";

/** The words of the console for the API's types and states. A new one does not compile without its words. */

export const TYPE_NAMES: Readonly<Record<TransactionType, string>> = {
  deposit: "Deposit",
  withdrawal: "Withdrawal",
  transfer: "Transfer",
  credit: "Credit",
  hold: "Hold",
  capture: "Capture",
  release: "Release",
  expiry: "Expiry",
  exchange: "Exchange",
  reversal: "Reversal",
  status_change: "Status change",
};

export const TRANSACTION_TYPES = Object.keys(TYPE_NAMES).filter(isTransactionType);

function isTransactionType(text: string): text is TransactionType {
  return Object.hasOwn(TYPE_NAMES, text);
}

export const STATUS_NAMES: Readonly<Record<TransactionStatus, string>> = {
  pending: "Pending",
  posted: "Posted",
  rejected: "Rejected",
};

export const WALLET_STATUS_NAMES: Readonly<Record<WalletStatus, string>> = {
  active: "Active",
  frozen: "Frozen",
  closed: "Closed",
};

export const TRANSFER_NAMES: Readonly<Record<NonNullable<TransferState["status"]>, string>> = {
  in_transit: "In transit",
  credited: "Credited",
  returned: "Returned",
};

export const HOLD_NAMES: Readonly<Record<NonNullable<HoldState["status"]>, string>> = {
  open: "Open",
  captured: "Captured",
  released: "Released",
  expired: "Expired",
};

export const ACTOR_NAMES: Readonly<Record<Transaction["actor"], string>> = {
  owner: "the wallet's user",
  counterparty: "the user to whom the hold is promised",
  admin: "an operator",
  ledger: "the ledger",
};

/** What a transaction is, in a few words, such as `Transfer to bob`. */
export function titleOf(transaction: Transaction): string {
  switch (transaction.type) {
    case "transfer":
      return `Transfer to ${transaction.transfer.to}`;
    case "credit":
      return creditTitle(transaction.source);
    case "hold":
      return transaction.hold.to === null ? "Hold" : `Hold for ${transaction.hold.to}`;
    case "capture":
      return transaction.transfer ? `Capture by ${transaction.transfer.to}` : "Capture";
    case "exchange":
      return `Exchange to ${transaction.buy.currency}`;
    case "reversal":
      return transaction.transfer ? `Refund to ${transaction.transfer.to}` : "Reversal";
    case "status_change":
      return `Status changed to ${transaction.newStatus}`;
    case "deposit":
    case "withdrawal":
    case "release":
    case "expiry":
      return TYPE_NAMES[transaction.type];
  }
}

function creditTitle({ type, userId }: Extract<Transaction, { type: "credit" }>["source"]): string {
  switch (type) {
    case "transfer":
      return `Credit from ${userId}`;
    case "capture":
      return `Captured from ${userId}`;
    case "reversal":
      return `Refund from ${userId}`;
    case "return":
      return `Returned by ${userId}`;
  }
}

/** True for the view of a hold's counterparty. */
export function isPromised(transaction: Transaction | PromisedTransaction): transaction is PromisedTransaction {
  return !("userId" in transaction);
}

/** True until the transaction is decided and no money of it is in transit. */
export function isUnsettled(transaction: Transaction | PromisedTransaction): boolean {
  const transfer = "transfer" in transaction ? transaction.transfer : null;
  return transaction.status === "pending" || transfer?.status === "in_transit";
}
