import { randomUUID } from "node:crypto";
import { issueToken } from "../localstack/identityProvider.ts";
import { type Client, createClient, type TransactionStatus, type Wallet } from "../packages/client/src/index.ts";

/** Includes the time for which {@link withinLimit} lets a request wait. */
const REQUEST_TIMEOUT_MS = 120_000;

/** A user that exists in no other test. */
export function newUser(name = "user"): string {
  return `${name}-${randomUUID()}`;
}

/** A token as the local stack's identity provider issues it to a user. */
export function tokenOf(user: string, scope?: string): Promise<string> {
  return issueToken({
    subject: user,
    scope,
    issuer: process.env.JWT_ISSUER || "antler-local",
    audience: process.env.JWT_AUDIENCE || "antler",
  });
}

/** A user's client of the API, without retries, which could hide an error. */
export function clientOf(apiUrl: string, user: string, scope?: string): Client {
  return createClient({
    ...{ apiUrl, token: () => tokenOf(user, scope), maxRetries: 0, timeoutMs: REQUEST_TIMEOUT_MS },
    fetch: (input, init) => withinLimit(() => fetch(input, init)),
  });
}

/** A user's own wallet. */
export function walletOf(apiUrl: string, user = newUser()): Wallet {
  return clientOf(apiUrl, user).wallet(user);
}

/** The options of a new command that waits for its outcome. */
export function once() {
  return { idempotencyKey: randomUUID(), wait: 20 };
}

/** A new command for an amount, which waits for its outcome. */
export function movement(currency: string, amount: string) {
  return { currency, amount, ...once() };
}

/** @throws Error if the outcome of the command is another one */
export async function posted<Outcome extends { readonly status: TransactionStatus }>(
  command: Promise<Outcome>,
): Promise<Outcome> {
  const outcome = await command;
  if (outcome.status !== "posted") throw new Error(`Not posted: ${JSON.stringify(outcome)}`);
  return outcome;
}

/** @returns the total of one currency, held money included */
export async function balanceOf(wallet: Wallet, currency: string): Promise<string | undefined> {
  const { balances } = await wallet.balances();
  return balances.find((balance) => balance.currency === currency)?.amount;
}

/** `API_REQUESTS_AT_ONCE` limits concurrent requests to a stack that handles many of them slowly. */
const concurrentMax = Number(process.env.API_REQUESTS_AT_ONCE || Number.POSITIVE_INFINITY);
const waiting: (() => void)[] = [];
let concurrent = 0;

async function withinLimit<T>(work: () => Promise<T>): Promise<T> {
  if (concurrent >= concurrentMax) await new Promise<void>((resolve) => waiting.push(resolve));
  else concurrent++;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else concurrent--;
  }
}
