import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { issueToken } from "../localstack/identityProvider.ts";
import { BenchClient } from "./client.ts";
import { TOKENS } from "./ledger.ts";

const CONNECTIONS = 50;
const CURRENCIES = ["USD", "EUR", "GBP"];

export interface Workload {
  readonly name: string;
  readonly what: string;
  readonly users: number;
  readonly seconds: number;
  /** Requests a second that are due whatever the answers; without it, every connection sends as soon as it is answered. */
  readonly ratePerSecond?: number;
  /** {@link CONNECTIONS} unless it is given. */
  readonly connections?: number;
  /** Parts of a hundred; the rest are balances. */
  readonly deposits: number;
  readonly withdrawals: number;
}

export const WORKLOADS: readonly Workload[] = [
  { name: "W1", what: "1,000 users, 3 currencies", users: 1000, seconds: 20, deposits: 45, withdrawals: 35 },
  { name: "W2", what: "one wallet, deposits", users: 1, seconds: 15, deposits: 100, withdrawals: 0 },
  {
    name: "W3",
    what: "1,000 users, 100 requests a second",
    users: 1000,
    seconds: 20,
    ratePerSecond: 100,
    deposits: 100,
    withdrawals: 0,
  },
];

/** One accepted command of an open loop. */
export interface Due {
  readonly userId: string;
  readonly transactionId: string;
  readonly dueAtMs: number;
}

/** One request, on the clock of `Date.now()`. */
export interface Answer {
  readonly status: number;
  readonly dueAtMs: number;
  readonly answeredAtMs: number;
}

export interface Sent {
  readonly requests: number;
  /** Answers that were neither 200 nor 202. */
  readonly errors: number;
  readonly latenciesMs: number[];
  readonly answers: readonly Answer[];
  readonly due: readonly Due[];
}

export interface Wallet {
  readonly userId: string;
  readonly token: string;
}

/** New users for every run, so that no run finds what another left, unless a run is about users that there are. */
export async function openWallets(
  { users }: Workload,
  userIds: readonly string[] = Array.from({ length: users }, () => `bench-${randomUUID()}`),
): Promise<Wallet[]> {
  return Promise.all(
    userIds.map(async (userId) => {
      const token = await issueToken({ subject: userId, ...TOKENS });
      return { userId, token };
    }),
  );
}

export async function send(
  workload: Workload,
  wallets: readonly Wallet[],
  apiUrl: string,
  seconds: number,
): Promise<Sent> {
  const connections = workload.connections ?? CONNECTIONS;
  const client = new BenchClient(apiUrl, connections);
  const latenciesMs: number[] = [];
  const answers: Answer[] = [];
  const due: Due[] = [];
  let errors = 0;

  async function one(dueAtMs: number): Promise<void> {
    const { userId, token } = pick(wallets);
    const share = Math.random() * 100;
    const startedMs = performance.now();
    const { status, location } =
      share < workload.deposits + workload.withdrawals
        ? await client.send(
            "POST",
            `/v1/users/${userId}/${share < workload.deposits ? "deposits" : "withdrawals"}`,
            token,
            JSON.stringify({ currency: pick(CURRENCIES), amount: "1.00" }),
            randomUUID(),
          )
        : await client.send("GET", `/v1/users/${userId}/balances`, token);
    latenciesMs.push(performance.now() - startedMs);
    answers.push({ status, dueAtMs, answeredAtMs: Date.now() });
    if (status !== 200 && status !== 202) errors++;
    if (workload.ratePerSecond && location) {
      due.push({ userId, transactionId: location.slice(location.lastIndexOf("/") + 1), dueAtMs });
    }
  }

  const startMs = Date.now();
  const endMs = startMs + seconds * 1000;
  if (workload.ratePerSecond) {
    const sent: Promise<void>[] = [];
    for (let index = 0; index < seconds * workload.ratePerSecond; index++) {
      const dueAtMs = startMs + (index * 1000) / workload.ratePerSecond;
      const waitMs = dueAtMs - Date.now();
      if (waitMs > 0) await setTimeout(waitMs);
      sent.push(one(dueAtMs));
    }
    await Promise.all(sent);
  } else {
    const connection = async () => {
      while (Date.now() < endMs) await one(Date.now());
    };
    await Promise.all(Array.from({ length: connections }, connection));
  }
  client.close();
  return { requests: latenciesMs.length, errors, latenciesMs, answers, due };
}

function pick<T>(items: readonly T[]): T {
  const item = items[Math.floor(Math.random() * items.length)];
  if (item === undefined) throw new Error("There is nothing to pick from");
  return item;
}
