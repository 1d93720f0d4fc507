import { randomInt, randomUUID } from "node:crypto";
import * as z from "zod";
import { issueToken } from "../localstack/identityProvider.ts";
import { readSettings } from "../localstack/settings.ts";

const walletSchema = z.object({ userId: z.string(), token: z.string() });
const currencySchema = z.object({ code: z.string(), exponent: z.int() });
const loadRequestSchema = z.object({
  wallet: walletSchema,
  path: z.string(),
  key: z.string(),
  currency: z.string(),
  amount: z.string(),
});
const acceptedRequestSchema = loadRequestSchema.extend({ location: z.string() });

export type Wallet = z.infer<typeof walletSchema>;
export type Currency = z.infer<typeof currencySchema>;
/** A command as it is sent. */
export type LoadRequest = z.infer<typeof loadRequestSchema>;
/** A request whose command the API has accepted. */
export type AcceptedRequest = z.infer<typeof acceptedRequestSchema>;

/** What load.ts passes to the processor in a file: the currencies, and one posted deposit in each wallet. */
export const loadSetupSchema = z.object({
  currencies: z.array(currencySchema),
  firstDeposits: z.array(acceptedRequestSchema),
});
export type LoadSetup = z.infer<typeof loadSetupSchema>;

/** Limits of random amounts, in whole units of the currency. */
const DEPOSIT_UNITS_MAX = 1000;
const WITHDRAWAL_UNITS_MAX = 100;

export function deposit(wallet: Wallet, { code, exponent }: Currency): LoadRequest {
  return loadRequest(wallet, "deposits", code, randomAmount(randomInt(DEPOSIT_UNITS_MAX) + 1, exponent));
}

export function withdrawal(wallet: Wallet, { code, exponent }: Currency): LoadRequest {
  return loadRequest(wallet, "withdrawals", code, randomAmount(randomInt(WITHDRAWAL_UNITS_MAX) + 1, exponent));
}

/** A withdrawal of more than all deposits of a load, with fewer than the 38 digits that an amount may have. */
export function overdraft(wallet: Wallet, { code, exponent }: Currency): LoadRequest {
  return loadRequest(wallet, "withdrawals", code, `9${randomDigits(15)}${randomAmount("", exponent)}`);
}

function loadRequest(wallet: Wallet, collection: string, currency: string, amount: string): LoadRequest {
  return { wallet, path: `/v1/users/${wallet.userId}/${collection}`, key: randomUUID(), currency, amount };
}

/** A decimal string with as many decimals as the currency has; a float would lose digits. */
function randomAmount(units: number | string, exponent: number): string {
  return exponent === 0 ? String(units) : `${units}.${randomDigits(exponent)}`;
}

function randomDigits(count: number): string {
  return Array.from({ length: count }, () => randomInt(10)).join("");
}

/**
 * Creates users with a token and a first deposit each, in random currencies.
 *
 * @throws Error when a deposit is not posted
 */
export async function openWallets(apiUrl: string, count: number): Promise<LoadSetup> {
  const { data: currencies } = z
    .object({ data: z.array(currencySchema) })
    .parse(await (await fetch(`${apiUrl}/v1/currencies`)).json());
  const { JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = readSettings(process.env);
  // New users, so that their histories contain only this load's commands.
  const load = randomUUID().slice(0, 8);
  const firstDeposits = await inParallel([...Array(count).keys()], async (index) => {
    const userId = `load-${load}-${index}`;
    const token = await issueToken({ subject: userId, scope: undefined, issuer, audience });
    return sendAndWait(apiUrl, deposit({ userId, token }, pick(currencies)));
  });
  return { currencies, firstDeposits };
}

async function sendAndWait(apiUrl: string, request: LoadRequest): Promise<AcceptedRequest> {
  const { wallet, path, key, currency, amount } = request;
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
    throw new Error(`The first deposit of ${wallet.userId} was answered ${response.status}: ${await response.text()}`);
  }
  return { ...request, location };
}

export function pick<T>(items: readonly T[]): T {
  const item = items[randomInt(items.length)];
  if (item === undefined) throw new Error("An empty list has no item to pick");
  return item;
}

const PARALLEL_MAX = 10;

/** Does the work for the items in their order, {@link PARALLEL_MAX} at a time. */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const workers = Array.from({ length: PARALLEL_MAX }, async () => {
    for (const [index, item] of queue) results[index] = await work(item);
  });
  await Promise.all(workers);
  return results;
}
