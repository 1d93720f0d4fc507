import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type * as z from "zod";
import {
  balancesSchema,
  currenciesSchema,
  historySchema,
  problemSchema,
  transactionSchema,
} from "../lib/http/schemas.ts";
import { issueToken } from "../localstack/identityProvider.ts";

export interface Answer {
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

/** A user that no other test has. */
export function newUser(name = "user"): string {
  return `${name}-${randomUUID()}`;
}

/** What a person does with the API, in the words of the tests. */
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

  deposit(currency: string, amount: string, options: MovementOptions = {}): Promise<Answer> {
    return this.#move("deposits", currency, amount, options);
  }

  withdraw(currency: string, amount: string, options: MovementOptions = {}): Promise<Answer> {
    return this.#move("withdrawals", currency, amount, options);
  }

  async balance(currency: string): Promise<string | undefined> {
    const { balances } = await this.balances();
    return balances.find((balance) => balance.currency === currency)?.amount;
  }

  async balances() {
    return checked(balancesSchema, await this.get("balances"), 200);
  }

  async history(query: Record<string, string> = {}) {
    return checked(historySchema, await this.get(`transactions?${new URLSearchParams(query)}`), 200);
  }

  async transaction(id: string) {
    return checked(transactionSchema, await this.get(`transactions/${id}`), 200);
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

  get(path: string, owner = this.user): Promise<Answer> {
    return this.request("GET", `/v1/users/${encodeURIComponent(owner)}/${path}`);
  }

  async request(
    method: string,
    path: string,
    body?: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    this.#token ??= issueToken({
      subject: this.user,
      scope: this.#scope,
      issuer: process.env.JWT_ISSUER || "antler-local",
      audience: process.env.JWT_AUDIENCE || "antler",
    });
    const authorization = `Bearer ${await this.#token}`;
    return inTurn(async () => {
      const response = await fetch(`${this.#apiUrl}${path}`, {
        method,
        headers: { authorization, ...headers },
        ...(body !== undefined && { body }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: parseJson(text) };
    });
  }

  #move(kind: string, currency: string, amount: string, options: MovementOptions): Promise<Answer> {
    const { key = randomUUID(), wait, reference, metadata } = options;
    return this.request(
      "POST",
      `/v1/users/${encodeURIComponent(this.user)}/${kind}`,
      JSON.stringify({ currency, amount, reference, metadata }),
      {
        "content-type": "application/json",
        "idempotency-key": key,
        ...(wait !== undefined && { prefer: `wait=${wait}` }),
      },
    );
  }
}

/** The body as its schema has it, once the status is the one that is expected. */
function checked<T>(schema: z.ZodType<T>, answer: Answer, status: number): T {
  if (answer.status !== status) {
    throw new Error(`Expected ${status}, got ${answer.status}: ${JSON.stringify(answer.body)}`);
  }
  return schema.parse(answer.body);
}

export function transactionIn(answer: Answer, status: number) {
  return checked(transactionSchema, answer, status);
}

export function problemIn(answer: Answer, status: number) {
  if (answer.headers.get("content-type") !== "application/problem+json") {
    throw new Error(`Not a problem: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
  return checked(problemSchema, answer, status);
}

/** `API_REQUESTS_AT_ONCE` spares a stack that is slow to take many requests at once; without it there is no limit. */
const atOnceMax = Number(process.env.API_REQUESTS_AT_ONCE || Number.POSITIVE_INFINITY);
const waiting: (() => void)[] = [];
let atOnce = 0;

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (atOnce >= atOnceMax) await new Promise<void>((resolve) => waiting.push(resolve));
  else atOnce++;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else atOnce--;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
