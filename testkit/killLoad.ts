import { setTimeout } from "node:timers/promises";
import type { CommandType } from "../lib/domain/command.ts";
import { ADMIN_SCOPE } from "../lib/http/authenticate.ts";
import { BATCH_PATH } from "../lib/http/batch.ts";
import { type BatchView, batchSchema } from "../lib/http/schemas.ts";
import type { Random } from "../test/simulation/random.ts";
import { type ApiResponse, Client } from "./client.ts";

/** The load of the kill rounds: each user sends one command at a time, of all movements, and an operator sends batches. */

export interface Command {
  readonly type: CommandType;
  /** Whose wallet it is for. */
  readonly owner: string;
  readonly actor: "owner" | "counterparty" | "admin";
  /** Below that of the owner; of a command in a batch, that of the batch. */
  readonly path: string;
  readonly body: {
    readonly amount?: string;
    readonly to?: string | undefined;
    readonly [other: string]: unknown;
  };
}

interface SentCommand extends Command {
  readonly key: string;
  /** Set once the API has answered 202. */
  id?: string;
  /** True if the API refused it, so that nothing is stored. */
  isRefused?: true;
}
export type AcceptedCommand = SentCommand & { readonly id: string };

export interface User {
  readonly name: string;
  readonly random: Random;
  readonly commands: SentCommand[];
  /** Holds of others that are promised to this user. */
  readonly promised: AcceptedCommand[];
}

class Counts {
  retried = 0;
  replayed = 0;
  readonly responses = new Map<number, number>();

  add(status: number): void {
    this.responses.set(status, (this.responses.get(status) ?? 0) + 1);
  }
}

/** Some end in the round in which they start, others in a later one. */
const HOLD_MS = [2000, 6000, 40_000];
/** The most that a wallet can have of USD. */
const FULL = `${"9".repeat(34)}.99`;
const CENTS_MAX = 10_000;
/** So few users that most of them have several commands in a batch. */
const BATCH_COMMANDS = 20;
const BATCH_USERS = 8;
/** Leaves the users most of the load, which has more types of commands. */
const BATCH_PAUSE_MS = 200;

export function acceptedOf({ commands }: User): AcceptedCommand[] {
  return commands.filter((command): command is AcceptedCommand => command.id !== undefined);
}

export class KillLoad {
  readonly users: readonly User[];
  readonly counts = new Counts();
  readonly #fullUser: User;
  readonly #operator: User;
  #batch: readonly SentCommand[] = [];

  /** @param fullUser its wallet will be at the balance limit, so that transfers to it are returned */
  constructor(users: readonly User[], fullUser: User, operator: User) {
    this.users = users;
    this.#fullUser = fullUser;
    this.#operator = operator;
  }

