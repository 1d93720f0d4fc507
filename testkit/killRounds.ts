import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import * as z from "zod";
import type { CommandType } from "../lib/domain/command.ts";
import { ADMIN_SCOPE } from "../lib/http/authenticate.ts";
import { listen } from "../localstack/tcp.ts";
import type { ErrorCode, Transaction } from "../packages/client/src/index.ts";
import { Random } from "../test/simulation/random.ts";
import { clientOf, walletOf } from "./client.ts";
import { localEventQueue, receiveEvents } from "./eventQueue.ts";
import { checkEvents, checkWallets, type WalletRecord } from "./killChecks.ts";
import { type AcceptedCommand, acceptedOf, KillLoad } from "./killLoad.ts";
import { freeStackPorts } from "./ports.ts";
import { commandOf, processesWith, untilNoProcessWith } from "./processes.ts";
import { launch, run, type Stack, startStack } from "./stack.ts";

/**
 * What gets the kill -9: the stack's own process, which holds the queues and the topic; its database; its API, which also
 * holds the consumer, the publisher and the deliverer; or a stack that is starting.
 */
const VICTIMS = ["stack", "database", "api", "start"] as const;
type Victim = (typeof VICTIMS)[number];

const USERS = 20;
/** A message that was in flight is delivered again when its visibility timeout of 60 s ends, and a credit sent again as late. */
const DECIDED_WITHIN_MS = 200_000;
const SWEEP_EVERY_MS = 15_000;
/** A delivery that was in flight is repeated when its visibility timeout of 180 s ends. */
const DELIVERED_WITHIN_MS = 240_000;

export interface KillReport {
  readonly kills: Readonly<Record<Victim, number>>;
  /** Commands that the API accepted. */
  readonly commands: number;
  /** Commands that got no response because of a kill and were sent again under their key. */
  readonly retried: number;
  /** How many of the retried commands had been stored already. */
  readonly replayed: number;
  /** Transactions by type, those of the ledger included. */
  readonly posted: Readonly<Partial<Record<CommandType, number>>>;
  readonly rejected: Readonly<Partial<Record<CommandType, number>>>;
  /** Events that a queue got from the topic, and how many of them are repeats. */
  readonly events: number;
  readonly repeatedEvents: number;
  /** Deliveries to a webhook endpoint, and how many of them are repeats; none without {@link Options.deliveries}. */
  readonly deliveries: number;
  readonly repeatedDeliveries: number;
  /** Answers to commands and batches. */
  readonly answers: ReadonlyMap<"accepted" | ErrorCode, number>;
}

interface Options {
  readonly rounds: number;
  readonly seed: number;
  /** The one DATA_DIR of all rounds. */
  readonly folder: string;
  /** Whether a webhook endpoint must get every event. In the end this can take three minutes more. */
  readonly deliveries?: boolean;
  readonly log?: (line: string) => void;
}

/**
 * Repeats on the same data: start the stack, send commands of all movements, kill -9. A user sends one command at a time, and a
 * command that got no response is sent again under its key before the next one. An operator sends batches for several users, and
 * repeats a batch until all of it is accepted. So each wallet's history must have the commands of each sender in order, once. A
 * queue gets all events from the first decision on, and so does a webhook endpoint.
 *
 * The seed determines the victims, the moments of the kills, and the commands, as far as these do not depend on what others
 * have sent meanwhile.
 *
 * @throws Error when a command or money was lost or doubled, a command reordered or decided wrongly, a transfer did not end, a hold
 * is still open, a repeated batch is not final, a decision was not published or before an earlier one of its user, an event was
 * not delivered, or a response was neither a success nor 503
 */
