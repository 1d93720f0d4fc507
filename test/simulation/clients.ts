import type { APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import type { HttpEvent } from "../../lib/http/route.ts";
import { httpEvent } from "../../testkit/events.ts";
import type { Item } from "./dynamo/model.ts";
import { forge, poison } from "./forgeries.ts";
import { makeToken, signingKeys, type TokenOptions } from "./identity.ts";
import { idOf, referenceOf } from "./ids.ts";
import type { Invoked } from "./invocation.ts";
import { ROUTES, type Route } from "./ledger.ts";
import {
  balanceIn,
  type CommandRecord,
  type Decided,
  idsIn,
  type Posting,
  referredId,
  START_MS,
  sameContent,
  timeAt,
} from "./oracle.ts";
import {
  type Batch,
  COMMANDS_URL,
  CURRENCIES,
  DEAD_LETTERS_URL,
  type Movement,
  type Operation,
  type Redrive,
} from "./plan.ts";
import { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";

type Answer = Invoked<APIGatewayProxyStructuredResultV2>;

interface Call {
  readonly route: Route;
  readonly userId: string;
  readonly token?: Partial<TokenOptions> | "none";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly query?: Readonly<Record<string, string>>;
  readonly id?: string | undefined;
  /** Id of the transaction that the call stores. */
  readonly storedId?: string;
}

/** The state when a request is sent. */
interface Before {
  readonly sentAtMs: number;
  /** The stored transaction that the path named when the request was sent. */
  readonly referredBefore: Item | undefined;
  /** True if the transaction of a movement was stored then. */
  readonly storedBefore: boolean;
  /** How many decisions the receiver's wallet had then. */
  readonly receiverSequenceBefore: number;
}

/** A response that the client received, with its parsed body. */
interface ApiResponse extends Before {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Body;
  /** A fault was injected into its invocation: a 503 is allowed. */
  readonly faulted: boolean;
}

type Query = Readonly<Record<string, string>>;

interface Body {
  readonly [name: string]: unknown;
}

const TRIES_MAX = 4;
/** A reader of the past waits at least this long for the index. */
const READER_WAITS_MS = 700;
const REDRIVE_HIDES_MS = 301_000;
/** After this time API Gateway stops waiting for a function. */
const GATEWAY_TIMEOUT_MS = 30_000;
/** How old the currencies in a function can be, plus latency. */
const CURRENCIES_AGE_MS = 40_000;
const REJECTIONS = new Set([
  "wallet_closed",
  "wallet_frozen",
  "hold_closed",
  "hold_expired",
  "capture_exceeds_hold",
  "not_reversible",
  "reversal_exceeds_original",
  "wallet_not_empty",
  "insufficient_funds",
  "currency_limit",
  "balance_limit",
]);
/** A clock can be this far behind a command and the wallet. */
const CLOCK_BEHIND_MS = 5000;
/** At the end the sweep runs this often: its longest pause and SQS's deduplication interval are 5 minutes. */
const SWEEP_EVERY_MS = 61_000;
const SWEEPS_MAX = 20;

/** The clients of a plan: they call the API, retry as clients do, and check every response. */
export class Clients {
  readonly #simulation: Simulation;
  readonly #switches = new Map<string, { readonly atMs: number; readonly enabled: boolean }[]>();
  /** Answers about past moments that must stay the same. */
  readonly #finalAnswers: { readonly userId: string; readonly query: Query; readonly body: string }[] = [];
  /** Of every page of a history. */
  readonly #cursors: string[] = [];
  #sweeps = 0;
  #finished = 0;
  #started = 0;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** Each phase starts once nothing of the previous one is left to happen. */
  *phases(): Generator<() => void> {
    const { plan, faults, oracle } = this.#simulation;
    yield () => {
      for (const operation of plan.operations) this.#start(() => this.#perform(operation));
    };
    yield () => {
      faults.stop();
      const isAcked = (movement: Movement) => oracle.asks(movement).ackedAtMs !== undefined;
      const batches = plan.operations.filter((operation) => operation.kind === "batch");
      for (const { id, commands } of batches) {
        if (!commands.every(isAcked)) this.#start(() => this.#tryBatch(commands, `${id}.last`));
      }
      const inBatches = new Set(batches.flatMap(({ commands }) => commands));
      for (const { contents, ackedAtMs } of oracle.commands()) {
        const [movement] = contents;
        if (ackedAtMs === undefined && movement && !inBatches.has(movement))
          this.#start(() => this.#try(movement, `${movement.id}.last`));
      }
    };
    yield () => this.#start(() => this.#sweepAtEnd());
    const { redriveAtEnd } = plan.settings;
    if (redriveAtEnd !== "none") {
      yield () => this.#start(() => this.#redriveAtEnd(redriveAtEnd, "end"));
      // The queue may dead-letter a message during the first redrive.
      yield () => this.#start(() => this.#redriveAtEnd(redriveAtEnd, "end again"));
      // What was redriven can have emitted credits.
      yield () => this.#start(() => this.#sweepAtEnd());
    }
    yield () => {
      this.#checkEnds();
      const readers = plan.settings.readAllAtEnd ? plan.users : [];
      for (const userId of readers) this.#start(() => this.#readAll(userId));
    };
    yield () => {
      if (this.#finished < this.#started) oracle.fail("comes to an end", "A client still waits for a response");
    };
  }

  #start(process: () => Promise<void>): void {
    this.#started++;
    void process().then(
      () => {
        this.#finished++;
      },
      (error) => {
        this.#finished++;
        this.#simulation.oracle.fail(
          "answers as documented",
          error instanceof Error ? String(error.stack) : String(error),
        );
      },
    );
  }

  async #perform(operation: Operation): Promise<void> {
    await this.#simulation.scheduler.sleep(operation.atMs);
    switch (operation.kind) {
      case "movement":
        return this.#move(operation);
      case "batch":
        return this.#sendBatch(operation);
      case "read":
        if (operation.what === "balances") return this.#readBalances(operation.userId, operation.id);
        if (operation.what === "past") return this.#readPast(operation.userId, operation.id);
        if (operation.what === "history") return this.#readHistory(operation.userId, operation.id);
        if (operation.what === "statement") return this.#readStatement(operation.userId, operation.id);
        if (operation.what === "holds") return this.#readHolds(operation.userId, operation.id);
        return this.#readCurrencies(operation.id);
      case "intrusion":
        return this.#intrude(operation);
      case "badToken":
        return this.#useBadToken(operation);
      case "invalid":
        return this.#sendInvalid(operation);
      case "poison":
        return poison(this.#simulation, operation);
      case "switch":
        return this.#switch(operation);
      case "redrive":
        return this.#redrive(operation.how, operation.id);
      case "sweep":
        return this.#simulation.sweep(operation.id);
    }
  }

  async #redrive(how: Redrive, label: string): Promise<void> {
    if (how === "tool") return this.#simulation.redrive(`redrive ${label}`);
    this.#simulation.sqs.redrive(DEAD_LETTERS_URL, COMMANDS_URL);
  }

  async #redriveAtEnd(how: Redrive, label: string): Promise<void> {
    // Messages that a killed redrive had received are hidden for a while.
    await this.#simulation.scheduler.sleep(REDRIVE_HIDES_MS);
    await this.#redrive(how, label);
  }

  /** Sweeps until nothing is left that the sweep can finish. */
  async #sweepAtEnd(): Promise<void> {
    const { oracle, scheduler } = this.#simulation;
    for (let sweep = 1; sweep <= SWEEPS_MAX; sweep++) {
      if (oracle.unfinished(scheduler.nowMs).length === 0) return;
      await scheduler.sleep(SWEEP_EVERY_MS);
      await this.#simulation.sweep(`sweep ${++this.#sweeps}`);
      await scheduler.sleep(SWEEP_EVERY_MS);
    }
  }

  async #move(movement: Movement): Promise<void> {
    forge(this.#simulation, movement, "beforeStored");
    const tries: Promise<void>[] = [this.#try(movement, `${movement.id}.0`)];
    for (const [index, afterMs] of movement.retriesAfterMs.entries()) {
      tries.push(
        this.#simulation.scheduler.sleep(afterMs).then(() => this.#try(movement, `${movement.id}.${index + 1}`)),
      );
    }
    await Promise.all(tries);
  }

  /** Sends a request, and repeats it a few times if there is no response or a 503. */
  async #try(movement: Movement, label: string): Promise<void> {
    const random = new Random(this.#simulation.plan.seed, `client ${label}`);
    for (let attempt = 1; attempt <= TRIES_MAX; attempt++) {
      const response = await this.#post(movement, `${label}.${attempt}`, random);
      if (response && response.status !== 503) return;
      await this.#simulation.scheduler.sleep(1000 * 2 ** attempt * random.next());
    }
  }

  async #post(movement: Movement, label: string, random: Random): Promise<ApiResponse | undefined> {
    const { userId, type, key, waitSeconds, asAdmin, callerId } = movement;
    const record = this.#simulation.oracle.asks(movement);
    const ackedBefore = record.ackedAtMs !== undefined;
    const response = await this.#call(label, {
      route: type,
      userId,
      ...(asAdmin && { token: { subject: "operator", scope: "openid wallets:admin" } }),
      ...(callerId !== undefined && { token: { subject: callerId } }),
      ...(movement.refersTo && { id: referredId(movement) }),
      storedId: idOf(movement),
      headers: { "idempotency-key": key, ...(waitSeconds > 0 && { prefer: `wait=${waitSeconds}` }) },
      body: { ...bodyOf(movement, random), reference: referenceOf(movement) },
    });
    if (response && !this.#isExcused(response, label))
      this.#checkMovement(movement, record, ackedBefore, response, label);
    if (response && record.id !== undefined && response.status < 300)
      await this.#readAfter(movement, record.id, label, random);
    return response;
  }

  /** Reads after a response, in some cases soon after decisions, while the index lags. */
  async #readAfter(movement: Movement, id: string, label: string, random: Random): Promise<void> {
    const { userId } = movement;
    if (random.chance(0.4)) await this.#readBack(movement, id, label);
    if (this.#simulation.plan.faults.lagMs === 0) return;
    if (random.chance(0.15)) await this.#readHistory(userId, `${label}.history`);
    if (random.chance(0.15)) await this.#readStatement(userId, `${label}.statement`);
  }

  async #sendBatch({ id, commands, retriesAfterMs }: Batch): Promise<void> {
    for (const movement of commands) forge(this.#simulation, movement, "beforeStored");
    const tries = [0, ...retriesAfterMs].map((afterMs, index) =>
      this.#simulation.scheduler.sleep(afterMs).then(() => this.#tryBatch(commands, `${id}.${index}`)),
    );
    await Promise.all(tries);
  }

  /** Sends a batch, and repeats it a few times if there is no response or a 503 in it. */
  async #tryBatch(commands: readonly Movement[], label: string): Promise<void> {
    const random = new Random(this.#simulation.plan.seed, `client ${label}`);
    for (let attempt = 1; attempt <= TRIES_MAX; attempt++) {
      const responses = await this.#postBatch(commands, `${label}.${attempt}`, random);
      if (responses?.every(({ status }) => status !== 503)) return;
      await this.#simulation.scheduler.sleep(1000 * 2 ** attempt * random.next());
    }
  }

  /** @returns the response to each command, if the client received one */
  async #postBatch(
    commands: readonly Movement[],
    label: string,
    random: Random,
  ): Promise<readonly Pick<ApiResponse, "status">[] | undefined> {
    const { oracle } = this.#simulation;
    oracle.asksBatch(commands);
    const asked = commands.map((movement) => {
      const record = oracle.asks(movement);
      const { userId, to } = movement;
      const [id, storedId] = [movement.refersTo && referredId(movement), idOf(movement)];
      return {
        movement,
        record,
        ackedBefore: record.ackedAtMs !== undefined,
        before: this.#before({ userId, id, storedId, to }),
      };
    });
    const response = await this.#call(label, {
      route: "batch",
      userId: "",
      token: { subject: "operator", scope: "openid wallets:admin" },
      body: { commands: commands.map((movement) => batchedBodyOf(movement, random)) },
    });
    if (!response || this.#isExcused(response, label)) return response && [response];
    const { results } = response.body;
    if (response.status !== 200 || !Array.isArray(results) || results.length !== commands.length) {
      this.#unexpected(label, response);
      return undefined;
    }
    const responses = asked.map(({ before }, index) => toResult(results[index], { ...response, ...before }));
    for (const [index, each] of responses.entries()) {
      const { movement, record, ackedBefore } = asked[index] ?? {};
      const name = `${label}[${index}]`;
      if (!movement || !record || ackedBefore === undefined || this.#isExcused(each, name)) continue;
      this.#checkMovement(movement, record, ackedBefore, each, name);
      if (each.status < 300 && random.chance(0.1)) await this.#readBack(movement, String(each.body.id), name);
    }
    return responses;
  }

  #checkMovement(
    movement: Movement,
    record: CommandRecord,
    ackedBefore: boolean,
    response: ApiResponse,
    label: string,
  ): void {
    const { oracle } = this.#simulation;
    const { userId, currency, waitSeconds, bought } = movement;
    const code = String(response.body.code ?? "");
    const stored = this.#storedContent(record, movement);
    if (response.status === 403 || response.status === 404) {
      if (ackedBefore || !this.#mayBeRefused(movement, response)) this.#unexpected(label, response);
      return;
    }
    if (response.status === 422 && NEW_ONLY.has(code)) {
      if (ackedBefore || !this.#isRefusable(movement, code, response)) this.#unexpected(label, response);
      return;
    }
    if (response.status === 422 && code === "unknown_currency") {
      const wasDisabled = [currency, bought?.currency].some(
        (each) => each && this.#wasDisabled(each, response.sentAtMs),
      );
      if (ackedBefore || !wasDisabled) this.#unexpected(label, response);
      return;
    }
    if (response.status === 422 && code === "idempotency_key_reused") {
      if (!stored || sameContent(stored, movement)) {
        oracle.fail("same key, same answer", `${label}: the key has the same content, and is rejected`);
      }
      return;
    }
    const view = response.status === 422 && REJECTIONS.has(code) ? response.body.transaction : response.body;
    if (!isBody(view) || ![201, 202, 422].includes(response.status)) {
      this.#unexpected(label, response);
      return;
    }
    const isInTransit = isBody(view.transfer) && view.transfer.status === "in_transit";
    const decidedStatus = isInTransit ? 202 : { posted: 201, rejected: 422, pending: 202 }[String(view.status)];
    const expected = waitSeconds > 0 ? decidedStatus : 202;
    // A failed read of the credit ends the wait with a transfer whose status is unknown.
    const isUnknown = response.status === 202 && isBody(view.transfer) && response.faulted;
    if ((response.status !== expected && !isUnknown) || (response.status === 422) !== (code !== ""))
      this.#unexpected(label, response);
    if (stored && !sameContent(stored, movement)) {
      oracle.fail("same key, same answer", `${label}: the key has other content, and the status is ${response.status}`);
    }
    const id = String(view.id);
    if (response.headers.location !== `/v1/users/${encodeURIComponent(userId)}/transactions/${id}`) {
      oracle.fail("answers as documented", `${label}: the location is ${response.headers.location}`);
    }
    if (ackedBefore && response.headers["idempotency-replayed"] !== "true") {
      oracle.fail("same key, same answer", `${label}: a replay does not say that it is one`);
    }
    if (!ackedBefore) this.#checkAccepted(movement, response, label);
    if (record.ackedAtMs === undefined) forge(this.#simulation, movement, "afterAccepted");
    oracle.acked(record, id);
    this.#checkView(userId, view, movement, label);
    this.#checkSent(userId, id, label);
  }

  /** An accepted command is decided, or one of the queues has its message. */
  #checkSent(userId: string, id: string, label: string): void {
    const { oracle, sqs } = this.#simulation;
    if (oracle.statusOf(userId, id) !== "pending") return;
    const queued = [COMMANDS_URL, DEAD_LETTERS_URL].some((url) =>
      sqs.messages(url).some(({ body }) => idsIn(body).includes(id)),
    );
    if (!queued) oracle.fail("never lost", `${label}: ${id} is accepted and pending, and no queue has it`);
  }

  /** True if the caller may not ask for the movement, or if what it refers to was not stored when the request was sent. */
  #mayBeRefused(movement: Movement, { status, referredBefore }: ApiResponse): boolean {
    const { type, userId, callerId, asAdmin, refersTo } = movement;
    if (!refersTo) return false;
    if (status === 404) return callerId === undefined && !referredBefore;
    if (asAdmin) return false;
    if (callerId !== undefined) return referredBefore?.to?.S !== callerId;
    const referred = this.#simulation.oracle.item(userId, referredId(movement));
    return type === "reversal" ? referred?.type?.S !== "credit" : referred?.to !== undefined;
  }

  /** Checks that a command that was accepted for the first time could be. */
  #checkAccepted(movement: Movement, { storedBefore, receiverSequenceBefore }: ApiResponse, label: string): void {
    const { type, userId, callerId, asAdmin, refersTo, to } = movement;
    const { oracle } = this.#simulation;
    if (storedBefore) return;
    const referred = oracle.item(userId, referredId(movement));
    const isAllowed =
      callerId !== undefined
        ? referred?.to?.S === callerId
        : type === "reversal"
          ? referred?.type?.S === "credit"
          : referred?.to === undefined;
    if (refersTo && !asAdmin && !isAllowed) oracle.fail("private", `${label}: ${userId} may not ask for this ${type}`);
    if (to === undefined) return;
    const states = oracle.history(to).slice(Math.max(0, receiverSequenceBefore - 1));
    const wasOpen = states.some(({ walletStatus }) => walletStatus !== "closed");
    if (!wasOpen) oracle.fail("answers as documented", `${label}: ${to} had no open wallet`);
  }

  /** True if a command that was not accepted before can be refused for this reason. */
  #isRefusable({ to, expiresAtMs, userId }: Movement, code: string, response: ApiResponse): boolean {
    const { oracle, scheduler, plan } = this.#simulation;
    if (code === "expires_at_invalid")
      return (expiresAtMs ?? Number.POSITIVE_INFINITY) <= scheduler.nowMs + plan.faults.skewMs;
    if (code === "same_wallet") return to === userId;
    // Some decision from before the request until now left the receiver without an open wallet.
    const history = oracle.history(to ?? "");
    const known = history.slice(Math.max(0, response.receiverSequenceBefore - 1));
    return response.receiverSequenceBefore === 0 || known.some(({ walletStatus }) => walletStatus === "closed");
  }

  async #readBack(movement: Movement, id: string, label: string): Promise<void> {
    const { oracle } = this.#simulation;
    const { userId } = movement;
    const statusBefore = oracle.appliedHistory(userId).find((decided) => decided.id === id)?.status;
    const { callerId } = movement;
    const token = callerId === undefined ? {} : { token: { subject: callerId } };
    const response = await this.#call(`${label}.get`, { route: "transaction", userId, id, ...token });
    if (!response || this.#isExcused(response, label)) return;
    if (response.status === 404) {
      oracle.fail("read after 202", `${label}: ${id} is accepted, and reading it answers 404`);
      return;
    }
    if (response.status !== 200) return this.#unexpected(label, response);
    this.#checkView(userId, response.body, movement, label);
    if (statusBefore !== undefined && response.body.status === "pending") {
      oracle.fail("strongly consistent", `${label}: ${id} was ${statusBefore} and is read as pending`);
    }
  }

  async #readBalances(userId: string, label: string): Promise<void> {
    const { oracle } = this.#simulation;
    const sequenceBefore = oracle.appliedHistory(userId).length;
    const response = await this.#call(label, { route: "balances", userId });
    if (!response || this.#isExcused(response, label)) return;
    if (response.status !== 200 || response.body.userId !== userId) return this.#unexpected(label, response);
    const { sequence } = response.body;
    const version = oracle.walletVersions(userId).some((candidate) => candidate.sequence === sequence);
    if (Number(sequence) < sequenceBefore || (!version && sequence !== 0)) {
      oracle.fail("strongly consistent", `${label}: the balances are of ${sequence}, and ${sequenceBefore} was before`);
    }
    this.#checkBalances(userId, response.body, "strongly consistent", label);
  }

  /** Compares balances in a response with the state of the wallet at their sequence. */
  #checkBalances(userId: string, body: Body, invariant: "strongly consistent" | "reproducible", label: string): void {
    const { sequence, hash, balances } = body;
    const { oracle } = this.#simulation;
    const decided = oracle.history(userId).find((candidate) => candidate.sequence === sequence);
    if (hash !== (decided?.hash ?? null)) oracle.fail(invariant, `${label}: the hash is not that of ${sequence}`);
    const listed = new Map(
      (Array.isArray(balances) ? balances : []).map((each: Body) => [String(each.currency), each]),
    );
    if (body.status !== (decided?.walletStatus ?? "active")) oracle.fail(invariant, `${label}: it is ${body.status}`);
    for (const { code, exponent, enabled } of CURRENCIES) {
      const amount = decimalOf(decided ? balanceIn(decided, code) : 0n, exponent);
      const available = decimalOf(decided?.available.get(code) ?? 0n, exponent);
      const held = decimalOf(decided?.held.get(code) ?? 0n, exponent);
      const shown = listed.get(code);
      const isRight = shown && shown.amount === amount && shown.available === available && shown.held === held;
      if (shown ? !isRight : enabled && !this.#switches.has(code)) {
        oracle.fail(invariant, `${label}: ${code} is ${JSON.stringify(shown)} in ${sequence}, not ${amount}`);
      }
    }
  }

  /** Reads balances as of moments around the user's decisions and around now. */
  async #readPast(userId: string, label: string): Promise<void> {
    const { oracle, plan, scheduler } = this.#simulation;
    const random = new Random(plan.seed, `past ${label}`);
    for (let read = 1; read <= 3; read++) {
      const history = oracle.history(userId);
      const nowMs = START_MS + Math.floor(scheduler.nowMs);
      const decidedMs = history.length > 0 ? Date.parse(random.pick(history).decidedAt) : nowMs;
      const atMs = random.chance(0.7)
        ? decidedMs + random.pick([-1, 0, 1])
        : nowMs - random.pick([0, 500, 1500, 3000, 29_000, 31_000]);
      const at = new Date(atMs).toISOString();
      const known = oracle.appliedHistory(userId).filter(({ decidedAt }) => decidedAt <= at).length;
      const response = await this.#call(`${label}.${read}`, { route: "balances", userId, query: { at } });
      if (!response || this.#isExcused(response, label, true)) continue;
      if (response.status === 422 && this.#isInFuture(at)) continue;
      const { sequence, provisional } = response.body;
      if (response.status !== 200) return this.#unexpected(label, response);
      if (provisional === undefined) this.#checkFinal(userId, { at }, response.body, label);
      if (Number(sequence) < known || Number(sequence) > (oracle.asOf(userId, at)?.sequence ?? 0)) {
        oracle.fail("reproducible", `${label}: the balances at ${at} are of ${sequence}, and ${known} was before`);
      }
      this.#checkBalances(userId, response.body, "reproducible", label);
    }
  }

  /** True for a time that a function's clock may not have reached. */
  #isInFuture(time: string): boolean {
    const { scheduler, plan } = this.#simulation;
    return Date.parse(time) > START_MS + scheduler.nowMs - plan.faults.skewMs - GATEWAY_TIMEOUT_MS;
  }

  /** A final answer is given at any time again: at once, and by the checks at the end of the run. */
  #checkFinal(userId: string, query: Query, body: Body, label: string): void {
    const { oracle } = this.#simulation;
    const text = JSON.stringify(body);
    for (const earlier of this.#finalAnswers) {
      const isSame = earlier.userId === userId && JSON.stringify(earlier.query) === JSON.stringify(query);
      // An enabled currency is listed with a balance of zero.
      if (isSame && earlier.body !== text && this.#switches.size === 0) {
        oracle.fail("reproducible", `${label}: the answer was ${earlier.body} and is ${text}`);
      }
    }
    this.#finalAnswers.push({ userId, query, body: text });
  }

  /** Reads a statement page by page. */
  async #readStatement(userId: string, label: string): Promise<void> {
    const { oracle, plan, scheduler } = this.#simulation;
    const random = new Random(plan.seed, `statement ${label}`);
    const moved = oracle.history(userId).filter(({ postings }) => postings.length > 0);
    const currency = moved.length > 0 ? (random.pick(moved).postings[0]?.currency ?? "USD") : "USD";
    const isLine = (posting: Posting) => posting.currency === currency && posting.amountMinor !== 0n;
    const times = moved.map(({ decidedAt }) => decidedAt);
    const nowMs = START_MS + Math.floor(scheduler.nowMs);
    const past = new Date(nowMs - random.pick([0, 31_000])).toISOString();
    const [from, to] = [random.pick([past, ...times]), random.pick([past, ...times])].toSorted();
    const period = { ...(random.chance(0.6) && { from }), to: to ?? past };
    const idsInPeriod = (history: readonly Decided[]) =>
      history
        .filter(({ postings }) => postings.some(isLine))
        .filter(({ decidedAt }) => decidedAt >= (period.from ?? "") && decidedAt < period.to)
        .map(({ id }) => id);
    const known = idsInPeriod(oracle.appliedHistory(userId));
    const limit = String(random.int(1, 5));
    const lines: Body[] = [];
    let isFinal = true;
    let first: Body | undefined;
    let last: Body | undefined;
    for (let cursor: string | undefined, page = 1; page === 1 || cursor !== undefined; page++) {
      const query = { currency, ...period, limit, ...(cursor !== undefined && { cursor }) };
      const response = await this.#call(`${label}.${page}`, { route: "statements", userId, query });
      if (!response || this.#isExcused(response, label, true)) return;
      if (response.status === 422 && this.#isInFuture(period.to)) return;
      if (response.status !== 200) return this.#unexpected(label, response);
      const { body } = response;
      if (!addsUp(body) || (last && last.closing !== body.opening)) {
        oracle.fail("statement adds up", `${label}: ${JSON.stringify(body)} after ${JSON.stringify(last)}`);
      }
      isFinal &&= body.provisional === undefined;
      first ??= body;
      last = body;
      lines.push(...(body.lines as Body[]));
      cursor = body.nextCursor === null ? undefined : String(body.nextCursor);
    }
    const ids = lines.map(({ id }) => String(id));
    const wanted = isFinal ? idsInPeriod(oracle.history(userId)) : known;
    const isRight = isFinal ? ids.join() === wanted.join() : wanted.every((id) => ids.includes(id));
    if (!isRight) oracle.fail("reproducible", `${label}: the statement has ${ids.length} lines of ${wanted.length}`);
    if (!isFinal) return;
    const before = oracle
      .history(userId)
      .findLast(({ decidedAt }) => period.from !== undefined && decidedAt < period.from);
    const opening = decimalOf(before ? balanceIn(before, currency) : 0n, exponentOf(currency));
    if (first?.opening !== opening)
      oracle.fail("statement adds up", `${label}: it opens with ${first?.opening}, not ${opening}`);
  }

  /** Reads the history page by page and checks every transaction in it. */
  async #readHistory(userId: string, label: string, complete = false): Promise<void> {
    const { oracle, plan } = this.#simulation;
    const random = new Random(plan.seed, `history ${label}`);
    const currency = random.chance(0.3) ? random.pick(["USD", "JPY", "ETH"]) : undefined;
    const status = random.chance(0.3) ? random.pick(["posted", "rejected"]) : undefined;
    const type = random.chance(0.2) ? random.pick(["deposit", "withdrawal", "transfer", "credit"]) : undefined;
    const times = oracle.history(userId).map(({ decidedAt }) => decidedAt);
    const isPeriod = times.length > 0 && random.chance(0.3);
    const [from, to] = isPeriod ? [random.pick(times), random.pick(times)].toSorted() : [];
    const passes = (decided: Decided) =>
      (!currency || hasCurrency(decided, currency)) &&
      (!status || decided.status === status) &&
      (!type || decided.type === type) &&
      (!from || decided.decidedAt >= from) &&
      (!to || decided.decidedAt < to);
    const usesOtherCursor = !complete && random.chance(isPeriod ? 0.7 : 0.3);
    let cursor = usesOtherCursor && this.#cursors.length > 0 ? random.pick(this.#cursors) : undefined;
    const limit = random.int(1, complete ? 20 : 7);
    const seen: string[] = [];
    for (let page = 1; page <= 200; page++) {
      const response = await this.#call(`${label}.${page}`, {
        route: "transactions",
        userId,
        query: {
          limit: String(limit),
          ...(cursor !== undefined && { cursor }),
          ...(currency && { currency }),
          ...(status && { status }),
          ...(type && { type }),
          ...(from && { from }),
          ...(to && { to }),
        },
      });
      if (!response || this.#isExcused(response, label)) return;
      const { data, nextCursor } = response.body;
      if (response.status !== 200 || !Array.isArray(data)) return this.#unexpected(label, response);
      if (data.length > limit) oracle.fail("answers as documented", `${label}: ${data.length} of at most ${limit}`);
      for (const view of data as Body[]) {
        this.#checkView(userId, view, undefined, label);
        const decided = oracle.history(userId).find(({ id }) => id === view.id);
        if (decided && !passes(decided)) {
          oracle.fail("history complete", `${label}: ${view.id} does not pass the filter`);
        }
        seen.push(String(view.id));
      }
      if (nextCursor === null) break;
      cursor = String(nextCursor);
      this.#cursors.push(cursor);
    }
    if (new Set(seen).size < seen.length) oracle.fail("history complete", `${label}: a transaction is shown twice`);
    const order = seen.map((id) => oracle.history(userId).find((decided) => decided.id === id)?.sequence ?? 0);
    if (order.some((sequence, index) => index > 0 && sequence >= (order[index - 1] ?? 0))) {
      oracle.fail("history complete", `${label}: the order is ${order.join(", ")}`);
    }
    if (!complete) return;
    const wanted = oracle.history(userId).filter(passes);
    if (wanted.length !== seen.length) {
      oracle.fail("history complete", `${label}: ${seen.length} are shown of ${wanted.length}`);
    }
  }

  /** Lists the open holds: those that were open for longer than the index can lag are all in it. */
  async #readHolds(userId: string, label: string, complete = false): Promise<void> {
    const { oracle, plan } = this.#simulation;
    const seen: string[] = [];
    let cursor: string | undefined;
    for (let page = 1; page === 1 || cursor !== undefined; page++) {
      const query = { limit: "2", ...(cursor !== undefined && { cursor }) };
      const response = await this.#call(`${label}.${page}`, { route: "holds", userId, query });
      if (!response || this.#isExcused(response, label)) return;
      const { data, nextCursor } = response.body;
      if (response.status !== 200 || !Array.isArray(data)) return this.#unexpected(label, response);
      for (const view of data as Body[]) {
        if (plan.faults.lagMs === 0) this.#checkView(userId, view, undefined, label);
        seen.push(String(view.id));
      }
      cursor = nextCursor === null ? undefined : String(nextCursor);
    }
    if (new Set(seen).size < seen.length) oracle.fail("history complete", `${label}: a hold is shown twice`);
    if (!complete) return;
    const open = oracle.history(userId).filter(({ id }) => oracle.remainderOf(userId, id)?.hold === "open");
    const wanted = open.map(({ id }) => id).toReversed();
    if (wanted.join() !== seen.join())
      oracle.fail("history complete", `${label}: ${seen.length} holds of ${wanted.length}`);
  }

  async #readCurrencies(label: string): Promise<void> {
    const response = await this.#call(label, { route: "currencies", userId: "", token: "none" });
    if (!response || this.#isExcused(response, label)) return;
    if (response.status !== 200 || !Array.isArray(response.body.data)) this.#unexpected(label, response);
  }

  async #intrude({ id: label, userId, callerId, route }: Extract<Operation, { kind: "intrusion" }>): Promise<void> {
    const { oracle } = this.#simulation;
    const isOthers = (id: string) => oracle.item(userId, id)?.to?.S !== callerId;
    const victims = oracle.commands().find((each) => each.userId === userId && each.id && isOthers(each.id))?.id;
    const id = victims ?? `tx_${"x".repeat(43)}`;
    const response = await this.#call(label, {
      route,
      userId,
      id,
      token: { subject: callerId, scope: "openid wallets:read wallets" },
      headers: { "idempotency-key": label },
      body: route === "batch" ? INTRUSION_BODIES.batch : { ...INTRUSION_BODIES[route], reference: label },
    });
    if (response && !this.#isExcused(response, label) && response.status !== 403) {
      oracle.fail("private", `${callerId} asks for ${route} of ${userId} and is answered ${response.status}`);
    }
    if (route !== "transaction" || oracle.commands().some((own) => own.userId === callerId && own.id === id)) return;
    const own = await this.#call(`${label}.own`, { route, userId: callerId, id });
    if (own && !this.#isExcused(own, label) && own.status !== 404) {
      oracle.fail("private", `${callerId} reads ${id} of ${userId} among its own: ${own.status}`);
    }
  }

  async #useBadToken({ id: label, userId, flaw }: Extract<Operation, { kind: "badToken" }>): Promise<void> {
    const nowMs = START_MS + this.#simulation.scheduler.nowMs;
    if (flaw === "retired" && !this.#simulation.firstKeyIsForgotten()) return;
    const token = {
      missing: "none" as const,
      expired: { issuedAtMs: nowMs - 700_000 },
      forged: { key: signingKeys.stranger },
      audience: { audience: "others" },
      issuer: { issuer: "https://evil.example" },
      unsigned: { unsigned: true },
      retired: { key: signingKeys.first },
    }[flaw];
    const response = await this.#call(label, { route: "balances", userId, token });
    if (!response || this.#isExcused(response, label)) return;
    if (response.status !== 401 || response.headers["www-authenticate"] === undefined) {
      this.#simulation.oracle.fail("private", `a token that is ${flaw} is answered ${response.status}`);
    }
  }

  async #sendInvalid({ id: label, userId, body, code }: Extract<Operation, { kind: "invalid" }>): Promise<void> {
    const headers = { "idempotency-key": label };
    const response = await this.#call(label, { route: "deposit", userId, headers, body });
    if (!response || this.#isExcused(response, label)) return;
    if (response.status !== 422 || response.body.code !== code) this.#unexpected(`${label} (${code})`, response);
  }

  #switch({ currency, enabled }: Extract<Operation, { kind: "switch" }>): void {
    const { dynamo, scheduler } = this.#simulation;
    const row = CURRENCIES.find(({ code }) => code === currency);
    if (!row) return;
    const Item = {
      code: { S: row.code },
      name: { S: row.name },
      exponent: { N: String(row.exponent) },
      enabled: { BOOL: enabled },
    };
    dynamo.put({ TableName: "currencies", Item });
    this.#switches.set(currency, [...(this.#switches.get(currency) ?? []), { atMs: scheduler.nowMs, enabled }]);
  }

  #wasDisabled(currency: string, sentAtMs: number): boolean {
    const row = CURRENCIES.find(({ code }) => code === currency);
    const switches = this.#switches.get(currency) ?? [];
    // Shortly after a switch both responses are correct.
    if (switches.some(({ atMs }) => atMs > sentAtMs - CURRENCIES_AGE_MS)) return true;
    return !(switches.at(-1)?.enabled ?? row?.enabled);
  }

  /** Checks what must hold at the end of a run. */
  #checkEnds(): void {
    const { oracle, sqs, plan } = this.#simulation;
    if (sqs.messages(COMMANDS_URL).length > 0) {
      oracle.fail("comes to an end", `${sqs.messages(COMMANDS_URL).length} messages are left in the queue`);
    }
    const deadLetters = sqs.messages(DEAD_LETTERS_URL);
    const deadIds = new Set(deadLetters.flatMap(({ groupId, body }) => idsIn(body).map((id) => `${groupId} ${id}`)));
    for (const { userId, key, id, ackedAtMs } of oracle.commands()) {
      if (ackedAtMs === undefined || id === undefined) continue;
      const status = oracle.statusOf(userId, id);
      // After a redrive without faults only an invalid write stays undecided, and what is behind another dead letter.
      const isBehind = deadLetters.some(
        ({ groupId, body }, index) =>
          idsIn(body).includes(id) && deadLetters.slice(0, index).some((earlier) => earlier.groupId === groupId),
      );
      // With one delivery, a consumer whose clock is behind the last decision dead-letters what was redriven.
      const { skewMs, consumerSkewMs } = plan.faults;
      const isAhead = plan.settings.receivesMax === 1 && skewMs + consumerSkewMs > CLOCK_BEHIND_MS / 2;
      const mayBeDead = plan.settings.redriveAtEnd !== "tool" || oracle.invalidWriteIds.has(id) || isBehind || isAhead;
      if (status !== "posted" && status !== "rejected" && !(mayBeDead && deadIds.has(`${userId} ${id}`))) {
        oracle.fail("never lost", `${userId} ${key} was accepted, and in the end it is ${status}`);
      }
    }
    oracle.checkPastConservation();
    oracle.checkPublished();
    for (const userId of plan.users) {
      for (const body of oracle.events(userId)) {
        const { id, data } = JSON.parse(body);
        this.#checkView(userId, data, undefined, `event ${id}`);
      }
    }
    // The queue keeps a ledger's own command for the operator, too.
    const unfinished = oracle.unfinished(this.#simulation.scheduler.nowMs - SWEEP_EVERY_MS);
    const [left] = unfinished.filter((name) => !this.#isBlocked(name, deadIds));
    if (left) oracle.fail("never lost", `${left} is not finished in the end`);
  }

  /** True for a command of the ledger that is among the dead-letter messages, or behind one of its user. */
  #isBlocked(name: string, deadIds: ReadonlySet<string>): boolean {
    const [userId] = name.split(" ");
    return deadIds.has(name) || [...deadIds].some((dead) => dead.startsWith(`${userId} `));
  }

  async #readAll(userId: string): Promise<void> {
    await this.#readBalances(userId, `end ${userId} balances`);
    await this.#readHistory(userId, `end ${userId} history`, true);
    await this.#readHistory(userId, `end ${userId} history again`, true);
    await this.#readHistory(userId, `end ${userId} history from a cursor`);
    await this.#readStatement(userId, `end ${userId} statement`);
    await this.#readHolds(userId, `end ${userId} holds`, true);
    for (const [index, { userId: owner, query }] of [...this.#finalAnswers.entries()]) {
      const label = `end ${userId} past ${index}`;
      const again = owner === userId && (await this.#call(label, { route: "balances", userId, query }));
      if (again && again.status === 200) this.#checkFinal(userId, query, again.body, label);
    }
    for (const { id, userId: owner, contents } of this.#simulation.oracle.commands()) {
      const [movement] = contents;
      if (owner === userId && id && movement && contents.length === 1) await this.#readBack(movement, id, `end ${id}`);
    }
  }

  /** Compares a transaction in a response with the decision that the oracle saw. */
  #checkView(userId: string, view: Body, movement: Movement | undefined, label: string): void {
    const { oracle } = this.#simulation;
    const wrong = (what: string) =>
      oracle.fail("answers as documented", `${label}: ${what} in ${JSON.stringify(view)}`);
    const isPromised = movement?.callerId !== undefined;
    if (isPromised) {
      const hidden = PRIVATE_MEMBERS.filter((member) => member in view);
      if (hidden.length > 0) oracle.fail("private", `${label}: the other user is shown ${hidden.join(", ")}`);
    } else if (view.userId !== userId) {
      oracle.fail("private", `${label}: ${userId} is shown ${view.id} of ${view.userId}`);
    }
    if (movement) {
      const { type, currency, amountMinor } = movement;
      if (view.type !== type || view.currency !== (type === "status_change" ? null : currency))
        wrong("another movement");
      if (amountMinor !== undefined && view.amount !== decimalOf(amountMinor, exponentOf(currency)))
        wrong("another amount");
      if (!isPromised && view.reference !== referenceOf(movement)) wrong("another reference");
      if (movement.to !== undefined && type === "transfer" && memberOf(view.transfer, "to") !== movement.to) {
        wrong("another receiver");
      }
    }
    if (view.status === "pending") {
      const fixed = isPromised ? [view.decidedAt] : [view.sequence, view.decidedAt, view.hash, view.previousHash];
      if (!fixed.every((each) => each === null) || postingsIn(view).length > 0) wrong("an outcome while it is pending");
      return;
    }
    const decided: Decided | undefined = oracle.history(userId).find(({ id }) => id === view.id);
    if (!decided || view.status !== decided.status || (!isPromised && view.sequence !== decided.sequence)) {
      oracle.fail("terminal is final", `${label}: ${view.id} is shown as ${view.status} ${view.sequence}`);
      return;
    }
    const postings = decided.postings.map((posting) => {
      const exponent = exponentOf(posting.currency);
      const decimals = [posting.amountMinor, posting.heldMinor, posting.balanceAfterMinor, posting.heldAfterMinor];
      return [posting.currency, ...decimals.map((minor) => decimalOf(minor, exponent))];
    });
    const shown = postingsIn(view).map((each) => [
      ...[each.currency, each.amount, each.held, each.balanceAfter, each.heldAfter],
    ]);
    if (!isPromised && JSON.stringify(shown) !== JSON.stringify(postings)) wrong("another posting");
    if ((view.rejection !== null) !== (decided.status === "rejected")) wrong("another outcome");
    if (view.decidedAt !== decided.decidedAt) wrong("another time");
    if (!isPromised && view.hash !== decided.hash) wrong("another hash");
    this.#checkTransfer(decided, view, wrong);
  }

  /** Money that was sent to another wallet is never shown where it has not arrived. */
  #checkTransfer(decided: Decided, { transfer, type }: Body, wrong: (what: string) => void): void {
    const sends = decided.emits !== undefined && decided.type !== "credit";
    if (sends && memberOf(transfer, "creditId") !== decided.emits?.id) wrong("another credit");
    const shown = memberOf(transfer, "status");
    if (shown === "credited" || shown === "returned") {
      if (this.#simulation.oracle.transferStatusOf(decided) !== shown) wrong("another transfer status");
    } else if (shown !== "in_transit" && shown !== null && type === "transfer") {
      wrong("no transfer status");
    }
  }

  /** True for a 503 that an injected fault explains, or an index that lags for longer than a reader of the past waits. */
  #isExcused(response: ApiResponse, label: string, readsPast = false): boolean {
    if (response.status < 500) return false;
    const documented =
      response.status === 503 && response.body.code === "unavailable" && response.headers["retry-after"] === "1";
    const lags = readsPast && this.#simulation.plan.faults.lagMs > READER_WAITS_MS;
    if (!documented || !(response.faulted || lags)) this.#unexpected(label, response);
    return true;
  }

  #unexpected(label: string, { status, body }: ApiResponse): void {
    this.#simulation.oracle.fail("answers as documented", `${label} is answered ${status} ${JSON.stringify(body)}`);
  }

  #storedContent(record: CommandRecord, movement: Movement): Movement | undefined {
    const { oracle } = this.#simulation;
    const item = oracle.item(record.userId, idOf(movement));
    return item && record.contents.find((content) => oracle.isOf(item, content));
  }

  /** @returns nothing if the client received no response */
  async #call(label: string, call: Call): Promise<ApiResponse | undefined> {
    const simulation = this.#simulation;
    const random = new Random(simulation.plan.seed, `way of ${label}`);
    await simulation.scheduler.sleep(random.latencyMs(simulation.plan.settings.latencyMs));
    const before = this.#before({ ...call, to: memberOf(call.body, "to") });
    const answered = simulation.request(label, call.route, this.#event(call, random));
    const answer = await Promise.race([answered, simulation.scheduler.sleep(GATEWAY_TIMEOUT_MS)]);
    await simulation.scheduler.sleep(random.latencyMs(simulation.plan.settings.latencyMs));
    return answer && !simulation.faults.shouldInject("lostResponse", label) ? toApiResponse(answer, before) : undefined;
  }

  /** What is stored when a request is sent. */
  #before({ userId, id, storedId, to }: Pick<Call, "userId" | "id" | "storedId"> & { readonly to: unknown }): Before {
    const { oracle, scheduler } = this.#simulation;
    return {
      sentAtMs: scheduler.nowMs,
      referredBefore: id === undefined ? undefined : oracle.item(userId, id),
      storedBefore: storedId !== undefined && oracle.item(userId, storedId) !== undefined,
      receiverSequenceBefore: oracle.appliedHistory(String(to ?? "")).length,
    };
  }

  #event({ route, userId, token, headers, body, query, id }: Call, random: Random): HttpEvent {
    const options = {
      subject: userId,
      // Whole minutes, so that a token is used for a while.
      issuedAtMs: START_MS + Math.floor(this.#simulation.scheduler.nowMs / 60_000) * 60_000,
      key: this.#simulation.signingKey(),
      ...(token !== "none" && token),
    };
    const text = body === undefined ? undefined : JSON.stringify(body);
    const isBase64Encoded = text !== undefined && random.chance(0.2);
    const [method, path] = ROUTES[route].key.split(" ");
    return httpEvent({
      method,
      path,
      headers: {
        "content-type": "application/json",
        ...headers,
        ...(token !== "none" && { authorization: `Bearer ${makeToken(options)}` }),
      },
      ...(path?.includes("{") && { pathParameters: { userId, ...(id !== undefined && { id }) } }),
      query,
      body: isBase64Encoded ? Buffer.from(text).toString("base64") : text,
      isBase64Encoded,
    });
  }
}

