import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { pick } from "../artillery/wallets.ts";
import { ADMIN_SCOPE } from "../lib/http/authenticate.ts";
import { BATCH_PATH } from "../lib/http/batch.ts";
import { BATCH_MAX } from "../lib/http/schemas.ts";
import { issueToken } from "../localstack/identityProvider.ts";
import { BenchClient } from "./client.ts";

/** The issuer and the audience of the local stack's tokens. */
export const TOKENS = { issuer: "antler-local", audience: "antler" };
const CONNECTIONS = 50;
const CURRENCIES = ["USD", "EUR", "GBP"];

export interface Workload {
  readonly name: string;
  readonly description: string;
  readonly users: number;
  readonly seconds: number;
  /** {@link CONNECTIONS} by default. */
  readonly connections?: number;
  /** Users in each batch of {@link BATCH_MAX} deposits; without it, each request is one command or one read. */
  readonly usersPerBatch?: number;
  /** Requests a second, sent whether or not earlier ones are answered; without it, every connection sends on its response. */
  readonly ratePerSecond?: number;
  /** Percent of the requests; all but deposits and withdrawals read balances. */
  readonly deposits: number;
  readonly withdrawals?: number;
}

export const WORKLOADS = [
  { name: "W1", description: "1,000 users, 3 currencies", users: 1000, seconds: 20, deposits: 45, withdrawals: 35 },
  { name: "W2", description: "one wallet, deposits", users: 1, seconds: 15, deposits: 100 },
  { name: "W3", description: "1,000 users, 100 a second", users: 1000, seconds: 20, deposits: 100, ratePerSecond: 100 },
  {
    ...{ name: "W4-many", description: "batches of 100 deposits of 100 users", users: 1000, usersPerBatch: 100 },
    ...{ seconds: 15, connections: 4, deposits: 100 },
  },
  {
    ...{ name: "W4-one", description: "batches of 100 deposits, one wallet", users: 1, usersPerBatch: 1 },
    ...{ seconds: 15, connections: 4, deposits: 100 },
  },
] as const satisfies readonly Workload[];
export const [W1, W2] = WORKLOADS;

export interface User {
  readonly userId: string;
  readonly token: string;
}

/** A request and its response. */
export interface Answer {
  /** 0 when the connection broke. */
  readonly status: number;
  /** When the request was to be sent, in milliseconds of {@link nowMs}. */
  readonly dueAtMs: number;
  /** From then to the response: waiting for a free connection is included. */
  readonly latencyMs: number;
  /** Of an accepted command that was sent alone. */
  readonly transactionId: string | undefined;
  /** Of a batch: its commands that were not accepted. */
  readonly notAccepted: number;
}

/** Milliseconds since 1970 with fractions. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

export async function createUser(userId = `bench-${randomUUID()}`, scope?: string): Promise<User> {
  return { userId, token: await issueToken({ ...TOKENS, subject: userId, scope }) };
}

/** New users, so that no run depends on what another left behind. */
export async function createUsers(count: number): Promise<User[]> {
  return Promise.all(Array.from({ length: count }, () => createUser()));
}

/** Sends the workload's requests for its seconds, and waits for the last response. */
export async function send(workload: Workload, users: readonly User[], apiUrl: string): Promise<Answer[]> {
  const { connections = CONNECTIONS, ratePerSecond, usersPerBatch, seconds, deposits, withdrawals = 0 } = workload;
  const client = new BenchClient(apiUrl, connections);
  const answers: Answer[] = [];
  const operator = await createUser("bench-operator", ADMIN_SCOPE);
  const sendBatch = (usersInBatch: number) => {
    const start = Math.floor(Math.random() * users.length);
    const commands = Array.from({ length: BATCH_MAX }, (_, index) => {
      const { userId = "" } = users[(start + (index % usersInBatch)) % users.length] ?? {};
      const command = { type: "deposit", userId, idempotencyKey: randomUUID() };
      return { ...command, currency: pick(CURRENCIES), amount: "1.00" };
    });
    return client.send(BATCH_PATH, operator.token, { commands });
  };
  const sendOne = () => {
    const { userId, token } = pick(users);
    const percent = Math.random() * 100;
    const path = percent < deposits ? "deposits" : percent < deposits + withdrawals ? "withdrawals" : "balances";
    const body = path === "balances" ? undefined : { currency: pick(CURRENCIES), amount: "1.00" };
    return client.send(`/v1/users/${userId}/${path}`, token, body);
  };
  const request = async (dueAtMs: number) => {
    const { status, location, problems } = await (usersPerBatch === undefined ? sendOne() : sendBatch(usersPerBatch));
    const transactionId = location?.slice(location.lastIndexOf("/") + 1);
    answers.push({ status, dueAtMs, latencyMs: nowMs() - dueAtMs, transactionId, notAccepted: problems });
  };

  const startMs = nowMs();
  if (ratePerSecond) {
    const requests: Promise<void>[] = [];
    for (let index = 0; index < seconds * ratePerSecond; index++) {
      const dueAtMs = startMs + (index * 1000) / ratePerSecond;
      const waitMs = dueAtMs - nowMs();
      if (waitMs > 0) await setTimeout(waitMs);
      requests.push(request(dueAtMs));
    }
    await Promise.all(requests);
  } else {
    const connection = async () => {
      while (nowMs() < startMs + seconds * 1000) await request(nowMs());
    };
    await Promise.all(Array.from({ length: connections }, connection));
  }
  client.close();
  return answers;
}
