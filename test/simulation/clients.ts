import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { forge, poison } from "./forgeries.ts";
import { makeToken, signingKeys, type TokenOptions } from "./identity.ts";
import type { Invoked } from "./invocation.ts";
import { type CommandRecord, type Decided, idIn, sameContent } from "./judge.ts";
import type { Route } from "./ledger.ts";
import { COMMANDS_URL, CURRENCIES, DEAD_LETTERS_URL, type Movement, type Operation, type Redrive } from "./plan.ts";
import { Random } from "./random.ts";
import type { World } from "./world.ts";

type Answer = Invoked<APIGatewayProxyStructuredResultV2>;

interface Call {
  readonly route: Route;
  readonly userId: string;
  readonly token?: Partial<TokenOptions> | "none";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly query?: Readonly<Record<string, string>>;
  readonly id?: string;
}

/** A response that came through, with its body read. */
interface Heard {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Body;
  /** A fault was planted on its way: it may be a 503. */
  readonly harmed: boolean;
  readonly sentAtMs: number;
}

interface Body {
  readonly [name: string]: unknown;
}

const TRIES_MAX = 4;
const REDRIVE_HIDES_MS = 301_000;
/** API Gateway waits no longer for a function. */
const GATEWAY_TIMEOUT_MS = 30_000;
/** How long a function may go on with currencies that it has read, and then some for the way. */
const CURRENCIES_AGE_MS = 40_000;
const REJECTIONS = new Set(["insufficient_funds", "balance_limit"]);
const START_OF_TIME_MS = Date.UTC(2030, 0, 1);

/** The clients of a plan: they call the API, try again as clients do, and check every answer. */
export class Clients {
  readonly #world: World;
  readonly #switches = new Map<string, { readonly atMs: number; readonly enabled: boolean }[]>();
  #lastCursor: string | undefined;
  #finished = 0;
  #started = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Each is begun once the one before has come to rest. */
  *phases(): Generator<() => void> {
    const { plan, faults, judge } = this.#world;
    yield () => {
      for (const operation of plan.operations) this.#start(() => this.#perform(operation));
    };
    yield () => {
      faults.stop();
      for (const record of judge.commands()) {
        const [movement] = record.contents;
        if (record.ackedAtMs === undefined && movement) this.#start(() => this.#try(movement, `${movement.id}.last`));
      }
    };
    const { redriveAtEnd } = plan.settings;
    if (redriveAtEnd !== "none") {
      yield () => this.#start(() => this.#redriveAtEnd(redriveAtEnd, "end"));
      // What the queue gave up on during a redrive is for the next one.
      yield () => this.#start(() => this.#redriveAtEnd(redriveAtEnd, "end again"));
    }
    yield () => {
      this.#checkEnds();
      const readers = plan.settings.readAllAtEnd ? plan.users : [];
      for (const userId of readers) this.#start(() => this.#readAll(userId));
    };
    yield () => {
      if (this.#finished < this.#started) judge.fail("comes to an end", "A client still waits for an answer");
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
        this.#world.judge.fail("answers as documented", error instanceof Error ? String(error.stack) : String(error));
      },
    );
  }

  async #perform(operation: Operation): Promise<void> {
    await this.#world.scheduler.sleep(operation.atMs);
    switch (operation.kind) {
      case "movement":
        return this.#move(operation);
      case "read":
        if (operation.what === "balances") return this.#readBalances(operation.userId, operation.id);
        if (operation.what === "history") return this.#readHistory(operation.userId, operation.id);
        return this.#readCurrencies(operation.id);
      case "intrusion":
        return this.#intrude(operation);
      case "badToken":
        return this.#useBadToken(operation);
      case "invalid":
        return this.#sendInvalid(operation);
      case "poison":
        return poison(this.#world, operation);
      case "switch":
        return this.#switch(operation);
      case "redrive":
        return this.#redrive(operation.how, operation.id);
    }
  }

