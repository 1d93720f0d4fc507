import { randomInt, randomUUID } from "node:crypto";
import * as z from "zod";
import { issueToken } from "../localstack/identityProvider.ts";
import { readSettings } from "../localstack/settings.ts";

/** What stands before the load begins: wallets with a token and a first, posted deposit each. */

const walletSchema = z.object({ userId: z.string(), token: z.string() });
const currencySchema = z.object({ code: z.string(), exponent: z.int() });
const commandSchema = z.object({
  wallet: walletSchema,
  path: z.string(),
  key: z.string(),
  currency: z.string(),
  amount: z.string(),
});
const acceptedSchema = commandSchema.extend({ location: z.string() });

export type Wallet = z.infer<typeof walletSchema>;
export type Currency = z.infer<typeof currencySchema>;
/** A command as it is sent. */
export type Command = z.infer<typeof commandSchema>;
/** A command that the API has taken. */
export type Accepted = z.infer<typeof acceptedSchema>;

/** What load.ts hands to the processor, in a file. */
export const groundSchema = z.object({
  currencies: z.array(currencySchema),
  openings: z.array(acceptedSchema),
});
export type Ground = z.infer<typeof groundSchema>;

/** An amount is of one to as many whole units. */
const DEPOSIT_UNITS_MAX = 1000;
const WITHDRAWAL_UNITS_MAX = 100;

export function deposit(wallet: Wallet, { code, exponent }: Currency): Command {
  return command(wallet, "deposits", code, randomAmount(randomInt(DEPOSIT_UNITS_MAX) + 1, exponent));
}

export function withdrawal(wallet: Wallet, { code, exponent }: Currency): Command {
  return command(wallet, "withdrawals", code, randomAmount(randomInt(WITHDRAWAL_UNITS_MAX) + 1, exponent));
}

/** Takes more than all deposits of a load bring, and less than the 38 digits that an amount may have. */
export function overdraft(wallet: Wallet, { code, exponent }: Currency): Command {
  return command(wallet, "withdrawals", code, `9${randomDigits(15)}${randomAmount("", exponent)}`);
}

function command(wallet: Wallet, collection: string, currency: string, amount: string): Command {
  return { wallet, path: `/v1/users/${wallet.userId}/${collection}`, key: randomUUID(), currency, amount };
}

/** A decimal string with all the digits that the currency has; no float, which could not hold them. */
function randomAmount(units: number | string, exponent: number): string {
  return exponent === 0 ? String(units) : `${units}.${randomDigits(exponent)}`;
}

function randomDigits(count: number): string {
  return Array.from({ length: count }, () => randomInt(10)).join("");
}

/**
 * Signs a token for each of `count` new users and makes each a first deposit, in any currency.
 *
 * @throws Error when a deposit is not posted
 */
export async function openWallets(apiUrl: string, count: number): Promise<Ground> {
  const { data: currencies } = z
    .object({ data: z.array(currencySchema) })
    .parse(await (await fetch(`${apiUrl}/v1/currencies`)).json());
  const { JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = readSettings(process.env);
  // Users of this load only, so that what they own and what was decided for them can be told in full.
  const load = randomUUID().slice(0, 8);
  const openings = await inParallel([...Array(count).keys()], async (index) => {
    const userId = `load-${load}-${index}`;
    const token = await issueToken({ subject: userId, scope: undefined, issuer, audience });
    return open(apiUrl, deposit({ userId, token }, pick(currencies)));
  });
  return { currencies, openings };
}

async function open(apiUrl: string, opening: Command): Promise<Accepted> {
  const { wallet, path, key, currency, amount } = opening;
  const response = await fetch(apiUrl + path, {
    method: "POST",
    headers: {
      authorization: `Bearer ${wallet.token}`,
      "content-type": "application/json",
      "idempotency-key": key,
      prefer: "wait=20",
    },
    body: JSON.stringify({ currency, amount }),
  });
  const location = response.headers.get("location");
  if (response.status !== 201 || !location) {
    throw new Error(`The first deposit of ${wallet.userId}: ${response.status} ${await response.text()}`);
  }
  return { ...opening, location };
}

export function pick<T>(items: readonly T[]): T {
  const item = items[randomInt(items.length)];
  if (item === undefined) throw new Error("There is nothing to pick from");
  return item;
}

const PARALLEL_MAX = 10;

/** Works on the items in their order, a few at a time. */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const workers = Array.from({ length: PARALLEL_MAX }, async () => {
    for (const [index, item] of queue) results[index] = await work(item);
  });
  await Promise.all(workers);
  return results;
}