export async function killRounds({
  rounds,
  seed,
  folder,
  deliveries = false,
  log = () => {},
}: Options): Promise<KillReport> {
  const random = new Random(seed, "kills");
  const marker = randomUUID();
  const environment = { ...(await freeStackPorts()), DATA_DIR: folder, ANTLER_TEST: marker };
  const userOf = (name: string) => ({
    name: `${name}-${marker}`,
    ...{ random: new Random(seed, name), commands: [], promised: [] },
  });
  const users = Array.from({ length: USERS }, (_, index) => userOf(`user-${index}`));
  const fullUser = userOf("full");
  const operator = userOf("operator");
  const load = new KillLoad(users, fullUser, operator);
  const queue = localEventQueue(environment);
  const receiver = await startReceiver();
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
    if (round === 1) {
      await queue.open(`kill-rounds-${marker}.fifo`);
      const { webhooks } = clientOf(stack.apiUrl, operator.name, ADMIN_SCOPE);
      if (deliveries) await webhooks.create({ url: receiver.url });
      await load.open(stack.apiUrl);
    }
    const killed = new AbortController();
    // Retries what the last kill left without a response. That also loads the functions, so that the load starts at once.
    await Promise.all([
      ...users.map((user) => load.sendUnanswered(user, stack.apiUrl, killed.signal)),
      load.sendUnfinishedBatch(stack.apiUrl, killed.signal),
    ]);
    const before = load.commandCount();
    const loadMs = random.int(1000, 3000);
    const work = [
      ...users.map((user) => load.work(user, stack.apiUrl, killed.signal)),
      load.workInBatches(stack.apiUrl, killed.signal),
    ];
    await setTimeout(loadMs);
    kill(victim, stack, marker);
    // When one part of the stack dies, the whole stack ends.
    if (stack.process.exitCode === null && stack.process.signalCode === null) await once(stack.process, "exit");
    killed.abort();
    await Promise.all(work);
    await untilNoProcessWith(`ANTLER_TEST=${marker}`);
    log(`round ${round}: killed the ${victim} after ${loadMs} ms and ${load.commandCount() - before} commands`);
  }

  const stack = await startStack(environment);
  try {
    await Promise.all([
      ...users.map((user) => load.sendUnanswered(user, stack.apiUrl)),
      load.sendUnfinishedBatch(stack.apiUrl),
    ]);
    log(
      `${load.commandCount()} commands are accepted; waiting until they are decided and all transfers and holds have ended`,
    );
    const owners = [...users, fullUser];
    const accepted = [...owners, operator].map(acceptedOf);
    const readAll = () => Promise.all(owners.map(({ name }) => readWallet(stack.apiUrl, name)));
    const deadline = Date.now() + DECIDED_WITHIN_MS;
    while (!isOver(await readAll(), accepted.flat())) {
      if (Date.now() > deadline) break;
      await setTimeout(SWEEP_EVERY_MS);
      const { code, output } = await run("scripts/sweep.ts", [], environment);
      if (code !== 0) throw new Error(`npm run sweep printed: ${output}`);
    }
    await load.repeatBatch(stack.apiUrl);
    // The histories that were read first can lack the last credits.
    const wallets = await readAll();
    checkWallets(wallets, accepted);
    const all = wallets.flatMap(({ history }) => history);
    const [posted, rejected] = [all.filter(isPosted), all.filter((transaction) => !isPosted(transaction))];
    const { code, output } = await run("scripts/verify.ts", [], environment);
    if (code !== 0 || !output.includes(`${posted.length} posted, ${rejected.length} rejected, 0 pending`)) {
      throw new Error(
        `Expected ${posted.length} posted and ${rejected.length} rejected, npm run verify printed: ${output}`,
      );
    }
    const events = await receiveEvents(queue, all.length);
    checkEvents(wallets, events);
    const { retried, replayed, answers } = load.counts;
    const byType = { posted: countByType(posted), rejected: countByType(rejected) };
    const published = { events: events.length, repeatedEvents: events.length - all.length };
    const expected = deliveries ? all.map(({ userId, sequence }) => `${userId}/${sequence}`) : [];
    const delivered = await receiver.receiveAll(expected);
    return {
      kills,
      commands: load.commandCount(),
      retried,
      replayed,
      ...byType,
      ...published,
      ...delivered,
      answers,
    };
  } finally {
    receiver.close();
    await queue.close();
    await stack.stop();
    await untilNoProcessWith(`ANTLER_TEST=${marker}`);
  }
}

/** A webhook receiver that accepts everything. */
async function startReceiver() {
  const counts = new Map<string, number>();
  const server = createServer(async (request, response) => {
    const { id } = eventId.parse(JSON.parse(await text(request)));
    counts.set(id, (counts.get(id) ?? 0) + 1);
    response.end();
  });
  const url = `http://127.0.0.1:${await listen(server)}/`;
  return {
    url,
    /**
     * @param expected ids of events
     * @throws Error if one of them does not arrive in time
     */
    async receiveAll(expected: readonly string[]) {
      const deadline = Date.now() + DELIVERED_WITHIN_MS;
      for (;;) {
        const missing = expected.filter((id) => !counts.has(id));
        if (missing.length === 0) break;
        if (Date.now() > deadline)
          throw new Error(`${missing.length} events were not delivered, such as ${missing[0]}`);
        await setTimeout(500);
      }
      const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
      return { deliveries: total, repeatedDeliveries: total - counts.size };
    },
    close: () => server.close(),
  };
}

const eventId = z.object({ id: z.string() });

async function readWallet(apiUrl: string, user: string): Promise<WalletRecord> {
  const wallet = walletOf(apiUrl, user);
  const [history, balances] = [await Array.fromAsync(wallet.transactions({ limit: 100 })), await wallet.balances()];
  return { user, history: history.reverse(), balances };
}

/** True if all commands are decided, no money is in transit and no hold is open. */
function isOver(wallets: readonly WalletRecord[], accepted: readonly AcceptedCommand[]): boolean {
  const decided = new Set<string>();
  for (const transaction of wallets.flatMap(({ history }) => history)) {
    decided.add(transaction.id);
    if ("transfer" in transaction && transaction.transfer?.status === "in_transit") return false;
    if (transaction.type === "hold" && transaction.hold.status === "open") return false;
  }
  return accepted.every(({ id }) => decided.has(id));
}

function isPosted({ status }: Transaction): boolean {
  return status === "posted";
}

function countByType(transactions: readonly Transaction[]): Partial<Record<CommandType, number>> {
  const byType = Map.groupBy(transactions, ({ type }) => type);
  return Object.fromEntries([...byType].map(([type, ofType]) => [type, ofType.length]));
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
