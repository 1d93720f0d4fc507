import { randomInt, randomUUID } from "node:crypto";
import * as z from "zod";
import { ADMIN_SCOPE } from "../lib/http/authenticate.ts";
import { BATCH_PATH } from "../lib/http/batch.ts";
import { issueToken } from "../localstack/identityProvider.ts";
import { readSettings } from "../localstack/settings.ts";
import { createClient, type Transaction } from "../packages/client/src/index.ts";

const currencySchema = z.object({ code: z.string(), exponent: z.int() });
/** A user, whose debits are in one currency, so that the balance covers most of them. */
const walletSchema = z.object({ userId: z.string(), token: z.string(), currency: currencySchema });
const loadRequestSchema = z.object({
  /** Of the caller: the wallet's user, the user to whom a hold is promised, or the operator. */
  token: z.string(),
  path: z.string(),
  key: z.string(),
  body: z.record(z.string(), z.unknown()),
});
const acceptedRequestSchema = loadRequestSchema.extend({ location: z.string() });
/** A hold or a credit, with the token of who may capture or refund it. */
const openedSchema = z.object({ token: z.string(), location: z.string(), exponent: z.int() });

export type Wallet = z.infer<typeof walletSchema>;
export type Currency = z.infer<typeof currencySchema>;
/** A command as it is sent. */
export type LoadRequest = z.infer<typeof loadRequestSchema>;
/** A request whose command the API has accepted. */
export type AcceptedRequest = z.infer<typeof acceptedRequestSchema>;
export type Opened = z.infer<typeof openedSchema>;

/** What load.ts passes to the processor in a file. Each wallet has a posted deposit, credit, hold and promised hold. */
export const loadSetupSchema = z.object({
  currencies: z.array(currencySchema),
  operatorToken: z.string(),
  wallets: z.array(walletSchema),
  accepted: z.array(acceptedRequestSchema),
  holds: z.array(openedSchema),
  promisedHolds: z.array(openedSchema),
  credits: z.array(openedSchema),
});
export type LoadSetup = z.infer<typeof loadSetupSchema>;

/** Limits of random amounts, in whole units of the currency. */
const DEPOSIT_UNITS_MAX = 1000;
const WITHDRAWAL_UNITS_MAX = 100;

export function deposit(wallet: Wallet, { code, exponent }: Currency): LoadRequest {
  const amount = randomAmount(randomInt(DEPOSIT_UNITS_MAX) + 1, exponent);
  return ofWallet(wallet, "deposits", { currency: code, amount });
}

export function withdrawal(wallet: Wallet): LoadRequest {
  return ofWallet(wallet, "withdrawals", randomMoney(wallet.currency));
}

/** A withdrawal of more than all deposits of a load, with fewer than the 38 digits that an amount may have. */
export function overdraft(wallet: Wallet): LoadRequest {
  const { code, exponent } = wallet.currency;
  return ofWallet(wallet, "withdrawals", {
    currency: code,
    amount: `9${randomDigits(15)}${randomAmount("", exponent)}`,
  });
}

export function transfer(wallet: Wallet, to: Wallet) {
  return ofWallet(wallet, "transfers", { to: to.userId, ...randomMoney(wallet.currency) });
}

/** @param to the user to whom the money is promised, if any */
export function hold(wallet: Wallet, to?: Wallet) {
  return ofWallet(wallet, "holds", { to: to?.userId, ...randomMoney(wallet.currency) });
}

/** Of all that remains, or of the smallest amount, which leaves the rest held. */
export function capture({ token, location, exponent }: Opened): LoadRequest {
  const body = pick([{}, { amount: smallestAmount(exponent), final: false }]);
  return loadRequest(token, `${location.replace("/transactions/", "/holds/")}/captures`, body);
}

export function release({ token, location }: Opened): LoadRequest {
  return loadRequest(token, `${location.replace("/transactions/", "/holds/")}/releases`, {});
}

/** Of the smallest amount, so that a credit can be refunded many times. */
export function refund({ token, location, exponent }: Opened): LoadRequest {
  return loadRequest(token, `${location}/reversals`, { amount: smallestAmount(exponent) });
}

export function exchange(operatorToken: string, { userId, currency }: Wallet, bought: Currency): LoadRequest {
  const [sell, buy] = [randomMoney(currency), randomMoney(bought)];
  return loadRequest(operatorToken, `/v1/users/${userId}/exchanges`, { sell, buy });
}

/** Of all that remains. */
export function reversal(operatorToken: string, { location }: AcceptedRequest): LoadRequest {
  return loadRequest(operatorToken, `${location}/reversals`, {});
}

