import { setTimeout } from "node:timers/promises";
import type { Transaction, Wallet } from "../../client/src/index.ts";
import { message } from "./output.ts";

const INTERVAL_MS = 1000;

/** The decisions of a wallet from now on, oldest first, without an end. */
export async function* follow(wallet: Wallet): AsyncGenerator<Transaction> {
  let { sequence } = await wallet.balances();
  message(`Waiting for decisions of the wallet ${wallet.userId}. Ctrl-C ends.`);
  for (;;) {
    await setTimeout(INTERVAL_MS);
    if ((await wallet.balances()).sequence === sequence) continue;
    const decided: Transaction[] = [];
    for await (const each of wallet.transactions({ limit: 100 })) {
      if (each.sequence === null || each.sequence <= sequence) break;
      decided.unshift(each);
    }
    for (const each of decided) {
      // The list can show a decision some milliseconds before the one before it.
      if (each.sequence !== sequence + 1) break;
      sequence = each.sequence;
      yield each;
    }
  }
}
