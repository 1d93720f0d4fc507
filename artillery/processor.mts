import { randomInt } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import {
  type AcceptedRequest,
  deposit,
  type LoadRequest,
  loadSetupSchema,
  overdraft,
  pick,
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
    query?: string;
  };
}

interface Response {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

interface Events {
  emit(type: "counter", name: string, value: number): void;
}

const RECENT_MAX = 1000;
const HISTORY_LIMIT_MAX = 50;
const MOMENT_AGE_MS_MAX = 60_000;

const { LOAD_SETUP_FILE = "", LOAD_ACCEPTED_FILE = "" } = process.env;
const { currencies, firstDeposits } = loadSetupSchema.parse(JSON.parse(readFileSync(LOAD_SETUP_FILE, "utf8")));
/** The most recent accepted requests, newest last. */
const recent = [...firstDeposits];
let walletIndex = randomInt(firstDeposits.length);

/** Round robin, so that consecutive reads are of different wallets. */
function nextWallet(): Wallet {
  walletIndex = (walletIndex + 1) % firstDeposits.length;
  return (firstDeposits[walletIndex] ?? pick(firstDeposits)).wallet;
}

export async function pickDeposit({ vars }: VirtualUser): Promise<void> {
  vars.request = deposit(pick(firstDeposits).wallet, pick(currencies));
}

export async function pickWithdrawal({ vars }: VirtualUser): Promise<void> {
  vars.request = withdrawal(pick(firstDeposits).wallet, pick(currencies));
}

export async function pickOverdraft({ vars }: VirtualUser): Promise<void> {
  vars.request = overdraft(pick(firstDeposits).wallet, pick(currencies));
}

export async function pickReplay({ vars }: VirtualUser): Promise<void> {
  vars.accepted = pick(recent);
  vars.request = vars.accepted;
}

export async function pickReuse({ vars }: VirtualUser): Promise<void> {
  const request = pick(recent);
  vars.request = { ...request, amount: `1${request.amount}` };
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
  recent.push({ ...vars.request, location: headers.location });
  if (recent.length > RECENT_MAX) recent.shift();
}
