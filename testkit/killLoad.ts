import { setTimeout } from "node:timers/promises";
import { ADMIN_SCOPE } from "../lib/http/authenticate.ts";
import {
  AntlerError,
  type BatchCommand,
  type Client,
  type ErrorCode,
  type PromisedTransaction,
  type Submitted,
  type Transaction,
} from "../packages/client/src/index.ts";
import type { Random } from "../test/simulation/random.ts";
import { clientOf, walletOf } from "./client.ts";

/** The load of the kill rounds: each user sends one command at a time, of all movements, and an operator sends batches. */

interface Command {
  readonly actor: "owner" | "counterparty" | "admin";
  /** Sent in a batch, or alone to the wallet of its `userId`. */
  readonly content: BatchCommand;
}

interface SentCommand extends Command {
  /** Set once the API has accepted it. */
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
  readonly answers = new Map<"accepted" | ErrorCode, number>();

  add(answer: "accepted" | ErrorCode): void {
    this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
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
      const command: SentCommand = deposit(user.name, "key-0", amount);
      user.commands.push(command);
      await this.#send(user, command, apiUrl, new AbortController().signal);
      await walletOf(apiUrl, user.name).settled(command.id ?? "");
    };
    await Promise.all([open(this.#fullUser, FULL), ...this.users.map((user) => open(user, "500.00"))]);
  }

  /** Sends new commands one by one until the stack is killed. */
  async work(user: User, apiUrl: string, killed: AbortSignal): Promise<void> {
    while (!killed.aborted) {
      const command: SentCommand = await this.#next(user, `key-${user.commands.length}`, apiUrl);
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
        actor: "admin",
        content: batched(random, owners, `batch-${commands.length + index}`),
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
  async #postBatch(apiUrl: string) {
    const commands = this.#batch.map(({ content }) => content);
    return (await this.#answerTo(this.#asOperator(apiUrl).batch(commands))) ?? [];
  }

  #asOperator(apiUrl: string): Client {
    return clientOf(apiUrl, this.#operator.name, ADMIN_SCOPE);
  }

  /**
   * @returns undefined if the connection broke, or the API was unavailable: the command may or may not be stored
   * @throws AntlerError
   */
  async #answerTo<Answer>(call: Promise<Answer>): Promise<Answer | undefined> {
    try {
      const answer = await call;
      this.counts.add("accepted");
      return answer;
    } catch (error) {
      if (!(error instanceof AntlerError)) throw error;
      this.counts.add(error.code);
      if (error.code === "connection_failed" || error.code === "unavailable") return undefined;
      throw error;
    }
  }

  /** Sends the last command again, under its key, if it got no response. */
  async sendUnanswered(user: User, apiUrl: string, killed = new AbortController().signal): Promise<void> {
    const command = user.commands.at(-1);
    if (!command || command.id !== undefined || command.isRefused) return;
    this.counts.retried++;
    await this.#send(user, command, apiUrl, killed);
  }

  async #next(user: User, idempotencyKey: string, apiUrl: string): Promise<Command> {
    const { name, random, promised } = user;
    const amount = dollars(BigInt(random.int(1, CENTS_MAX)));
    const money = { currency: "USD", amount };
    const others = this.users.filter((other) => other !== user).map((other) => other.name);
    const own = acceptedOf(user).filter(({ content }) => content.userId === name);
    const expiresAt = new Date(Date.now() + random.pick(HOLD_MS)).toISOString();
    const base = { userId: name, idempotencyKey };
    const type = random.pick(SHARES);
    switch (type) {
      case "withdrawal":
        return { actor: "owner", content: { ...base, type, ...money } };
      case "transfer": {
        const to = random.chance(0.2) ? this.#fullUser.name : random.pick(others);
        return { actor: "owner", content: { ...base, type, ...money, to } };
      }
      case "hold": {
        const to = random.chance(0.5) ? random.pick(others) : undefined;
        return { actor: "owner", content: { ...base, type, ...money, to, expiresAt } };
      }
      case "capture":
      case "release": {
        const held = own.filter(({ content }) => content.type === "hold" && content.to === undefined);
        const holds = [...held.slice(-2), ...promised.slice(-2)];
        if (holds.length === 0) break;
        const hold = random.pick(holds);
        const { userId } = hold.content;
        const actor = userId === name ? "owner" : "counterparty";
        const isPart = type === "capture" && random.chance(0.5);
        const part = isPart ? { amount: "0.01", final: false } : {};
        return { actor, content: { type, userId, idempotencyKey, refersTo: hold.id, ...part } };
      }
      case "exchange":
        return { actor: "admin", content: { ...base, type, sell: money, buy: { currency: "EUR", amount } } };
      case "reversal": {
        const isRefund = random.chance(0.7);
        const originals = isRefund ? await this.#credits(name, apiUrl) : own.filter((command) => isReversible(command));
        const original = originals.at(-random.int(1, 3));
        if (!original) break;
        const part = isRefund && random.chance(0.7) ? { amount: "0.01" } : {};
        const content = { ...base, type, refersTo: original.id, ...part };
        return { actor: isRefund ? "owner" : "admin", content };
      }
      case "status_change": {
        const last = own.map(({ content }) => content).findLast((content) => content.type === type);
        const status = last?.status === "frozen" ? "active" : "frozen";
        return { actor: "admin", content: { ...base, type, status } };
      }
    }
    return deposit(name, idempotencyKey, amount);
  }

  /** The user's last credits that can be refunded; none if the stack does not answer. */
  async #credits(name: string, apiUrl: string): Promise<readonly { readonly id: string }[]> {
    const list = walletOf(apiUrl, name).transactions({ type: "credit", status: "posted", limit: 5 });
    const page = await list.page().catch(() => undefined);
    return (page?.data ?? []).filter(
      (credit) => credit.type === "credit" && ["transfer", "capture"].includes(credit.source.type),
    );
  }

  /** Sends a command until it is accepted or refused, or the stack is killed. */
  async #send(user: User, command: SentCommand, apiUrl: string, killed: AbortSignal): Promise<void> {
    const { actor, content } = command;
    const client = actor === "admin" ? this.#asOperator(apiUrl) : clientOf(apiUrl, user.name);
    while (!killed.aborted) {
      const transaction = await this.#answerTo(submit(client, content)).catch((error) => {
        if (!isTooLate(content, error)) throw error;
        command.isRefused = true;
      });
      if (command.isRefused) return;
      if (transaction) {
        if (transaction.replayed) this.counts.replayed++;
        const accepted = Object.assign(command, { id: transaction.id });
        const receiver = this.users.find(({ name }) => content.type === "hold" && name === content.to);
        receiver?.promised.push(accepted);
        return;
      }
      await setTimeout(20);
    }
  }
}