  async #redrive(how: Redrive, label: string): Promise<void> {
    if (how === "tool") return this.#world.redrive(`redrive ${label}`);
    this.#world.sqs.redrive(DEAD_LETTERS_URL, COMMANDS_URL);
  }

  async #redriveAtEnd(how: Redrive, label: string): Promise<void> {
    // A redrive that was killed hides what it had received for a while.
    await this.#world.scheduler.sleep(REDRIVE_HIDES_MS);
    await this.#redrive(how, label);
  }

  async #move(movement: Movement): Promise<void> {
    forge(this.#world, movement, "beforeStored");
    const tries: Promise<void>[] = [this.#try(movement, `${movement.id}.0`)];
    for (const [index, afterMs] of movement.retriesAfterMs.entries()) {
      tries.push(this.#world.scheduler.sleep(afterMs).then(() => this.#try(movement, `${movement.id}.${index + 1}`)));
    }
    await Promise.all(tries);
  }

  /** Asks, and asks again a few times while there is no answer or an answer that says so. */
  async #try(movement: Movement, label: string): Promise<void> {
    const random = new Random(this.#world.plan.seed, `client ${label}`);
    for (let attempt = 1; attempt <= TRIES_MAX; attempt++) {
      const heard = await this.#post(movement, `${label}.${attempt}`, random);
      if (heard && heard.status !== 503) return;
      await this.#world.scheduler.sleep(1000 * 2 ** attempt * random.next());
    }
  }

  async #post(movement: Movement, label: string, random: Random): Promise<Heard | undefined> {
    const { userId, type, currency, key, waitSeconds, asAdmin } = movement;
    const record = this.#world.judge.asks(movement);
    const ackedBefore = record.ackedAtMs !== undefined;
    const heard = await this.#call(label, {
      route: type === "deposit" ? "deposit" : "withdraw",
      userId,
      ...(asAdmin && { token: { subject: "operator", scope: "openid wallets:admin" } }),
      headers: { "idempotency-key": key, ...(waitSeconds > 0 && { prefer: `wait=${waitSeconds}` }) },
      body: { currency, amount: amountText(movement, random), reference: key },
    });
    if (heard && !this.#excused(heard, label))
      await this.#checkMovement(movement, record, ackedBefore, heard, label, random);
    return heard;
  }

  async #checkMovement(
    movement: Movement,
    record: CommandRecord,
    ackedBefore: boolean,
    heard: Heard,
    label: string,
    random: Random,
  ): Promise<void> {
    const { judge } = this.#world;
    const { userId, currency, waitSeconds } = movement;
    const code = String(heard.body.code ?? "");
    const stored = this.#storedContent(record);
    if (heard.status === 422 && code === "unknown_currency") {
      if (ackedBefore || !this.#wasDisabled(currency, heard.sentAtMs)) this.#surprise(label, heard);
      return;
    }
    if (heard.status === 422 && code === "idempotency_key_reused") {
      if (!stored || sameContent(stored, movement)) {
        judge.fail("same key, same answer", `${label}: the key stands for the same content, and is refused`);
      }
      return;
    }
    const view = heard.status === 422 && REJECTIONS.has(code) ? heard.body.transaction : heard.body;
    if (!isBody(view) || ![201, 202, 422].includes(heard.status)) {
      this.#surprise(label, heard);
      return;
    }
    const expected = waitSeconds > 0 ? { posted: 201, rejected: 422, pending: 202 }[String(view.status)] : 202;
    if (heard.status !== expected || (heard.status === 422) !== (code !== "")) this.#surprise(label, heard);
    if (stored && !sameContent(stored, movement)) {
      judge.fail(
        "same key, same answer",
        `${label}: the key stands for other content, and the answer is ${heard.status}`,
      );
    }
    const id = String(view.id);
    if (heard.headers.location !== `/v1/users/${encodeURIComponent(userId)}/transactions/${id}`) {
      judge.fail("answers as documented", `${label}: the location is ${heard.headers.location}`);
    }
    if (ackedBefore && heard.headers["idempotency-replayed"] !== "true") {
      judge.fail("same key, same answer", `${label}: a replay does not say that it is one`);
    }
    if (record.ackedAtMs === undefined) forge(this.#world, movement, "afterAccepted");
    judge.acked(record, id);
    this.#checkView(userId, view, movement, label);
    this.#checkSent(userId, id, label);
    if (random.chance(0.4)) await this.#readBack(movement, id, label);
  }

  /** What has been accepted is on its way, done, or set aside. */
  #checkSent(userId: string, id: string, label: string): void {
    const { judge, sqs } = this.#world;
    if (judge.statusOf(userId, id) !== "pending") return;
    const queued = [COMMANDS_URL, DEAD_LETTERS_URL].some((url) =>
      sqs.messages(url).some(({ body }) => idIn(body) === id),
    );
    if (!queued) judge.fail("never lost", `${label}: ${id} is accepted and pending, and no queue has it`);
  }

  async #readBack(movement: Movement, id: string, label: string): Promise<void> {
    const { judge } = this.#world;
    const { userId } = movement;
    const statusBefore = judge.statusOf(userId, id);
    const heard = await this.#call(`${label}.get`, { route: "transaction", userId, id });
    if (!heard || this.#excused(heard, label)) return;
    if (heard.status === 404) {
      judge.fail("read after 202", `${label}: ${id} is accepted, and reading it answers 404`);
      return;
    }
    if (heard.status !== 200) return this.#surprise(label, heard);
    this.#checkView(userId, heard.body, movement, label);
    if (statusBefore !== "pending" && heard.body.status === "pending") {
      judge.fail("strongly consistent", `${label}: ${id} was ${statusBefore} and is read as pending`);
    }
  }

  async #readBalances(userId: string, label: string): Promise<void> {
    const { judge } = this.#world;
    const sequenceBefore = judge.walletVersions(userId).at(-1)?.sequence ?? 0;
    const heard = await this.#call(label, { route: "balances", userId });
    if (!heard || this.#excused(heard, label)) return;
    if (heard.status !== 200 || heard.body.userId !== userId) return this.#surprise(label, heard);
    const { sequence, balances } = heard.body;
    const versions = judge.walletVersions(userId);
    const version = versions.find((candidate) => candidate.sequence === sequence);
    if (Number(sequence) < sequenceBefore || (!version && sequence !== 0)) {
      judge.fail("strongly consistent", `${label}: the balances are of ${sequence}, and ${sequenceBefore} was before`);
      return;
    }
    const listed = new Map(
      (Array.isArray(balances) ? balances : []).map((balance: Body) => [String(balance.currency), balance.amount]),
    );
    for (const { code, exponent, enabled } of CURRENCIES) {
      const minor = version?.balances.get(code) ?? 0n;
      const isListed = listed.get(code);
      const switched = this.#switches.has(code);
      if (isListed === undefined ? enabled && !switched : isListed !== decimalOf(minor, exponent)) {
        judge.fail(
          "strongly consistent",
          `${label}: ${code} is ${isListed} in ${sequence}, not ${decimalOf(minor, exponent)}`,
        );
      }
    }
  }

  /** Reads the history page by page; whatever it shows must be so. */
  async #readHistory(userId: string, label: string, complete = false): Promise<void> {
    const { judge, plan } = this.#world;
    const random = new Random(plan.seed, `history ${label}`);
    const currency = random.chance(0.3) ? random.pick(["USD", "JPY", "ETH"]) : undefined;
    const status = random.chance(0.3) ? random.pick(["posted", "rejected"]) : undefined;
    const foreign = !complete && random.chance(0.3);
    let cursor = foreign ? this.#lastCursor : undefined;
    const limit = random.int(1, complete ? 20 : 7);
    const seen: string[] = [];
    for (let page = 1; page <= 200; page++) {
      const heard = await this.#call(`${label}.${page}`, {
        route: "transactions",
        userId,
        query: {
          limit: String(limit),
          ...(cursor !== undefined && { cursor }),
          ...(currency && { currency }),
          ...(status && { status }),
        },
      });
      if (!heard || this.#excused(heard, label)) return;
      const { data, nextCursor } = heard.body;
      if (heard.status !== 200 || !Array.isArray(data)) return this.#surprise(label, heard);
      if (data.length > limit) judge.fail("answers as documented", `${label}: ${data.length} of at most ${limit}`);
      for (const view of data as Body[]) {
        this.#checkView(userId, view, undefined, label);
        if ((currency && view.currency !== currency) || (status && view.status !== status)) {
          judge.fail("history complete", `${label}: ${view.id} does not pass the filter`);
        }
        seen.push(String(view.id));
      }
      if (nextCursor === null) break;
      cursor = String(nextCursor);
      this.#lastCursor = cursor;
    }
    if (new Set(seen).size < seen.length) judge.fail("history complete", `${label}: a transaction is shown twice`);
    const order = seen.map((id) => judge.history(userId).find((decided) => decided.id === id)?.sequence ?? 0);
    if (order.some((sequence, index) => index > 0 && sequence >= (order[index - 1] ?? 0))) {
      judge.fail("history complete", `${label}: the order is ${order.join(", ")}`);
    }
    if (!complete) return;
    const wanted = judge
      .history(userId)
      .filter((decided) => (!currency || decided.currency === currency) && (!status || decided.status === status));
    if (wanted.length !== seen.length) {
      judge.fail("history complete", `${label}: ${seen.length} are shown of ${wanted.length}`);
    }
  }

  async #readCurrencies(label: string): Promise<void> {
    const heard = await this.#call(label, { route: "currencies", userId: "", token: "none" });
    if (!heard || this.#excused(heard, label)) return;
    if (heard.status !== 200 || !Array.isArray(heard.body.data)) this.#surprise(label, heard);
  }

  async #intrude({ id: label, userId, callerId, route }: Extract<Operation, { kind: "intrusion" }>): Promise<void> {
    const { judge } = this.#world;
    const victims = judge.commands().find((record) => record.userId === userId && record.id !== undefined)?.id;
    const id = victims ?? `tx_${"x".repeat(43)}`;
    const heard = await this.#call(label, {
      route,
      userId,
      id,
      token: { subject: callerId, scope: "openid wallets:read wallets" },
      headers: { "idempotency-key": label },
      body: { currency: "USD", amount: "1", reference: label },
    });
    if (heard && !this.#excused(heard, label) && heard.status !== 403) {
      judge.fail("private", `${callerId} asks for ${route} of ${userId} and is answered ${heard.status}`);
    }
    if (route !== "transaction" || judge.commands().some((own) => own.userId === callerId && own.id === id)) return;
    const own = await this.#call(`${label}.own`, { route, userId: callerId, id });
    if (own && !this.#excused(own, label) && own.status !== 404) {
      judge.fail("private", `${callerId} reads ${id} of ${userId} among its own: ${own.status}`);
    }
  }

  async #useBadToken({ id: label, userId, flaw }: Extract<Operation, { kind: "badToken" }>): Promise<void> {
    const nowMs = START_OF_TIME_MS + this.#world.scheduler.nowMs;
    if (flaw === "retired" && !this.#world.firstKeyIsForgotten()) return;
    const token = {
      missing: "none" as const,
      expired: { issuedAtMs: nowMs - 700_000 },
      forged: { key: signingKeys.stranger },
      audience: { audience: "others" },
      issuer: { issuer: "https://evil.example" },
      unsigned: { unsigned: true },
      retired: { key: signingKeys.first },
    }[flaw];
    const heard = await this.#call(label, { route: "balances", userId, token });
    if (!heard || this.#excused(heard, label)) return;
    if (heard.status !== 401 || heard.headers["www-authenticate"] === undefined) {
      this.#world.judge.fail("private", `a token that is ${flaw} is answered ${heard.status}`);
    }
  }

  async #sendInvalid({ id: label, userId, body, code }: Extract<Operation, { kind: "invalid" }>): Promise<void> {
    const headers = { "idempotency-key": label };
    const heard = await this.#call(label, { route: "deposit", userId, headers, body });
    if (!heard || this.#excused(heard, label)) return;
    if (heard.status !== 422 || heard.body.code !== code) this.#surprise(`${label} (${code})`, heard);
  }

  #switch({ currency, enabled }: Extract<Operation, { kind: "switch" }>): void {
    const { dynamo, scheduler } = this.#world;
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
    // With a switch near enough in time either answer is right.
    if (switches.some(({ atMs }) => atMs > sentAtMs - CURRENCIES_AGE_MS)) return true;
    return !(switches.at(-1)?.enabled ?? row?.enabled);
  }

  /** Everything that must hold once nothing is under way any more. */
  #checkEnds(): void {
    const { judge, sqs, plan, dynamo } = this.#world;
    if (sqs.messages(COMMANDS_URL).length > 0) {
      judge.fail("comes to an end", `${sqs.messages(COMMANDS_URL).length} messages are left in the queue`);
    }
    const deadIds = new Set(sqs.messages(DEAD_LETTERS_URL).map(({ groupId, body }) => `${groupId} ${idIn(body)}`));
    for (const { userId, key, id, ackedAtMs } of judge.commands()) {
      if (ackedAtMs === undefined || id === undefined) continue;
      const status = judge.statusOf(userId, id);
      // After a redrive without faults only what the store never takes stays undecided.
      const mayBeDead = plan.settings.redriveAtEnd !== "tool" || judge.refusedIds.has(id);
      if (status !== "posted" && status !== "rejected" && !(mayBeDead && deadIds.has(`${userId} ${id}`))) {
        judge.fail("never lost", `${userId} ${key} was accepted, and in the end it is ${status}`);
      }
    }
    for (const userId of plan.users) {
      const sums = new Map<string, bigint>();
      for (const decided of judge.history(userId)) {
        if (decided.status !== "posted") continue;
        const delta = decided.type === "deposit" ? decided.amountMinor : -decided.amountMinor;
        sums.set(decided.currency, (sums.get(decided.currency) ?? 0n) + delta);
      }
      const wallet = dynamo.items("wallets").find((item) => item.userId?.S === userId);
      for (const [currency, sum] of sums) {
        if (wallet?.balances?.M?.[currency]?.N !== String(sum)) {
          judge.fail(
            "conservation",
            `${userId} ends with ${wallet?.balances?.M?.[currency]?.N} ${currency}, not ${sum}`,
          );
        }
      }
    }
  }

  async #readAll(userId: string): Promise<void> {
    await this.#readBalances(userId, `end ${userId} balances`);
    await this.#readHistory(userId, `end ${userId} history`, true);
    await this.#readHistory(userId, `end ${userId} history again`, true);
    for (const { id, userId: owner, contents } of this.#world.judge.commands()) {
      const [movement] = contents;
      if (owner === userId && id && movement && contents.length === 1) await this.#readBack(movement, id, `end ${id}`);
    }
  }

  /** A transaction as the API shows it, against what the database had it become. */
  #checkView(userId: string, view: Body, movement: Movement | undefined, label: string): void {
    const { judge } = this.#world;
    const wrong = (what: string) => judge.fail("answers as documented", `${label}: ${what} in ${JSON.stringify(view)}`);
    if (view.userId !== userId) judge.fail("private", `${label}: ${userId} is shown ${view.id} of ${view.userId}`);
    if (movement) {
      if (view.type !== movement.type || view.currency !== movement.currency) wrong("another movement");
      if (view.amount !== decimalOf(movement.amountMinor, exponentOf(movement.currency))) wrong("another amount");
      if (view.reference !== movement.key) wrong("another reference");
    }
    if (view.status === "pending") {
      if (view.sequence !== null || view.balanceAfter !== null) wrong("an outcome while it is pending");
      return;
    }
    const decided: Decided | undefined = judge.history(userId).find(({ id }) => id === view.id);
    if (!decided || view.status !== decided.status || view.sequence !== decided.sequence) {
      judge.fail("terminal is final", `${label}: ${view.id} is shown as ${view.status} ${view.sequence}`);
      return;
    }
    const exponent = exponentOf(decided.currency);
    if (view.amount !== decimalOf(decided.amountMinor, exponent)) wrong("another amount");
    if (view.balanceAfter !== decimalOf(decided.balanceAfterMinor, exponent)) wrong("another balance");
    if ((view.rejection !== null) !== (decided.status === "rejected")) wrong("another outcome");
    if ((view.postedAt !== null) !== (decided.status === "posted")) wrong("another time");
  }

  /** True for an answer that a planted fault explains. */
  #excused(heard: Heard, label: string): boolean {
    if (heard.status < 500) return false;
    const documented =
      heard.status === 503 && heard.body.code === "unavailable" && heard.headers["retry-after"] === "1";
    if (!documented || !heard.harmed) this.#surprise(label, heard);
    return true;
  }

  #surprise(label: string, { status, body }: Heard): void {
    this.#world.judge.fail("answers as documented", `${label} is answered ${status} ${JSON.stringify(body)}`);
  }

  #storedContent(record: CommandRecord): Movement | undefined {
    const item = this.#world.dynamo
      .items("transactions")
      .find(({ userId, reference }) => userId?.S === record.userId && reference?.S === record.key);
    return record.contents.find(
      ({ type, currency, amountMinor }) =>
        type === item?.type?.S && currency === item.currency?.S && String(amountMinor) === item.amountMinor?.N,
    );
  }

  /** @returns nothing when the answer never came */
  async #call(label: string, call: Call): Promise<Heard | undefined> {
    const world = this.#world;
    const random = new Random(world.plan.seed, `way of ${label}`);
    await world.scheduler.sleep(random.latencyMs(world.plan.settings.latencyMs));
    const sentAtMs = world.scheduler.nowMs;
    const answered = world.request(label, call.route, this.#event(call, label, random));
    const answer = await Promise.race([answered, world.scheduler.sleep(GATEWAY_TIMEOUT_MS)]);
    await world.scheduler.sleep(random.latencyMs(world.plan.settings.latencyMs));
    return answer && !world.faults.strikes("lostResponse", label) ? hear(answer, sentAtMs) : undefined;
  }

  #event(
    { route, userId, token, headers, body, query, id }: Call,
    label: string,
    random: Random,
  ): APIGatewayProxyEventV2 {
    const options = {
      subject: userId,
      // Whole minutes: the same token serves for a while, as it does in real life.
      issuedAtMs: START_OF_TIME_MS + Math.floor(this.#world.scheduler.nowMs / 60_000) * 60_000,
      key: this.#world.signingKey(),
      ...(token !== "none" && token),
    };
    const text = body === undefined ? undefined : JSON.stringify(body);
    const encoded = text !== undefined && random.chance(0.2);
    const method = route === "deposit" || route === "withdraw" ? "POST" : "GET";
    return {
      version: "2.0",
      routeKey: route,
      rawPath: "/",
      rawQueryString: "",
      headers: {
        "content-type": "application/json",
        ...headers,
        ...(token !== "none" && { authorization: `Bearer ${makeToken(options)}` }),
      },
      pathParameters: { userId, ...(id !== undefined && { id }) },
      ...(query && { queryStringParameters: query }),
      requestContext: {
        accountId: "000000000000",
        apiId: "simulation",
        domainName: "api.example",
        domainPrefix: "api",
        http: { method, path: "/", protocol: "HTTP/1.1", sourceIp: "192.0.2.1", userAgent: "simulation" },
        requestId: label,
        routeKey: route,
        stage: "$default",
        time: "",
        timeEpoch: 0,
      },
      isBase64Encoded: encoded,
      ...(text !== undefined && { body: encoded ? Buffer.from(text).toString("base64") : text }),
    };
  }
}

function hear(answer: Answer, sentAtMs: number): Heard | undefined {
  if (answer.kind === "lost") return undefined;
  if (answer.kind === "failed") throw answer.error;
  const { statusCode = 0, headers = {}, body = "" } = answer.value;
  const parsed: unknown = JSON.parse(body);
  if (!isBody(parsed)) throw new Error(`The body is ${body}`);
  return { status: statusCode, headers, body: parsed, harmed: answer.invocation.harmed, sentAtMs };
}

function isBody(value: unknown): value is Body {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function exponentOf(currency: string): number {
  return CURRENCIES.find(({ code }) => code === currency)?.exponent ?? 0;
}

function decimalOf(minor: bigint, exponent: number): string {
  const divisor = 10n ** BigInt(exponent);
  const whole = `${minor / divisor}`;
  return exponent === 0 ? whole : `${whole}.${`${minor % divisor}`.padStart(exponent, "0")}`;
}

/** The amount as a client may write it: all the currency's digits, or none that mean nothing. */
function amountText({ amountMinor, currency }: Movement, random: Random): string {
  const decimal = decimalOf(amountMinor, exponentOf(currency));
  return decimal.includes(".") && random.chance(0.5) ? decimal.replace(/\.?0+$/, "") : decimal;
}
