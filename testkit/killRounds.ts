import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { Random } from "../test/simulation/random.ts";
import { type ApiResponse, Client, transactionIn } from "./client.ts";
import { commandOf, processesWith, untilNoProcessWith } from "./processes.ts";
import { freeStackPorts, launch, run, type Stack, startStack } from "./stack.ts";

/** What gets the kill -9: the stack's own process, which holds the queue; its database; its API; or a stack that is starting. */
const VICTIMS = ["stack", "database", "api", "start"] as const;
type Victim = (typeof VICTIMS)[number];

const USERS = 20;
/** A message that was in flight is delivered again when its visibility timeout of 60 s ends. */
const DECIDED_WITHIN_MS = 150_000;

interface Command {
  readonly key: string;
  readonly type: "deposit" | "withdrawal";
  /** Cents of USD. */
  readonly cents: number;
  /** Set once the API has answered 202. */
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
  /** Commands that got no response because of a kill and were sent again under their key. */
  readonly retried: number;
  /** How many of the retried commands had been stored already. */
  readonly replayed: number;
  readonly posted: number;
  readonly rejected: number;
  /** Responses to commands by status; 0 counts the broken connections. */
  readonly responses: ReadonlyMap<number, number>;
}

interface Options {
  readonly rounds: number;
  readonly seed: number;
  /** The one DATA_DIR of all rounds. */
  readonly folder: string;
  readonly log?: (line: string) => void;
}

/**
 * Repeats on the same data: start the stack, send commands, kill -9. A user sends one command at a time, and a command
 * that got no response is sent again under its key before the next one. So the commands of a user determine the history,
 * transaction by transaction.
 *
 * The seed determines the commands, the victims and the moments of the kills.
 *
 * @throws Error when a command was lost, doubled, reordered or decided wrongly, or a response was neither 202 nor 503
 */
export async function killRounds({ rounds, seed, folder, log = () => {} }: Options): Promise<KillReport> {
  const random = new Random(seed, "kills");
  const marker = randomUUID();
  const environment = { ...(await freeStackPorts()), DATA_DIR: folder, ANTLER_TEST: marker };
  const users = Array.from({ length: USERS }, (_, index) => ({
    name: `user-${index}-${marker}`,
    random: new Random(seed, `user ${index}`),
    commands: [],
  }));
  const counts = new Counts();
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
    const killed = new AbortController();
    // Retries what the last kill left without a response. That also loads the functions, so that the load starts at once.
    await Promise.all(users.map((user) => sendUnanswered(user, stack, killed.signal, counts)));
    const before = count(users);
    const loadMs = random.int(700, 1500);
    const load = users.map((user) => work(user, stack, killed.signal, counts));
    await setTimeout(loadMs);
    kill(victim, stack, marker);
    // When one part of the stack dies, the whole stack ends.
    if (stack.process.exitCode === null && stack.process.signalCode === null) await once(stack.process, "exit");
    killed.abort();
    await Promise.all(load);
    await untilNoProcessWith(`ANTLER_TEST=${marker}`);
    log(`round ${round}: killed the ${victim} after ${loadMs} ms and ${count(users) - before} commands`);
  }

  const stack = await startStack(environment);
  try {
    await Promise.all(users.map((user) => sendUnanswered(user, stack, new AbortController().signal, counts)));
    log(`all ${count(users)} commands are accepted; waiting until they are decided`);
    const deadline = Date.now() + DECIDED_WITHIN_MS;
    let [posted, rejected] = [0, 0];
    for (const user of users) {
      const expected = expectedHistoryOf(user);
      await checkHistory(user, expected, stack, deadline);
      posted += expected.filter(({ status }) => status === "posted").length;
      rejected += expected.filter(({ status }) => status === "rejected").length;
    }
    const { code, output } = await run("scripts/verify.ts", [], environment);
    if (code !== 0 || !output.includes(`${posted} posted, ${rejected} rejected, 0 pending`)) {
      throw new Error(`Expected ${posted} posted and ${rejected} rejected, npm run verify printed: ${output}`);
    }
    const { retried, replayed, responses } = counts;
    return { kills, commands: count(users), retried, replayed, posted, rejected, responses };
  } finally {
    await stack.stop();
    await untilNoProcessWith(`ANTLER_TEST=${marker}`);
  }
}