/** Sends a command to the wallet's own route. */
function submit(client: Client, command: BatchCommand): Promise<Submitted<Transaction | PromisedTransaction>> {
  const wallet = client.wallet(command.userId);
  switch (command.type) {
    case "deposit":
      return wallet.deposit(ownOf(command));
    case "withdrawal":
      return wallet.withdraw(ownOf(command));
    case "transfer":
      return wallet.transfer(ownOf(command));
    case "hold":
      return wallet.hold(ownOf(command));
    case "exchange":
      return wallet.exchange(ownOf(command));
    case "status_change":
      return wallet.changeStatus(ownOf(command));
    case "capture": {
      const { refersTo, ...own } = ownOf(command);
      return wallet.capture(refersTo, own);
    }
    case "release": {
      const { refersTo, ...own } = ownOf(command);
      return wallet.release(refersTo, own);
    }
    case "reversal": {
      const { refersTo, ...own } = ownOf(command);
      return wallet.reverse(refersTo, own);
    }
  }
}

/** Without what the path of the route says. */
function ownOf<Of extends BatchCommand>({ type: _type, userId: _userId, ...own }: Of) {
  return own;
}

/** Each type as often as its share of all. What can't be sent yet is a deposit instead. */
const SHARES = Object.entries({
  ...{ deposit: 10, withdrawal: 6, transfer: 10, hold: 9, capture: 8 },
  ...{ release: 3, exchange: 2, reversal: 4, status_change: 2 },
} satisfies Record<BatchCommand["type"], number>).flatMap(([type, share]) =>
  new Array<BatchCommand["type"]>(share).fill(type as BatchCommand["type"]),
);

function deposit(userId: string, idempotencyKey: string, amount: string): Command {
  return { actor: "owner", content: { type: "deposit", userId, idempotencyKey, currency: "USD", amount } };
}

/** A command of an operator for one of the users. */
function batched(random: Random, owners: readonly string[], idempotencyKey: string): BatchCommand {
  const userId = random.pick(owners);
  const base = { userId, idempotencyKey, currency: "USD", amount: dollars(BigInt(random.int(1, CENTS_MAX))) };
  const type = random.pick(["deposit", "withdrawal", "transfer"] as const);
  return type === "transfer"
    ? { ...base, type, to: random.pick(owners.filter((name) => name !== userId)) }
    : { ...base, type };
}

function isReversible({ content: { type } }: Command): boolean {
  return type === "deposit" || type === "withdrawal" || type === "exchange";
}

/** A hold that was not stored before a kill can be sent again only after its time. */
function isTooLate({ type }: BatchCommand, error: unknown): boolean {
  return type === "hold" && error instanceof AntlerError && error.code === "expires_at_invalid";
}

function dollars(cents: bigint): string {
  return `${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`;
}
