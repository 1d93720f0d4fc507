import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { Random } from "../test/simulation/random.ts";
import { type Answer, Client, transactionIn } from "./client.ts";
import { commandOf, processesWith, untilNoProcessWith } from "./processes.ts";
import { freeStackPorts, launch, run, type Stack, startStack } from "./stack.ts";

/** What dies of kill -9: the stack's own process, which is the queue; one of its programs; or the stack as it starts. */
const VICTIMS = ["stack", "database", "api", "start"] as const;
type Victim = (typeof VICTIMS)[number];

const USERS = 20;
/** What was in flight when the consumer died comes back when its visibility timeout of 60 s ends. */
const SETTLE_MS = 150_000;

interface Command {
  readonly key: string;
  readonly type: "deposit" | "withdrawal";
  /** Cents of USD. */
  readonly cents: number;
  /** Once the API has said 202. */
  id?: string;
}

interface User {
  readonly name: string;
  readonly random: Random;
  readonly commands: Command[];
}

export interface KillReport {
  readonly kills: Readonly<Record<Victim, number>>;
  readonly commands: number;
  /** Commands that a kill left without an answer, and that were sent again under their key. */
  readonly retried: number;
  /** Of those, how many had been stored. */
  readonly replayed: number;
  readonly posted: number;
  readonly rejected: number;
  /** Every answer to a command by status; 0 for none. */
  readonly answers: ReadonlyMap<number, number>;
}

interface Options {
  readonly rounds: number;
  readonly seed: number;
  /** The one DATA_DIR of all rounds. */
  readonly folder: string;
  readonly log?: (line: string) => void;
}

/**
 * Load, kill -9, start again, over and over on the same data. Each user sends one command after the other and sends what
 * was not answered again, under its key, before anything else; so the user's own books, kept here, say what the history
 * must be, transaction by transaction.
 *
 * The seed gives the commands, the victims and the moments; what is in flight at such a moment is up to the machine.
 *
 * @throws Error when a command was lost, doubled, out of order or wrong, or an answer was none that a client can use
 */
export async function killRounds({ rounds, seed, folder, log = () => {} }: Options): Promise<KillReport> {
  const random = new Random(seed, "kills");
  const marker = randomUUID();
  const environment = {
    ...(await freeStackPorts()),
    DATA_DIR: folder,
    ANTLER_TEST: marker,
  };
  const users = Array.from({ length: USERS }, (_, index) => ({
    name: `user-${index}-${marker}`,
    random: new Random(seed, `user ${index}`),
    commands: [],
  }));
  const tally = new Tally();
  const kills: Record<Victim, number> = { stack: 0, database: 0, api: 0, start: 0 };

  for (let round = 1; round <= rounds; round++) {
    const victim = VICTIMS[round - 1] ?? random.pick(VICTIMS);
    kills[victim]++;
    if (victim === "start") {
      const child = launch(environment);
      await setTimeout(random.int(100, 3000));
      child.kill("SIGKILL");
      await untilNoProcessWith(`ANTLER_TEST=${marker}`);
      log(`round ${round}: killed the stack while it started`);
      continue;
    }
    const stack = await startStack(environment);
    const dead = new AbortController();
    // What the kill before left open comes first; that also loads the functions, so that the second of load is one.
    await Promise.all(users.map((user) => sendUnanswered(user, stack, dead.signal, tally)));
    const before = count(users);
    const loadMs = random.int(700, 1500);
    const load = users.map((user) => work(user, stack, dead.signal, tally));
    await setTimeout(loadMs);
    kill(victim, stack, marker);
    // Whatever died, all of it ends.
    if (stack.process.exitCode === null && stack.process.signalCode === null) await once(stack.process, "exit");
    dead.abort();
    await Promise.all(load);
    await untilNoProcessWith(`ANTLER_TEST=${marker}`);
    log(`round ${round}: killed the ${victim} after ${loadMs} ms and ${count(users) - before} commands`);
  }

  const stack = await startStack(environment);
  try {
    await Promise.all(users.map((user) => sendUnanswered(user, stack, new AbortController().signal, tally)));
    log(`all ${count(users)} commands are accepted; waiting until they are decided`);
    const deadline = Date.now() + SETTLE_MS;
    let [posted, rejected] = [0, 0];
    for (const user of users) {
      const expected = booksOf(user);
      await compare(user, expected, stack, deadline);
      posted += expected.filter(({ status }) => status === "posted").length;
      rejected += expected.filter(({ status }) => status === "rejected").length;
    }
    const { code, output } = await run("scripts/verify.ts", [], environment);
    if (code !== 0 || !output.includes(`${posted} posted, ${rejected} rejected, 0 pending`)) {
      throw new Error(`Verify, where ${posted} posted and ${rejected} rejected are right: ${output}`);
    }
    const { retried, replayed, answers } = tally;
    return { kills, commands: count(users), retried, replayed, posted, rejected, answers };
  } finally {
    await stack.stop();
    await untilNoProcessWith(`ANTLER_TEST=${marker}`);
  }
}