class Counts {
  retried = 0;
  replayed = 0;
  readonly responses = new Map<number, number>();

  add(status: number): void {
    this.responses.set(status, (this.responses.get(status) ?? 0) + 1);
  }
}

function count(users: readonly User[]): number {
  return users.reduce((sum, { commands }) => sum + commands.length, 0);
}

/** Sends new commands one by one until the stack is killed. */
async function work(user: User, stack: Stack, killed: AbortSignal, counts: Counts): Promise<void> {
  while (!killed.aborted) {
    const command: Command = {
      key: `key-${user.commands.length}`,
      type: user.random.chance(0.6) ? "deposit" : "withdrawal",
      cents: user.random.int(1, 10_000),
    };
    user.commands.push(command);
    await send(user, command, stack, killed, counts);
  }
}

async function sendUnanswered(user: User, stack: Stack, killed: AbortSignal, counts: Counts): Promise<void> {
  const command = user.commands.at(-1);
  if (!command || command.id !== undefined) return;
  counts.retried++;
  await send(user, command, stack, killed, counts);
}

/** Sends a command until it is accepted or the stack is killed. */
async function send(user: User, command: Command, stack: Stack, killed: AbortSignal, counts: Counts): Promise<void> {
  const client = new Client(stack.apiUrl, user.name);
  const amount = dollars(BigInt(command.cents));
  while (!killed.aborted) {
    let response: ApiResponse | undefined;
    try {
      response = await (command.type === "deposit"
        ? client.deposit("USD", amount, { key: command.key })
        : client.withdraw("USD", amount, { key: command.key }));
    } catch {
      // The connection broke, so the command may or may not be stored.
    }
    counts.add(response?.status ?? 0);
    if (response?.status === 202) {
      if (response.headers.get("idempotency-replayed")) counts.replayed++;
      command.id = transactionIn(response, 202).id;
      return;
    }
    if (response && response.status !== 503) throw new Error(`${response.status}: ${JSON.stringify(response.body)}`);
    await setTimeout(20);
  }
}

/** @returns what the user's history must be, oldest first */
function expectedHistoryOf({ commands }: User) {
  let balanceCents = 0n;
  return commands.map(({ id, type, cents }, index) => {
    const after = balanceCents + (type === "deposit" ? BigInt(cents) : -BigInt(cents));
    const status = after < 0n ? "rejected" : "posted";
    if (status === "posted") balanceCents = after;
    const balanceAfter = status === "posted" ? dollars(balanceCents) : undefined;
    return { id, type, amount: dollars(BigInt(cents)), status, sequence: index + 1, balanceAfter };
  });
}

async function checkHistory(
  user: User,
  expected: ReturnType<typeof expectedHistoryOf>,
  stack: Stack,
  deadline: number,
) {
  const client = new Client(stack.apiUrl, user.name);
  await client.sequenceReached(expected.length, deadline - Date.now());
  const history = (await client.fullHistory())
    .reverse()
    .map((transaction) => ({ ...transaction, balanceAfter: transaction.postings[0]?.balanceAfter }));
  for (const [index, wanted] of expected.entries()) {
    for (const name of ["id", "type", "amount", "status", "sequence", "balanceAfter"] as const) {
      const got = history[index]?.[name];
      if (got !== wanted[name]) {
        throw new Error(`${user.name}, decision ${index + 1}: ${name} is ${got}, expected ${wanted[name]}`);
      }
    }
  }
  if (history.length !== expected.length) throw new Error(`${user.name} has ${history.length} decisions`);
  const balance = await client.balance("USD");
  const due = expected.findLast(({ status }) => status === "posted")?.balanceAfter ?? "0.00";
  if (balance !== due) throw new Error(`${user.name} holds ${balance}, expected ${due}`);
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
  if (!pid) throw new Error(`No process of the ${victim} was found`);
  process.kill(Number(pid), "SIGKILL");
}

function dollars(cents: bigint): string {
  return `${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`;
}
