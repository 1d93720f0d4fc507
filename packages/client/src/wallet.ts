import type {
  CaptureBody,
  Command,
  CommandOptions,
  Details,
  ExchangeBody,
  HoldBody,
  MovementBody,
  ReversalBody,
  StatusChangeBody,
  TransferBody,
} from "./commands.ts";
import { AntlerError } from "./errors.ts";
import { type List, listOf, type Page } from "./list.ts";
import { pathSegment } from "./pathSegment.ts";
import { pause } from "./pause.ts";
import type { Balances, StatementLine, StatementPage } from "./responses.ts";
import type { Signal } from "./runtime.ts";
import type {
  Capture,
  Deposit,
  Exchange,
  Hold,
  PromisedTransaction,
  Release,
  Reversal,
  StatusChange,
  Transaction,
  TransactionStatus,
  TransactionType,
  Transfer,
  Withdrawal,
} from "./transaction.ts";
import { type Answer, check, type Send } from "./transport.ts";

/** A transaction as the answer to a command has it. */
export type Submitted<OneTransaction> = OneTransaction & {
  /** True if an earlier request with the same idempotency key had created the transaction. */
  readonly replayed: boolean;
};

export interface CallOptions {
  readonly signal?: Signal | undefined;
}

export interface BalancesQuery extends CallOptions {
  /** The moment of which the balances are, ISO 8601; by default now. */
  readonly at?: string | undefined;
}

export interface ListQuery extends CallOptions {
  /** Size of a page, 1 to 100; by default 25. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before the first one to read. */
  readonly cursor?: string | undefined;
}

export interface TransactionsQuery extends ListQuery {
  readonly type?: TransactionType | undefined;
  /** Only transactions whose amount or posting is in this currency. */
  readonly currency?: string | undefined;
  readonly status?: Exclude<TransactionStatus, "pending"> | undefined;
  /** Only decisions of this time or later, ISO 8601. */
  readonly from?: string | undefined;
  /** Only decisions before this time, ISO 8601. */
  readonly to?: string | undefined;
}

export interface StatementQuery extends ListQuery {
  readonly currency: string;
  /** Start of the period, included, ISO 8601; by default the first decision of the wallet. */
  readonly from?: string | undefined;
  /** End of the period, excluded, ISO 8601; by default now. */
  readonly to?: string | undefined;
}

export interface SettledOptions extends CallOptions {
  /** By default 60. */
  readonly timeoutSeconds?: number | undefined;
}

/**
 * A user's wallet. A command returns its transaction: pending, or with `wait` the outcome, posted or rejected.
 *
 * All methods throw an {@link AntlerError}.
 */
export interface Wallet {
  readonly userId: string;

  deposit(command: Command<MovementBody>): Promise<Submitted<Deposit>>;
  withdraw(command: Command<MovementBody>): Promise<Submitted<Withdrawal>>;
  /** Sends money to another user. */
  transfer(command: Command<TransferBody>): Promise<Submitted<Transfer>>;
  /** Keeps money back for captures. */
  hold(command: Command<HoldBody>): Promise<Submitted<Hold>>;
  /**
   * Takes money of a hold.
   *
   * @returns the capture; for the user to whom the hold is promised, without the wallet's own data
   */
  capture(holdId: string, command: Command<CaptureBody>): Promise<Submitted<Capture | PromisedTransaction>>;
  /**
   * Makes what remains of a hold available again.
   *
   * @returns the release; for the user to whom the hold is promised, without the wallet's own data
   */
  release(holdId: string, command: Command<Details>): Promise<Submitted<Release | PromisedTransaction>>;
  /** For operators: exchanges an amount of one currency for an amount of another. */
  exchange(command: Command<ExchangeBody>): Promise<Submitted<Exchange>>;
  /** Reverses a transaction. The wallet's own user can refund a credit, an operator can reverse more. */
  reverse(transactionId: string, command: Command<ReversalBody>): Promise<Submitted<Reversal>>;
  /** For operators: freezes, closes or reopens the wallet. */
  changeStatus(command: Command<StatusChangeBody>): Promise<Submitted<StatusChange>>;

  balances(query?: BalancesQuery): Promise<Balances>;
  /** One transaction, pending or decided. The user to whom a hold is promised sees it without the wallet's own data. */
  transaction(id: string, options?: CallOptions): Promise<Transaction | PromisedTransaction>;
  /**
   * Reads a transaction until it is decided and no money of it is in transit.
   *
   * @throws AntlerError `timeout` after `timeoutSeconds`
   * @example
   * ```ts
   * const { id } = await wallet.transfer({ to: "bob", currency: "USD", amount: "5.00", idempotencyKey: "rent-5" });
   * const { status, rejection } = await wallet.settled(id);
   * ```
   */
  settled(id: string, options?: SettledOptions): Promise<Transaction | PromisedTransaction>;
  /** The decided transactions, newest first. With a filter, a page can be short or empty before the last one. */
  transactions(query?: TransactionsQuery): List<Transaction>;
  /** The open holds, newest first. */
  holds(query?: ListQuery): List<Hold>;
  /** The credits and debits of a currency, oldest first. */
  statement(query: StatementQuery): List<StatementLine, StatementPage>;
  /**
   * The statement as a CSV file, in parts of one page each; the first has the header.
   *
   * @example
   * ```ts
   * for await (const part of wallet.statementCsv({ currency: "USD" })) file.write(part);
   * ```
   */
  statementCsv(query: Omit<StatementQuery, "cursor">): AsyncIterable<string>;
}

