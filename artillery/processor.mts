import { randomInt } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import {
  type Accepted,
  type Command,
  deposit,
  groundSchema,
  overdraft,
  pick,
  type Wallet,
  withdrawal,
} from "./wallets.ts";

/**
 * The hooks of scenarios.yml. The name ends in .mts because Artillery makes CommonJS of a .ts processor, which can't
 * load in this package; Node runs .mts as it is. Artillery can run several workers, each with this module to itself:
 * they share the wallets, and each remembers its own commands.
 */

/** A virtual user; the scenarios fill in their requests from `vars`. */
interface VirtualUser {
  readonly vars: {
    wallet?: Wallet;
    foreignWallet?: Wallet;
    command?: Command;
    accepted?: Accepted;
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

const REMEMBERED_MAX = 1000;
const HISTORY_LIMIT_MAX = 50;

const { LOAD_GROUND_FILE = "", LOAD_ACCEPTED_FILE = "" } = process.env;
const { currencies, openings } = groundSchema.parse(JSON.parse(readFileSync(LOAD_GROUND_FILE, "utf8")));
/** The latest accepted commands, the last one last. */
const remembered = [...openings];
let turn = randomInt(openings.length);

/** By turns, so that two reads soon after each other are of different wallets. */
function nextWallet(): Wallet {
  turn = (turn + 1) % openings.length;
  return (openings[turn] ?? pick(openings)).wallet;
}

export async function pickDeposit({ vars }: VirtualUser): Promise<void> {
  vars.command = deposit(pick(openings).wallet, pick(currencies));
}

export async function pickWithdrawal({ vars }: VirtualUser): Promise<void> {
  vars.command = withdrawal(pick(openings).wallet, pick(currencies));
}

export async function pickOverdraft({ vars }: VirtualUser): Promise<void> {
  vars.command = overdraft(pick(openings).wallet, pick(currencies));
}

export async function pickReplay({ vars }: VirtualUser): Promise<void> {
  vars.accepted = pick(remembered);
  vars.command = vars.accepted;
}

export async function pickReuse({ vars }: VirtualUser): Promise<void> {
  const command = pick(remembered);
  vars.command = { ...command, amount: `1${command.amount}` };
}

export async function pickTransaction({ vars }: VirtualUser): Promise<void> {
  vars.accepted = remembered.at(-1) ?? pick(remembered);
}

export async function pickWallet({ vars }: VirtualUser): Promise<void> {
  vars.wallet = nextWallet();
}

export async function pickForeignWallet({ vars }: VirtualUser): Promise<void> {
  vars.wallet = nextWallet();
  vars.foreignWallet = nextWallet();
}

export async function pickHistory({ vars }: VirtualUser): Promise<void> {
  vars.wallet = nextWallet();
  const query = new URLSearchParams({ limit: String(randomInt(HISTORY_LIMIT_MAX) + 1) });
  if (randomInt(2) === 0) query.set("currency", pick(currencies).code);
  if (randomInt(2) === 0) query.set("status", pick(["posted", "rejected"]));
  vars.query = query.toString();
}

/**
 * Remembers and notes an accepted command, whatever became of it: every answer that carries a Location is a promise
 * that load.ts holds the ledger to.
 */
export async function watchResponse(
  _request: unknown,
  { statusCode, headers }: Response,
  { vars }: VirtualUser,
  events: Events,
): Promise<void> {
  // A threshold needs its metric to be there, even if nothing goes wrong.
  events.emit("counter", "plugins.expect.failed", 0);
  events.emit("counter", "antler.5xx", statusCode >= 500 ? 1 : 0);
  if (!vars.command || !headers.location) return;
  appendFileSync(LOAD_ACCEPTED_FILE, `${headers.location}\n`);
  if (vars.accepted) return;
  remembered.push({ ...vars.command, location: headers.location });
  if (remembered.length > REMEMBERED_MAX) remembered.shift();
}