function toApiResponse(answer: Answer, before: Before): ApiResponse | undefined {
  if (answer.kind === "lost") return undefined;
  if (answer.kind === "failed") throw answer.error;
  const { statusCode = 0, headers = {}, body = "" } = answer.value;
  const parsed: unknown = JSON.parse(body);
  if (!isBody(parsed)) throw new Error(`The body is ${body}`);
  return { status: statusCode, headers, body: parsed, faulted: answer.invocation.faulted, ...before };
}

/** A result of a batch, as the response to a request of its own. */
function toResult(result: unknown, response: ApiResponse): ApiResponse {
  const { status, transaction, problem, replayed } = isBody(result) ? result : {};
  const body = isBody(transaction) ? transaction : isBody(problem) ? problem : {};
  const location = `/v1/users/${encodeURIComponent(String(body.userId))}/transactions/${body.id}`;
  const headers = {
    ...(transaction !== undefined && { location }),
    ...(replayed === true && { "idempotency-replayed": "true" }),
    ...(status === 503 && { "retry-after": "1" }),
  };
  return { ...response, status: Number(status), headers, body };
}

function isBody(value: unknown): value is Body {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function postingsIn(view: Body): readonly Body[] {
  return Array.isArray(view.postings) ? view.postings : [];
}

/** True if opening + credits − debits = closing, and each line's balance follows from the line before it. */
function addsUp({ currency, opening, credits, debits, closing, lines }: Body): boolean {
  const minor = (decimal: unknown) => BigInt(String(decimal ?? 0).replace(".", ""));
  let [balance, creditsMinor, debitsMinor] = [minor(opening), 0n, 0n];
  for (const line of Array.isArray(lines) ? (lines as Body[]) : []) {
    creditsMinor += minor(line.credit);
    debitsMinor += minor(line.debit);
    balance += minor(line.credit) - minor(line.debit);
    if (balance !== minor(line.balance)) return false;
  }
  const sums = [credits, debits, closing].map(minor);
  return (
    currency !== undefined &&
    JSON.stringify(sums.map(String)) === JSON.stringify([creditsMinor, debitsMinor, balance].map(String))
  );
}

function exponentOf(currency: string): number {
  return CURRENCIES.find(({ code }) => code === currency)?.exponent ?? 0;
}

function decimalOf(minor: bigint, exponent: number): string {
  if (minor < 0n) return `-${decimalOf(-minor, exponent)}`;
  const divisor = 10n ** BigInt(exponent);
  const whole = `${minor / divisor}`;
  return exponent === 0 ? whole : `${whole}.${`${minor % divisor}`.padStart(exponent, "0")}`;
}

/** Why only a new command is refused: one that was accepted before is answered. */
const NEW_ONLY = new Set(["unknown_receiver", "same_wallet", "expires_at_invalid"]);
/** What the other user of a promised hold must not see. */
const PRIVATE_MEMBERS = ["postings", "sequence", "hash", "previousHash", "detailsHash", "reference", "metadata"];

/** The part of a batch's body that asks for a movement. */
function batchedBodyOf(movement: Movement, random: Random): object {
  const { type, userId, key, refersTo } = movement;
  const refers = refersTo ? { refersTo: referredId(movement) } : {};
  const own = bodyOf(movement, random);
  return { type, userId, idempotencyKey: key, ...refers, ...own, reference: referenceOf(movement) };
}

const MONEY = { currency: "USD", amount: "1" };
const INTRUSION_BODIES: Readonly<Record<string, object>> = {
  deposit: MONEY,
  withdrawal: MONEY,
  transfer: { ...MONEY, to: "mallory" },
  hold: MONEY,
  exchange: { sell: MONEY, buy: { currency: "JPY", amount: "1" } },
  status_change: { status: "closed" },
  batch: { commands: [{ type: "deposit", userId: "mallory", idempotencyKey: "k", ...MONEY }] },
};

/** True for a movement in a currency, in either of its two. */
function hasCurrency({ type, currency, boughtCurrency, postings }: Decided, wanted: string): boolean {
  const isReversed = type === "reversal" && postings.some((posting) => posting.currency === wanted);
  return currency === wanted || boughtCurrency === wanted || isReversed;
}

function memberOf(value: unknown, member: string): unknown {
  return isBody(value) ? value[member] : undefined;
}

/** The body of a movement's request. */
function bodyOf(movement: Movement, random: Random): object {
  const { type, currency, amountMinor, to, final, bought, newStatus, expiresAtMs } = movement;
  const amount = amountMinor === undefined ? {} : { amount: amountText(amountMinor, currency, random) };
  switch (type) {
    case "capture":
      // False is the only value that must be written.
      return { ...amount, ...((final === false || random.chance(0.5)) && { final }) };
    case "release":
      return {};
    case "reversal":
      return amount;
    case "exchange":
      return {
        sell: { currency, ...amount },
        buy: bought && { currency: bought.currency, amount: amountText(bought.amountMinor, bought.currency, random) },
      };
    case "status_change":
      return { status: newStatus };
    default: {
      const expiresAt = expiresAtMs === undefined ? {} : { expiresAt: timeAt(expiresAtMs) };
      return { currency, ...amount, ...(to !== undefined && { to }), ...expiresAt };
    }
  }
}

/** The amount with all digits of the currency, or without trailing zeros. */
function amountText(amountMinor: bigint, currency: string, random: Random): string {
  const decimal = decimalOf(amountMinor, exponentOf(currency));
  return decimal.includes(".") && random.chance(0.5) ? decimal.replace(/\.?0+$/, "") : decimal;
}