  commandCount(): number {
    return [...this.users, this.#operator].reduce((sum, user) => sum + acceptedOf(user).length, 0);
  }

  /** Opens the wallets, so that they can receive transfers. */
  async open(apiUrl: string): Promise<void> {
    const open = async (user: User, amount: string) => {
      const command: SentCommand = { ...deposit(user.name, amount), key: "key-0" };
      user.commands.push(command);
      await this.#send(user, command, apiUrl, new AbortController().signal);
      await new Client(apiUrl, user.name).decided(command.id ?? "");
    };
    await Promise.all([open(this.#fullUser, FULL), ...this.users.map((user) => open(user, "500.00"))]);
  }

  /** Sends new commands one by one until the stack is killed. */
  async work(user: User, apiUrl: string, killed: AbortSignal): Promise<void> {
    while (!killed.aborted) {
      const next = await this.#next(user, apiUrl);
      const command: SentCommand = { ...next, key: `key-${user.commands.length}` };
      user.commands.push(command);
      await this.#send(user, command, apiUrl, killed);
    }
  }

  /** Sends batches of new commands one by one until the stack is killed. */
  async workInBatches(apiUrl: string, killed: AbortSignal): Promise<void> {
    const { commands, random } = this.#operator;
    while (!killed.aborted) {
      const first = random.int(0, this.users.length - 1);
      const owners = [...this.users, ...this.users].slice(first, first + BATCH_USERS).map(({ name }) => name);
      this.#batch = Array.from({ length: BATCH_COMMANDS }, (_, index) => ({
        ...batched(random, owners),
        key: `batch-${commands.length + index}`,
      }));
      commands.push(...this.#batch);
      await this.#sendBatch(apiUrl, killed);
      await setTimeout(BATCH_PAUSE_MS);
    }
  }

  /** Sends the last batch again if a command in it is not accepted. */
  async sendUnfinishedBatch(apiUrl: string, killed = new AbortController().signal): Promise<void> {
    const missing = this.#batch.filter(({ id }) => id === undefined);
    this.counts.retried += missing.length;
    if (missing.length > 0) await this.#sendBatch(apiUrl, killed);
  }

  /**
   * Sends the last batch again once all of its commands are decided.
   *
   * @throws Error if a result is not the final outcome of its command
   */
  async repeatBatch(apiUrl: string): Promise<void> {
    const results = await this.#postBatch(apiUrl);
    const isFinal = (result: (typeof results)[number], index: number) =>
      "transaction" in result &&
      result.replayed &&
      result.transaction.status !== "pending" &&
      result.transaction.id === this.#batch[index]?.id;
    if (results.length < this.#batch.length || !results.every(isFinal)) {
      throw new Error(`The repeated batch is not final: ${JSON.stringify(results)}`);
    }
  }

  /** Sends the last batch until all of its commands are accepted, or the stack is killed. */
  async #sendBatch(apiUrl: string, killed: AbortSignal): Promise<void> {
    while (!killed.aborted) {
      const results = await this.#postBatch(apiUrl);
      for (const [index, result] of results.entries()) {
        const command = this.#batch[index];
        if ("transaction" in result && command) {
          if (result.replayed && command.id === undefined) this.counts.replayed++;
          command.id = result.transaction.id;
        } else if (result.status !== 503) {
          throw new Error(JSON.stringify(result));
        }
      }
      if (this.#batch.every(({ id }) => id !== undefined)) return;
      await setTimeout(20);
    }
  }

  /** @returns the results; none if the connection broke, or the batch was not accepted */
  async #postBatch(apiUrl: string): Promise<BatchView["results"]> {
    const commands = this.#batch.map(({ type, owner, key, body }) => ({
      ...{ type, userId: owner, idempotencyKey: key },
      ...body,
    }));
    const client = new Client(apiUrl, this.#operator.name, ADMIN_SCOPE);
    const headers = { "content-type": "application/json" };
    const response = await client
      .request("POST", BATCH_PATH, JSON.stringify({ commands }), headers)
      .catch(() => undefined);
    this.counts.add(response?.status ?? 0);
    if (!response || response.status === 503) return [];
    if (response.status !== 200) throw new Error(`${response.status}: ${JSON.stringify(response.body)}`);
    return batchSchema.parse(response.body).results;
  }

  /** Sends the last command again, under its key, if it got no response. */
  async sendUnanswered(user: User, apiUrl: string, killed = new AbortController().signal): Promise<void> {
    const command = user.commands.at(-1);
    if (!command || command.id !== undefined || command.isRefused) return;
    this.counts.retried++;
    await this.#send(user, command, apiUrl, killed);
  }

  async #next(user: User, apiUrl: string): Promise<Command> {
    const { name, random, promised } = user;
    const amount = dollars(BigInt(random.int(1, CENTS_MAX)));
    const money = { currency: "USD", amount };
    const others = this.users.filter((other) => other !== user).map((other) => other.name);
    const own = acceptedOf(user).filter(({ owner }) => owner === name);
    const expiresAt = new Date(Date.now() + random.pick(HOLD_MS)).toISOString();
    const base = { owner: name, actor: "owner" } as const;
    const byOperator = { owner: name, actor: "admin" } as const;
    const type = random.pick(SHARES);
    switch (type) {
      case "withdrawal":
        return { ...base, type, path: "withdrawals", body: money };
      case "transfer": {
        const to = random.chance(0.2) ? this.#fullUser.name : random.pick(others);
        return { ...base, type, path: "transfers", body: { ...money, to } };
      }
      case "hold": {
        const to = random.chance(0.5) ? random.pick(others) : undefined;
        return { ...base, type, path: "holds", body: { ...money, to, expiresAt } };
      }
      case "capture":
      case "release": {
        const held = own.filter((command) => command.type === "hold" && command.body.to === undefined);
        const holds = [...held.slice(-2), ...promised.slice(-2)];
        if (holds.length === 0) break;
        const hold = random.pick(holds);
        const actor = hold.owner === name ? "owner" : "counterparty";
        const isPart = type === "capture" && random.chance(0.5);
        const body = isPart ? { amount: "0.01", final: false } : {};
        return { type, owner: hold.owner, actor, path: `holds/${hold.id}/${type}s`, body };
      }
      case "exchange": {
        const body = { sell: money, buy: { currency: "EUR", amount } };
        return { ...byOperator, type, path: "exchanges", body };
      }
      case "reversal": {
        const isRefund = random.chance(0.7);
        const originals = isRefund ? await this.#credits(name, apiUrl) : own.filter((command) => isReversible(command));
        const original = originals.at(-random.int(1, 3));
        if (!original) break;
        const body = isRefund && random.chance(0.7) ? { amount: "0.01" } : {};
        return { ...(isRefund ? base : byOperator), type, path: `transactions/${original.id}/reversals`, body };
      }
      case "status_change": {
        const last = own.findLast((command) => command.type === type);
        const status = last?.body.status === "frozen" ? "active" : "frozen";
        return { ...byOperator, type, path: "status-changes", body: { status } };
      }
    }
    return deposit(name, amount);
  }

  /** The user's last credits that can be refunded; none if the stack does not answer. */
  async #credits(name: string, apiUrl: string): Promise<readonly { readonly id: string }[]> {
    const query = { type: "credit", status: "posted", limit: "5" };
    const history = await new Client(apiUrl, name).history(query).catch(() => undefined);
    return (history?.data ?? []).filter(
      (credit) => credit.type === "credit" && ["transfer", "capture"].includes(credit.source.type),
    );
  }

  /** Sends a command until it is accepted or refused, or the stack is killed. */
  async #send(user: User, command: SentCommand, apiUrl: string, killed: AbortSignal): Promise<void> {
    const { owner, actor, path, body, key } = command;
    const client =
      actor === "admin" ? new Client(apiUrl, this.#operator.name, ADMIN_SCOPE) : new Client(apiUrl, user.name);
    while (!killed.aborted) {
      let response: ApiResponse | undefined;
      try {
        response = await client.post(path, body, { key }, owner);
      } catch {
        // The connection broke, so the command may or may not be stored.
      }
      this.counts.add(response?.status ?? 0);
      if (response?.status === 202) {
        if (response.headers.get("idempotency-replayed")) this.counts.replayed++;
        const accepted = Object.assign(command, { id: response.headers.get("location")?.split("/").at(-1) ?? "" });
        const receiver = this.users.find(({ name }) => accepted.type === "hold" && name === accepted.body.to);
        receiver?.promised.push(accepted);
        return;
      }
      if (response && isTooLate(command, response)) {
        command.isRefused = true;
        return;
      }
      if (response && response.status !== 503) throw new Error(`${response.status}: ${JSON.stringify(response.body)}`);
      await setTimeout(20);
    }
  }
}

