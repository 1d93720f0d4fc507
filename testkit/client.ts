import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type * as z from "zod/mini";
import {
  balancesSchema,
  batchSchema,
  currenciesSchema,
  historySchema,
  problemSchema,
  promisedSchema,
  statementSchema,
  transactionSchema,
} from "../lib/http/schemas.ts";
import { issueToken } from "../localstack/identityProvider.ts";

export interface ApiResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export interface MovementOptions {
  readonly key?: string;
  /** Seconds of `Prefer: wait`. */
  readonly wait?: number;
  readonly reference?: string;
  readonly metadata?: Record<string, string>;
}

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

/** A user's client of the API. */
export class Client {
  readonly user: string;
  readonly #apiUrl: string;
  readonly #scope: string | undefined;
  #token: Promise<string> | undefined;

  constructor(apiUrl: string, user: string, scope?: string) {
    this.#apiUrl = apiUrl;
    this.user = user;
    this.#scope = scope;
  }

  deposit(currency: string, amount: string, options: MovementOptions = {}): Promise<ApiResponse> {
    return this.post("deposits", { currency, amount }, options);
  }

  withdraw(currency: string, amount: string, options: MovementOptions = {}): Promise<ApiResponse> {
    return this.post("withdrawals", { currency, amount }, options);
  }

  async balance(currency: string): Promise<string | undefined> {
    const { balances } = await this.balances();
    return balances.find((balance) => balance.currency === currency)?.amount;
  }

  async balances(query: { readonly at?: string } = {}) {
    return checked(balancesSchema, await this.get(`balances?${new URLSearchParams(query)}`), 200);
  }

  async statement(query: Record<string, string>) {
    return checked(statementSchema, await this.get(`statements?${new URLSearchParams(query)}`), 200);
  }

  async history(query: Record<string, string> = {}) {
    return checked(historySchema, await this.get(`transactions?${new URLSearchParams(query)}`), 200);
  }

  async holds(query: Record<string, string> = {}) {
    return checked(historySchema, await this.get(`holds?${new URLSearchParams(query)}`), 200);
  }

  /** Every page of it, newest first. */
  async fullHistory(limit = 100) {
    const transactions: z.output<typeof historySchema>["data"] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const page = await this.history({ limit: String(limit), ...(cursor && { cursor }) });
      transactions.push(...page.data);
      cursor = page.nextCursor;
    }
    return transactions;
  }

  async transaction(id: string) {
    return checked(transactionSchema, await this.get(`transactions/${id}`), 200);
  }

  /** Sends commands in a batch, each with a key of its own unless it has one. @returns their results */
  async batch(commands: readonly object[]) {
    const body = JSON.stringify({
      commands: commands.map((command) => ({ idempotencyKey: randomUUID(), ...command })),
    });
    const response = await this.request("POST", "/v1/batches", body, { "content-type": "application/json" });
    return checked(batchSchema, response, 200).results;
  }

  async currencies() {
    return checked(currenciesSchema, await this.request("GET", "/v1/currencies"), 200);
  }

  /** Waits until a transaction is decided. */
  async decided(id: string, timeoutMs = 20_000) {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const transaction = await this.transaction(id);
      if (transaction.status !== "pending") return transaction;
      if (Date.now() > deadline) throw new Error(`Transaction ${id} is still pending`);
      await setTimeout(20);
    }
  }

  /** Waits until this many of the user's commands are decided. */
  async sequenceReached(sequence: number, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while ((await this.balances()).sequence < sequence) {
      if (Date.now() > deadline) throw new Error(`${this.user} still has undecided commands`);
      await setTimeout(200);
    }
  }

  get(path: string, owner = this.user): Promise<ApiResponse> {
    return this.request("GET", `/v1/users/${encodeURIComponent(owner)}/${path}`);
  }

  async request(
    method: string,
    path: string,
    body?: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ): Promise<ApiResponse> {
    this.#token ??= tokenOf(this.user, this.#scope);
    const authorization = `Bearer ${await this.#token}`;
    return withinLimit(async () => {
      const response = await fetch(`${this.#apiUrl}${path}`, {
        method,
        headers: { authorization, ...headers },
        ...(body !== undefined && { body }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: parseJson(text) };
    });
  }

  /** Requests a movement of the owner's wallet. */
  post(path: string, body: object, options: MovementOptions = {}, owner = this.user): Promise<ApiResponse> {
    const { key = randomUUID(), wait, reference, metadata } = options;
    return this.request(
      "POST",
      `/v1/users/${encodeURIComponent(owner)}/${path}`,
      JSON.stringify({ ...body, reference, metadata }),
      {
        "content-type": "application/json",
        "idempotency-key": key,
        ...(wait !== undefined && { prefer: `wait=${wait}` }),
      },
    );
  }
}

/** @throws Error when the status or the body is not the expected one */
function checked<T>(schema: z.ZodMiniType<T>, response: ApiResponse, status: number): T {
  if (response.status !== status) {
    throw new Error(`Expected ${status}, got ${response.status}: ${JSON.stringify(response.body)}`);
  }
  return schema.parse(response.body);
}

export function transactionIn(response: ApiResponse, status: number) {
  return checked(transactionSchema, response, status);
}

/** What the user sees to whom another user's hold is promised. */
export function promisedIn(response: ApiResponse, status: number) {
  return checked(promisedSchema, response, status);
}

export function problemIn(response: ApiResponse, status: number) {
  if (response.headers.get("content-type") !== "application/problem+json") {
    throw new Error(`Not a problem: ${response.status} ${JSON.stringify(response.body)}`);
  }
  return checked(problemSchema, response, status);
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
