import { inject } from "vitest";
import type { Wallet } from "../../packages/client/src/index.ts";
import { movement, newUser, posted, walletOf } from "../../testkit/client.ts";

/** What the tests of the console start with. They make it through the API, and read there what the console has done. */

export const operatorId = newUser("ops");

/** A new user's wallet, as its user has it. @param amounts what it has at first, by currency */
export async function walletWith(amounts: Readonly<Record<string, string>> = {}, name = "alice"): Promise<Wallet> {
  const wallet = walletOf(inject("apiUrl"), newUser(name));
  for (const [currency, amount] of Object.entries(amounts)) await posted(wallet.deposit(movement(currency, amount)));
  return wallet;
}

/** The wallet's decisions, newest first. */
export function historyOf(wallet: Wallet) {
  return Array.fromAsync(wallet.transactions({ limit: 100 }));
}
