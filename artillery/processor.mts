import { randomInt } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { batchSchema } from "../lib/http/schemas.ts";
import {
  type AcceptedRequest,
  batch,
  type Currency,
  capture,
  deposit,
  exchange,
  hold,
  type LoadRequest,
  loadSetupSchema,
  locationOf,
  type Opened,
  overdraft,
  pick,
  refund,
  release,
  reversal,
  statusChange,
  transfer,
  type Wallet,
  withdrawal,
} from "./wallets.ts";

/**
 * The hooks of scenarios.yml. The name ends in .mts because Artillery compiles a .ts processor to CommonJS, which this package
 * can't load. Artillery can run several workers, each with its own instance of this module: the workers share the wallets, and
 * each knows only the commands that it sent.
 */

/** A virtual user; the scenarios fill in their requests from `vars`. */
interface VirtualUser {
  readonly vars: {
    wallet?: Wallet;
    otherWallet?: Wallet;
    request?: LoadRequest;
    accepted?: AcceptedRequest;
    /** What an accepted request opens for later ones. */
    opens?: (accepted: AcceptedRequest) => void;
    query?: string;
  };
}

interface Response {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

interface Events {
  emit(type: "counter", name: string, value: number): void;
}

const RECENT_MAX = 1000;
const HISTORY_LIMIT_MAX = 50;
const MOMENT_AGE_MS_MAX = 60_000;
const BATCH_COMMANDS = 20;
/** The first wallets, which the operator freezes and unfreezes. */
const FREEZABLE_WALLETS = 10;

const { LOAD_SETUP_FILE = "", LOAD_ACCEPTED_FILE = "" } = process.env;
const setup = loadSetupSchema.parse(JSON.parse(readFileSync(LOAD_SETUP_FILE, "utf8")));
const { currencies, wallets, operatorToken, holds, promisedHolds, credits } = setup;
/** The most recent accepted requests, newest last. */
const recent = [...setup.accepted];
let walletIndex = randomInt(wallets.length);

/** Round robin, so that consecutive reads are of different wallets. */
function nextWallet(): Wallet {
  walletIndex = (walletIndex + 1) % wallets.length;
  return wallets[walletIndex] ?? pick(wallets);
}

function twoWallets(): [Wallet, Wallet] {
  const first = pick(wallets);
  const others = wallets.filter((wallet) => wallet !== first);
  return [first, pick(others)];
}

/** The oldest, which no other request of this worker gets unless it is the only one. */
function take<T>(items: T[]): T {
  return items.length > 1 ? (items.shift() ?? pick(items)) : pick(items);
}

export async function pickDeposit({ vars }: VirtualUser): Promise<void> {
  vars.request = deposit(pick(wallets), pick(currencies));
}

export async function pickWithdrawal({ vars }: VirtualUser): Promise<void> {
  vars.request = withdrawal(pick(wallets));
}

export async function pickOverdraft({ vars }: VirtualUser): Promise<void> {
  vars.request = overdraft(pick(wallets.slice(FREEZABLE_WALLETS)));
}

export async function pickTransfer({ vars }: VirtualUser): Promise<void> {
  const [from, to] = twoWallets();
  vars.request = transfer(from, to);
}

export async function pickHold({ vars }: VirtualUser): Promise<void> {
  const wallet = pick(wallets);
  vars.request = hold(wallet);
  vars.opens = opener(holds, wallet, wallet.currency);
}

export async function pickPromisedHold({ vars }: VirtualUser): Promise<void> {
  const [from, to] = twoWallets();
  vars.request = hold(from, to);
  vars.opens = opener(promisedHolds, to, from.currency);
}

function opener(opened: Opened[], { token }: Wallet, { exponent }: Currency) {
  return ({ location }: AcceptedRequest) => void opened.push({ token, location, exponent });
}

export async function pickCapture({ vars }: VirtualUser): Promise<void> {
  vars.request = capture(take(holds));
}

export async function pickRelease({ vars }: VirtualUser): Promise<void> {
  vars.request = release(take(holds));
}

export async function pickPromisedCapture({ vars }: VirtualUser): Promise<void> {
  vars.request = capture(take(promisedHolds));
}

export async function pickPromisedRelease({ vars }: VirtualUser): Promise<void> {
  vars.request = release(take(promisedHolds));
}

export async function pickRefund({ vars }: VirtualUser): Promise<void> {
  vars.request = refund(pick(credits));
}

export async function pickExchange({ vars }: VirtualUser): Promise<void> {
  const wallet = pick(wallets);
  const others = currencies.filter(({ code }) => code !== wallet.currency.code);
  vars.request = exchange(operatorToken, wallet, pick(others));
}

export async function pickReversal({ vars }: VirtualUser): Promise<void> {
  vars.request = reversal(
    operatorToken,
    pick(recent.filter(({ path }) => /(deposits|withdrawals|exchanges)$/.test(path))),
  );
}

export async function pickStatusChange({ vars }: VirtualUser): Promise<void> {
  const wallet = pick(wallets.slice(0, FREEZABLE_WALLETS));
  vars.request = statusChange(operatorToken, wallet, pick(["active", "frozen"]));
}

export async function pickBatch({ vars }: VirtualUser): Promise<void> {
  const first = randomInt(wallets.length);
  vars.request = batch(operatorToken, [...wallets, ...wallets].slice(first, first + BATCH_COMMANDS));
}

export async function pickReplay({ vars }: VirtualUser): Promise<void> {
  vars.accepted = pick(recent);
  vars.request = vars.accepted;
}

export async function pickReuse({ vars }: VirtualUser): Promise<void> {
  const request = pick(recent);
  vars.request = { ...request, body: { ...request.body, reference: "another command" } };
}

export async function pickTransaction({ vars }: VirtualUser): Promise<void> {
  vars.accepted = recent.at(-1) ?? pick(recent);
}

export async function pickWallet({ vars }: VirtualUser): Promise<void> {
  vars.wallet = nextWallet();
}

export async function pickOtherWallet({ vars }: VirtualUser): Promise<void> {
  vars.wallet = nextWallet();
  vars.otherWallet = nextWallet();
}

export async function pickHistory({ vars }: VirtualUser): Promise<void> {
  vars.wallet = nextWallet();
  const query = new URLSearchParams({ limit: String(randomInt(HISTORY_LIMIT_MAX) + 1) });
  if (randomInt(2) === 0) query.set("currency", pick(currencies).code);
  if (randomInt(2) === 0) query.set("status", pick(["posted", "rejected"]));
  vars.query = query.toString();
}

export async function pickMoment({ vars }: VirtualUser): Promise<void> {
  vars.wallet = nextWallet();
  vars.query = new URLSearchParams({
    at: new Date(Date.now() - randomInt(MOMENT_AGE_MS_MAX)).toISOString(),
  }).toString();
}

export async function pickStatement({ vars }: VirtualUser): Promise<void> {
  vars.wallet = nextWallet();
  const limit = String(randomInt(HISTORY_LIMIT_MAX) + 1);
  vars.query = new URLSearchParams({ currency: pick(currencies).code, limit }).toString();
}

/** As {@link watchResponse}, for every command of a batch. */
export async function watchBatch(
  request: unknown,
  response: Response,
  user: VirtualUser,
  events: Events,
): Promise<void> {
  await watchResponse(request, response, user, events);
  if (response.statusCode !== 200) return;
  for (const result of batchSchema.parse(JSON.parse(response.body)).results) {
    if (!("transaction" in result && "userId" in result.transaction)) continue;
    appendFileSync(LOAD_ACCEPTED_FILE, `${locationOf(result.transaction)}\n`);
  }
}

/** Records the Location of every accepted command: load.ts checks that each of them is decided. */
export async function watchResponse(
  _request: unknown,
  { statusCode, headers }: Response,
  { vars }: VirtualUser,
  events: Events,
): Promise<void> {
  // A threshold fails when its metric does not exist.
  events.emit("counter", "plugins.expect.failed", 0);
  events.emit("counter", "antler.5xx", statusCode >= 500 ? 1 : 0);
  if (!vars.request || !headers.location) return;
  appendFileSync(LOAD_ACCEPTED_FILE, `${headers.location}\n`);
  if (vars.accepted) return;
  const accepted = { ...vars.request, location: headers.location };
  vars.opens?.(accepted);
  recent.push(accepted);
  if (recent.length > RECENT_MAX) recent.shift();
}