const POLL_FIRST_MS = 100;
const POLL_GROWTH = 1.5;
const POLL_MAX_MS = 2000;
const WAIT_MAX = 20;

/** @throws AntlerError `invalid_argument` for what can't be the id of a user */
export function walletOf(userId: string, send: Send): Wallet {
  const path = `/v1/users/${pathSegment(userId)}`;

  async function get<Body>(
    resource: string,
    { signal, ...query }: TransactionsQuery & BalancesQuery = {},
  ): Promise<Body> {
    return (await send<Body>({ method: "GET", path: `${path}/${resource}`, query, signal })).body;
  }

  async function submit<Outcome>(resource: string, command: CommandOptions): Promise<Submitted<Outcome>> {
    const { idempotencyKey, wait = 0, signal, ...body } = command;
    // fetch removes spaces around a header, which would make another key of it.
    const isKey = typeof idempotencyKey === "string" && /^(?! )[ -+\x2d-~]{1,255}(?<! )$/.test(idempotencyKey);
    check(isKey, "idempotencyKey must be 1 to 255 printable ASCII characters without a comma or outer spaces");
    check(Number.isInteger(wait) && wait >= 0 && wait <= WAIT_MAX, `wait must be a whole number from 0 to ${WAIT_MAX}`);
    const answer = await send<Outcome & { readonly transaction?: Outcome }>({
      method: "POST",
      path: `${path}/${resource}`,
      body,
      headers: { "idempotency-key": idempotencyKey, ...(wait > 0 && { prefer: `wait=${wait}` }) },
      waitSeconds: wait,
      signal,
    });
    // That of a rejection is a member of the problem details.
    const { transaction = answer.body } = answer.body;
    return { ...transaction, replayed: answer.headers.get("idempotency-replayed") === "true" };
  }

  function list<Item>(resource: string, query: ListQuery = {}): List<Item> {
    return listOf<Item, Page<Item>>(
      (previous) => get(resource, { ...query, cursor: previous?.nextCursor ?? query.cursor }),
      ({ data }) => data,
    );
  }

  const transaction: Wallet["transaction"] = async (id, options) => get(`transactions/${pathSegment(id)}`, options);

  return {
    userId,
    deposit: (command) => submit("deposits", command),
    withdraw: (command) => submit("withdrawals", command),
    transfer: (command) => submit("transfers", command),
    hold: (command) => submit("holds", command),
    capture: async (holdId, command) => submit(`holds/${pathSegment(holdId)}/captures`, command),
    release: async (holdId, command) => submit(`holds/${pathSegment(holdId)}/releases`, command),
    exchange: (command) => submit("exchanges", command),
    reverse: async (id, command) => submit(`transactions/${pathSegment(id)}/reversals`, command),
    changeStatus: (command) => submit("status-changes", command),

    balances: (query) => get("balances", query),
    transaction,
    async settled(id, { signal, timeoutSeconds = 60 } = {}) {
      const endMs = Date.now() + timeoutSeconds * 1000;
      for (let pauseMs = POLL_FIRST_MS; ; pauseMs = Math.min(pauseMs * POLL_GROWTH, POLL_MAX_MS)) {
        const current = await transaction(id, { signal });
        const isInTransit = "transfer" in current && current.transfer?.status === "in_transit";
        if (current.status !== "pending" && !isInTransit) return current;
        if (Date.now() + pauseMs > endMs) {
          throw new AntlerError("timeout", `Transaction ${id} was not settled within ${timeoutSeconds} s`);
        }
        await pause(pauseMs, signal);
      }
    },
    transactions: (query) => list("transactions", query),
    holds: (query) => list("holds", query),
    statement: (query) =>
      listOf<StatementLine, StatementPage>(
        // The later pages end where the first one does, also if that was the time of its request.
        (previous) =>
          get("statements", { ...query, to: previous?.to ?? query.to, cursor: previous?.nextCursor ?? query.cursor }),
        ({ lines }) => lines,
      ),
    async *statementCsv({ signal, ...first }) {
      const call = { method: "GET", path: `${path}/statements`, headers: { accept: "text/csv" }, signal } as const;
      let query: object | undefined = first;
      while (query) {
        const { body, headers }: Answer<string> = await send({ ...call, query });
        yield query === first ? body : body.slice(body.indexOf("\n") + 1);
        const next: string | undefined = /^<\?([^>]*)>; rel="next"$/.exec(headers.get("link") ?? "")?.[1];
        query = next === undefined ? undefined : Object.fromEntries(new URLSearchParams(next));
      }
    },
  };
}