/** Each type as often as its share of all. What can't be sent yet is a deposit instead. */
const SHARES = Object.entries({
  ...{ deposit: 10, withdrawal: 6, transfer: 10, hold: 9, capture: 8 },
  ...{ release: 3, exchange: 2, reversal: 4, status_change: 2 },
} satisfies Partial<Record<CommandType, number>>).flatMap(([type, share]) =>
  new Array<CommandType>(share).fill(type as CommandType),
);

function deposit(owner: string, amount: string): Command {
  return { type: "deposit", owner, actor: "owner", path: "deposits", body: { currency: "USD", amount } };
}

/** A command of an operator for one of the users. */
function batched(random: Random, owners: readonly string[]): Command {
  const owner = random.pick(owners);
  const money = { currency: "USD", amount: dollars(BigInt(random.int(1, CENTS_MAX))) };
  const base = { owner, actor: "admin", path: BATCH_PATH } as const;
  switch (random.pick(["deposit", "withdrawal", "transfer"])) {
    case "withdrawal":
      return { ...base, type: "withdrawal", body: money };
    case "transfer": {
      const to = random.pick(owners.filter((name) => name !== owner));
      return { ...base, type: "transfer", body: { ...money, to } };
    }
    default:
      return { ...base, type: "deposit", body: money };
  }
}

function isReversible({ type }: Command): boolean {
  return type === "deposit" || type === "withdrawal" || type === "exchange";
}

/** A hold that was not stored before a kill can be sent again only after its time. */
function isTooLate({ type }: Command, { status, body }: ApiResponse): boolean {
  return type === "hold" && status === 422 && JSON.stringify(body).includes('"expires_at_invalid"');
}

function dollars(cents: bigint): string {
  return `${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`;
}
