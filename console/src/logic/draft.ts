import type {
  BatchCommand,
  Client,
  CommandOptions,
  Currency,
  PromisedTransaction,
  Submitted,
  Transaction,
  WalletStatus,
} from "../../../packages/client/src/index.ts";
import { parseMetadata } from "./metadata.ts";

export type CommandType = BatchCommand["type"];

/** What was typed into a form, by the name of the field. */
export type Fields = Readonly<Record<string, string>>;

/** A command as its form has it. */
export interface Draft {
  readonly type: CommandType;
  /** The user whose wallet it is for. */
  readonly userId: string;
  /** The `id` of the hold or the original. */
  readonly refersTo?: string | undefined;
  readonly fields: Fields;
}

/** The fields of a form that are wrong, with a sentence for each. */
export type FieldErrors = Readonly<Record<string, string>>;

const STATUSES: readonly WalletStatus[] = ["active", "frozen", "closed"];
const USER_ID = /^(?!\.{1,2}$)[A-Za-z0-9._:@|-]{1,128}$/;
const DIGITS_MAX = 36;

/** What the form can find wrong itself, before anything is sent. */
export function findFieldErrors({ type, userId, fields }: Draft, currencies: readonly Currency[]): FieldErrors {
  const errors: Record<string, string | undefined> = {
    reference: text(fields.reference).length > 140 ? "Enter at most 140 characters." : undefined,
    metadata: parseMetadata(fields.metadata ?? "").error,
  };
  switch (type) {
    case "deposit":
    case "withdrawal":
      errors.amount = findAmountError(fields.amount, fields.currency, currencies);
      break;
    case "transfer":
    case "hold":
      errors.amount = findAmountError(fields.amount, fields.currency, currencies);
      errors.to = type === "hold" && !text(fields.to) ? undefined : findReceiverError(fields.to, userId);
      if (type === "hold") errors.expiresAt = findExpiryError(fields.expiresAt);
      break;
    case "capture":
    case "reversal":
      if (text(fields.amount)) errors.amount = findAmountError(fields.amount, fields.currency, currencies);
      break;
    case "exchange":
      errors["sell.amount"] = findAmountError(fields["sell.amount"], fields["sell.currency"], currencies);
      errors["buy.amount"] = findAmountError(fields["buy.amount"], fields["buy.currency"], currencies);
      if (fields["sell.currency"] === fields["buy.currency"]) {
        errors["buy.currency"] = "Choose another currency than the one to sell.";
      }
      break;
    case "release":
    case "status_change":
  }
  return Object.fromEntries(
    Object.entries(errors).flatMap(([name, error]) => (error === undefined ? [] : [[name, error]])),
  );
}

/** @returns a sentence that says what to enter, if the amount is not valid */
export function findAmountError(
  typed: string | undefined,
  currency: string | undefined,
  currencies: readonly Currency[],
): string | undefined {
  const amount = amountOf(typed);
  const { code, exponent = 18 } = currencies.find(({ code }) => code === currency) ?? {};
  if (amount === "") return "Enter an amount.";
  if (!/^\d+(\.\d+)?$/.test(amount)) return `Enter digits with a point for the decimals, such as ${example(exponent)}.`;
  const [whole = "", decimals = ""] = amount.split(".");
  if (code && decimals.length > exponent) {
    return exponent === 0 ? `${code} has no decimals.` : `${code} has at most ${exponent} decimals.`;
  }
  if (/^[0.]+$/.test(amount)) return "Enter an amount that is greater than zero.";
  const digits = whole.replace(/^0+/, "").length + exponent;
  return digits > DIGITS_MAX ? `Enter at most ${DIGITS_MAX - exponent} digits before the point.` : undefined;
}

function example(exponent: number): string {
  return exponent === 0 ? "12" : `12.${"34500000000000000000".slice(0, exponent)}`;
}

function findReceiverError(typed: string | undefined, userId: string): string | undefined {
  const to = text(typed);
  if (to === "") return "Enter the user id of the receiver.";
  if (!USER_ID.test(to)) return "A user id has up to 128 letters, digits and the characters . _ : @ | - only.";
  return to === userId ? "Enter another user than the wallet's own." : undefined;
}

function findExpiryError(typed: string | undefined): string | undefined {
  if (!text(typed)) return undefined;
  const inMs = new Date(text(typed)).getTime() - Date.now();
  return inMs > 0 && inMs <= 365 * 86_400_000 ? undefined : "Choose a time in the future, at most 365 days ahead.";
}

export function isUserId(typed: string): boolean {
  return USER_ID.test(typed);
}

/** Sends the command. @throws AntlerError */
export async function sendDraft(
  client: Client,
  { type, userId, refersTo = "", fields }: Draft,
  options: CommandOptions,
): Promise<Submitted<Transaction | PromisedTransaction>> {
  const wallet = client.wallet(userId);
  const command = {
    ...options,
    reference: text(fields.reference) || undefined,
    metadata: parseMetadata(fields.metadata ?? "").metadata,
  };
  const to = text(fields.to);
  const amount = amountOf(fields.amount) || undefined;
  switch (type) {
    case "deposit":
      return wallet.deposit({ ...command, ...money(fields) });
    case "withdrawal":
      return wallet.withdraw({ ...command, ...money(fields) });
    case "transfer":
      return wallet.transfer({ ...command, ...money(fields), to });
    case "hold": {
      const expiresAt = text(fields.expiresAt) ? new Date(text(fields.expiresAt)).toISOString() : undefined;
      return wallet.hold({ ...command, ...money(fields), to: to || undefined, expiresAt });
    }
    case "capture":
      return wallet.capture(refersTo, { ...command, amount, final: fields.final !== "false" });
    case "release":
      return wallet.release(refersTo, command);
    case "exchange":
      return wallet.exchange({ ...command, sell: money(fields, "sell."), buy: money(fields, "buy.") });
    case "reversal":
      return wallet.reverse(refersTo, { ...command, amount });
    case "status_change":
      return wallet.changeStatus({ ...command, status: STATUSES.find((each) => each === fields.status) ?? "active" });
  }
}

function money(fields: Fields, prefix: "" | "sell." | "buy." = "") {
  return { currency: fields[`${prefix}currency`] ?? "", amount: amountOf(fields[`${prefix}amount`]) };
}

/** Spaces group digits in some locales, and copied text often has one at its end. */
function amountOf(typed = ""): string {
  return typed.replace(/\s/g, "");
}

function text(typed = ""): string {
  return typed.trim();
}
