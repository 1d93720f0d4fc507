import type { TransactionType } from "../../../packages/client/src/index.ts";
import type { CommandType } from "./draft.ts";

export interface CommandNames {
  /** Heading of the form, and label of what opens it. */
  readonly title: string;
  /** Label of the button that sends it. */
  readonly submit: string;
  /** What the command does, in a sentence. */
  readonly explanation: string;
}

/** The words of each form. A new command does not compile without them. */
export const COMMAND_NAMES: Readonly<Record<CommandType, CommandNames>> = {
  deposit: { title: "Deposit", submit: "Deposit", explanation: "Puts money into the wallet." },
  withdrawal: { title: "Withdraw", submit: "Withdraw", explanation: "Takes money out of the wallet and the ledger." },
  transfer: { title: "Send", submit: "Send", explanation: "Sends money to the wallet of another user." },
  hold: {
    title: "Hold",
    submit: "Hold",
    explanation:
      "Keeps money back for a later capture. With a user id, it is promised to that user, who alone can capture it.",
  },
  capture: { title: "Capture", submit: "Capture", explanation: "Takes money of the hold." },
  release: { title: "Release", submit: "Release", explanation: "Makes all that remains of the hold available again." },
  exchange: {
    title: "Exchange",
    submit: "Exchange",
    explanation: "Sells an amount of one currency for an amount of another, in one transaction.",
  },
  reversal: {
    title: "Reverse",
    submit: "Reverse",
    explanation: "Does the opposite of the transaction, whole or in part.",
  },
  status_change: {
    title: "Change status",
    submit: "Change status",
    explanation:
      "A frozen wallet takes money in, but only an operator can take it out. A closed wallet rejects everything; it must be empty.",
  },
};

const REFUND: CommandNames = {
  title: "Refund",
  submit: "Refund",
  explanation: "Sends the money of the credit back to its sender, whole or in part.",
};

export function isCommandType(value: unknown): value is CommandType {
  return typeof value === "string" && Object.hasOwn(COMMAND_NAMES, value);
}

/** @param referredType type of the hold or the original: the reversal of a credit is a refund */
export function namesOf(type: CommandType, referredType?: TransactionType): CommandNames {
  return type === "reversal" && referredType === "credit" ? REFUND : COMMAND_NAMES[type];
}