export function statusChange(operatorToken: string, { userId }: Wallet, status: "active" | "frozen"): LoadRequest {
  return loadRequest(operatorToken, `/v1/users/${userId}/status-changes`, { status });
}

/** A deposit for each wallet. */
export function batch(operatorToken: string, wallets: readonly Wallet[]): LoadRequest {
  const commands = wallets.map(({ userId, currency }) => ({
    ...{ type: "deposit", userId, idempotencyKey: randomUUID() },
    ...randomMoney(currency),
  }));
  return loadRequest(operatorToken, BATCH_PATH, { commands });
}

function ofWallet<Body extends LoadRequest["body"]>({ userId, token }: Wallet, collection: string, body: Body) {
  return loadRequest(token, `/v1/users/${userId}/${collection}`, body);
}

function loadRequest<Body extends LoadRequest["body"]>(token: string, path: string, body: Body) {
  return { token, path, key: randomUUID(), body };
}

function randomMoney({ code, exponent }: Currency) {
  return { currency: code, amount: randomAmount(randomInt(WITHDRAWAL_UNITS_MAX) + 1, exponent) };
}

/** A decimal string with as many decimals as the currency has; a float would lose digits. */
function randomAmount(units: number | string, exponent: number): string {
  return exponent === 0 ? String(units) : `${units}.${randomDigits(exponent)}`;
}

function smallestAmount(exponent: number): string {
  return exponent === 0 ? "1" : `0.${"1".padStart(exponent, "0")}`;
}

function randomDigits(count: number): string {
  return Array.from({ length: count }, () => randomInt(10)).join("");
}

/**
 * Creates users with a token. Each gets a deposit in the currency of its debits, a credit of another user's transfer, a hold, and a hold
 * promised to another user.
 *
 * @throws Error when one of these is not posted
 */
export async function openWallets(apiUrl: string, count: number): Promise<LoadSetup> {
  const currencies = await createClient({ apiUrl }).currencies();
  const { JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = readSettings(process.env);
  // New users, so that their histories contain only this load's commands.
  const load = randomUUID().slice(0, 8);
  const tokenOf = (subject: string, scope?: string) => issueToken({ subject, scope, issuer, audience });
  const wallets = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const userId = `load-${load}-${index}`;
      return { userId, token: await tokenOf(userId), currency: pick(currencies) };
    }),
  );
  const setup: LoadSetup = {
    ...{ currencies: [...currencies], wallets, operatorToken: await tokenOf(`load-${load}-operator`, ADMIN_SCOPE) },
    ...{ accepted: [], holds: [], promisedHolds: [], credits: [] },
  };
  const posted = (request: LoadRequest, transaction: Transaction) => {
    const { status } = transaction;
    const location = locationOf(transaction);
    if (status !== "posted") throw new Error(`POST ${request.path}: ${location} is ${status}`);
    setup.accepted.push({ ...request, location });
    return location;
  };
  await inParallel(wallets, async (wallet) => {
    const { code, exponent } = wallet.currency;
    const body = { currency: code, amount: randomAmount(DEPOSIT_UNITS_MAX, exponent) };
    const opening = ofWallet(wallet, "deposits", body);
    posted(opening, await walletOf(apiUrl, wallet).deposit(waited(opening)));
  });
  await inParallel([...wallets.entries()], async ([index, wallet]) => {
    const { token, currency } = wallet;
    const { exponent } = currency;
    const own = walletOf(apiUrl, wallet);
    const to = wallets[(index + 1) % count] ?? wallet;
    const [sent, held, promised] = [transfer(wallet, to), hold(wallet), hold(wallet, to)];
    const transferred = await own.transfer(waited(sent));
    posted(sent, transferred);
    const credit = { userId: to.userId, id: transferred.transfer.creditId ?? "" };
    setup.credits.push({ token: to.token, location: locationOf(credit), exponent });
    setup.holds.push({ token, location: posted(held, await own.hold(waited(held))), exponent });
    const location = posted(promised, await own.hold(waited(promised)));
    setup.promisedHolds.push({ token: to.token, location, exponent });
  });
  return setup;
}

/** The request as a command of the client, which waits for its outcome. */
function waited<Body extends LoadRequest["body"]>({ key, body }: { readonly key: string; readonly body: Body }) {
  return { ...body, idempotencyKey: key, wait: 20 };
}

/** The path of a transaction. */
export function locationOf({ userId, id }: Pick<Transaction, "userId" | "id">): string {
  return `/v1/users/${userId}/transactions/${id}`;
}

export function walletOf(apiUrl: string, { userId, token }: Wallet) {
  return createClient({ apiUrl, token }).wallet(userId);
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