class Tally {
  retried = 0;
  replayed = 0;
  readonly answers = new Map<number, number>();

  add(status: number): void {
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
  }
}

function count(users: readonly User[]): number {
  return users.reduce((sum, { commands }) => sum + commands.length, 0);
}

/** One new command after the other until the stack is dead. */
async function work(user: User, stack: Stack, dead: AbortSignal, tally: Tally): Promise<void> {
  while (!dead.aborted) await sendNew(user, stack, dead, tally);
}

async function sendNew(user: User, stack: Stack, dead: AbortSignal, tally: Tally): Promise<void> {
  const command: Command = {
    key: `key-${user.commands.length}`,
    type: user.random.chance(0.6) ? "deposit" : "withdrawal",
    cents: user.random.int(1, 10_000),
  };
  user.commands.push(command);
  await send(user, command, stack, dead, tally);
}

async function sendUnanswered(user: User, stack: Stack, dead: AbortSignal, tally: Tally): Promise<void> {
  const command = user.commands.at(-1);
  if (!command || command.id !== undefined) return;
  tally.retried++;
  await send(user, command, stack, dead, tally);
}

/** Until it is accepted or the stack is dead. */
async function send(user: User, command: Command, stack: Stack, dead: AbortSignal, tally: Tally): Promise<void> {
  const client = new Client(stack.apiUrl, user.name);
  const amount = dollars(BigInt(command.cents));
  while (!dead.aborted) {
    let answer: Answer | undefined;
    try {
      answer = await (command.type === "deposit"
        ? client.deposit("USD", amount, { key: command.key })
        : client.withdraw("USD", amount, { key: command.key }));
    } catch {
      // The connection broke: whether the command is stored, nobody knows.
    }
    tally.add(answer?.status ?? 0);
    if (answer?.status === 202) {
      if (answer.headers.get("idempotency-replayed")) tally.replayed++;
      command.id = transactionIn(answer, 202).id;
      return;
    }
    if (answer && answer.status !== 503) throw new Error(`${answer.status}: ${JSON.stringify(answer.body)}`);
    await setTimeout(20);
  }
}

/** @returns what the user's history must be, from the first decision on */
function booksOf({ commands }: User) {
  let balanceCents = 0n;
  return commands.map(({ id, type, cents }, index) => {
    const after = balanceCents + (type === "deposit" ? BigInt(cents) : -BigInt(cents));
    const status = after < 0n ? "rejected" : "posted";
    if (status === "posted") balanceCents = after;
    return {
      id,
      type,
      amount: dollars(BigInt(cents)),
      status,
      sequence: index + 1,
      balanceAfter: dollars(balanceCents),
    };
  });
}

async function compare(user: User, expected: ReturnType<typeof booksOf>, stack: Stack, deadline: number) {
  const client = new Client(stack.apiUrl, user.name);
  while ((await client.balances()).sequence < expected.length) {
    if (Date.now() > deadline) throw new Error(`${user.name} has commands that nobody decides`);
    await setTimeout(200);
  }
  const history = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const page = await client.history({ limit: "100", ...(cursor && { cursor }) });
    history.push(...page.data);
    cursor = page.nextCursor;
  }
  history.reverse();
  for (const [index, wanted] of expected.entries()) {
    for (const name of ["id", "type", "amount", "status", "sequence", "balanceAfter"] as const) {
      const got = history[index]?.[name];
      if (got !== wanted[name]) {
        throw new Error(`${user.name}, decision ${index + 1}: ${name} is ${got} where ${wanted[name]} is right`);
      }
    }
  }
  if (history.length !== expected.length) throw new Error(`${user.name} has ${history.length} decisions`);
  const balance = await client.balance("USD");
  const due = expected.at(-1)?.balanceAfter ?? "0.00";
  if (balance !== due) throw new Error(`${user.name} holds ${balance} where ${due} is right`);
}

function kill(victim: Victim, stack: Stack, marker: string): void {
  if (victim === "stack") {
    stack.process.kill("SIGKILL");
    return;
  }
  const isVictim = (pid: string) => {
    const [program = "", script = ""] = commandOf(pid);
    return victim === "database" ? program.endsWith("/dynoxide") : script.endsWith("/serverless.js");
  };
  const pid = processesWith(`ANTLER_TEST=${marker}`).find(isVictim);
  if (!pid) throw new Error(`The ${victim} does not run`);
  process.kill(Number(pid), "SIGKILL");
}

function dollars(cents: bigint): string {
  return `${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`;
}
