import { hrefTo } from "../router.ts";
import type { CommandType } from "./draft.ts";
import type { Filters } from "./filters.ts";

/** The addresses of the pages. */

export function walletHref(userId: string, filters?: Partial<Filters>): string {
  return hrefTo(["wallets", userId], { ...filters });
}

export function transactionHref(userId: string, id: string): string {
  return hrefTo(["wallets", userId, "transactions", id]);
}

export function holdsHref(userId: string): string {
  return hrefTo(["wallets", userId, "holds"]);
}

export function statementHref(userId: string, filters?: Partial<Filters>): string {
  return hrefTo(["wallets", userId, "statement"], { ...filters });
}

export function verificationHref(userId: string): string {
  return hrefTo(["wallets", userId, "verification"]);
}

/** @param preset values that the form has at first */
export function commandHref(
  userId: string,
  type: CommandType,
  refersTo?: string,
  preset: Readonly<Record<string, string>> = {},
): string {
  return hrefTo(["wallets", userId, "commands", type, ...(refersTo === undefined ? [] : [refersTo])], preset);
}
