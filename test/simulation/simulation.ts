import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context, SQSBatchResponse } from "aws-lambda";
import { Consumers } from "./consumers.ts";
import { APPLY_MS_MAX, DynamoModel } from "./dynamo/model.ts";
import { useClock } from "./environment.ts";
import { FaultSource } from "./faults.ts";
import { forge } from "./forgeries.ts";
import { AUDIENCE, ISSUER, signingKeys } from "./identity.ts";
import { currentInvocation, type Host, type Invocation, type Invoked } from "./invocation.ts";
import { type Ledger, ROUTES, type Route } from "./ledger.ts";
import { Oracle, type Poison, type Violation } from "./oracle.ts";
import {
  COMMANDS_URL,
  CURRENCIES,
  DEAD_LETTERS_URL,
  ENDPOINTS,
  EVENT_SOURCE,
  type Plan,
  WEBHOOKS_URL,
} from "./plan.ts";
import { Publishers } from "./publishers.ts";
import { Random } from "./random.ts";
import { Scheduler } from "./scheduler.ts";
import { Services } from "./services.ts";
import { TopicModel } from "./sns/model.ts";
import { SqsModel } from "./sqs/model.ts";

const VISIBILITY_TIMEOUT_MS = 60_000;
const STEPS_MAX = 200_000;
const FUNCTION_TIMEOUT_MS = 10_000;
const WAITING_FUNCTION_TIMEOUT_MS = 25_000;
const SWEEP_TIMEOUT_MS = 60_000;
const PUBLISH_TIMEOUT_MS = 60_000;
const TOOL_TIMEOUT_MS = 900_000;
/** As in scripts/dlq.ts. */
const REDRIVE_HIDES_SECONDS = 300;
const KEY_PUBLISHED_AHEAD_MS = 60_000;
const KEY_RETIRED_AFTER_MS = 11 * 60_000;

const ENVIRONMENT = {
  CURRENCIES_TABLE: "currencies",
  WALLETS_TABLE: "wallets",
  TRANSACTIONS_TABLE: "transactions",
  COMMANDS_QUEUE_URL: COMMANDS_URL,
  DEAD_LETTER_QUEUE_URL: DEAD_LETTERS_URL,
  EVENTS_TOPIC_ARN: "arn:aws:sns:us-east-1:123456789012:events.fifo",
  EVENT_SOURCE,
  WEBHOOKS_TABLE: "webhooks",
  WEBHOOKS_QUEUE_URL: WEBHOOKS_URL,
  SELF_SERVICE: "deposits,withdrawals,transfers,holds",
  JWT_ISSUER: ISSUER,
  JWT_AUDIENCE: AUDIENCE,
  POWERTOOLS_LOG_LEVEL: "SILENT",
  POWERTOOLS_METRICS_DISABLED: "true",
  AWS_REGION: "us-east-1",
};

/** A Lambda execution environment: it serves one invocation at a time and keeps its modules' state between them. */
interface Container {
  readonly ledger: Ledger;
  /** The key set is cached by this address; a cold start has a new one. */
  keySetUrl: string;
}

/** Reuses ledgers between runs: creating one takes longer than a short run. */
export class LedgerPool {
  readonly #make: () => Ledger;
  readonly #idle: Ledger[] = [];
  #coldStarts = 0;

  constructor(make: () => Ledger) {
    this.#make = make;
  }

  cold(): Container {
    const ledger = this.#idle.pop() ?? this.#make();
    return this.reset({ ledger, keySetUrl: "" });
  }

  /** Resets the state of the modules: the cached currencies and endpoints and, by its address, the key set. */
  reset(container: Container): Container {
    const { ledger } = container;
    ledger.ports.currencies = ledger.dynamoCurrencies(ledger.systemClock);
    ledger.publishers.splice(1, 1, ledger.webhookPublisher(ledger.cachedEndpoints(), ledger.sqsDeliverySender));
    container.keySetUrl = `${ISSUER}/keys/${++this.#coldStarts}`;
    return container;
  }

  release({ ledger }: Container): void {
    this.#idle.push(ledger);
  }
}

export interface Outcome {
  readonly violation: Violation | undefined;
  readonly steps: number;
  /** Awaits of the functions: the places where one can crash. */
  readonly awaits: readonly string[];
  /** Equal for equal plans. */
  readonly digest: number;
  readonly injected: readonly string[];
  readonly trace: readonly string[];
  readonly decided: number;
}

/** One run of a plan: the services, queue, database, clock and oracle around the functions. */
export class Simulation implements Host {
  readonly plan: Plan;
  readonly scheduler = new Scheduler();
  readonly faults: FaultSource;
  readonly oracle: Oracle;
  readonly dynamo: DynamoModel;
  readonly sqs: SqsModel;
  readonly #services: Services;
  readonly #consumers: Consumers;
  readonly #publishers: Publishers;
  readonly #random: Random;
  readonly #pool: LedgerPool;
  readonly #idle: Container[] = [];
  readonly #all: Container[] = [];
  /** Containers that an invocation has died in, by the number of events before that. */
  readonly #dead: { readonly container: Container; readonly steps: number }[] = [];
  readonly #touched = new Map<Invocation, Set<string>>();
  readonly #tracing: boolean;
  readonly #trace: string[] = [];
  #acting: Invocation | undefined;
  #digest = 0;

  constructor(plan: Plan, pool: LedgerPool, tracing = false) {
    this.plan = plan;
    this.#pool = pool;
    this.#tracing = tracing;
    const { scheduler } = this;
    const nowMs = () => scheduler.nowMs;
    this.#random = new Random(plan.seed, "simulation");
    this.faults = new FaultSource(plan.seed, plan.faults);
    this.oracle = new Oracle(nowMs, plan.faults.skewMs, (movement) => forge(this, movement, "beforeSent"));
    this.dynamo = this.#makeDynamo();
    this.sqs = new SqsModel(
      [
        {
          url: COMMANDS_URL,
          visibilityTimeoutMs: VISIBILITY_TIMEOUT_MS,
          redrive: { deadLetterUrl: DEAD_LETTERS_URL, maxReceiveCount: plan.settings.receivesMax },
        },
        { url: DEAD_LETTERS_URL, visibilityTimeoutMs: VISIBILITY_TIMEOUT_MS },
      ],
      nowMs,
      (url, message) => {
        if (url === DEAD_LETTERS_URL) this.oracle.deadLettered(message);
        else this.#consumers.wake();
      },
    );
    this.#services = new Services({
      scheduler,
      faults: this.faults,
      dynamo: this.dynamo,
      sqs: this.sqs,
      topic: new TopicModel(nowMs, (notification) => this.oracle.published(notification)),
      delivered: (body) => this.oracle.delivered(body),
      latencyMs: plan.settings.latencyMs,
      invalidWriteIds: this.oracle.invalidWriteIds,
      dies: (invocation, place) => this.#dies(invocation, place),
      faulted: (invocation, userId) => this.#faulted(invocation, userId),
      acting: (invocation) => {
        this.#acting = invocation;
      },
      note: (text) => this.note(text),
    });
    this.#consumers = new Consumers({
      plan,
      scheduler,
      faults: this.faults,
      sqs: this.sqs,
      oracle: this.oracle,
      queueUrl: COMMANDS_URL,
      invoke: (label, event) =>
        this.invoke<SQSBatchResponse>(label, FUNCTION_TIMEOUT_MS, (ledger) => ledger.consume(event)),
    });
    this.#publishers = new Publishers({
      plan,
      scheduler,
      faults: this.faults,
      oracle: this.oracle,
      invoke: (label, event) => this.invoke(label, PUBLISH_TIMEOUT_MS, (ledger) => ledger.publish(event)),
    });
  }

  /**
   * Runs one phase after the other, each until no event is left, and stops at the first violation.
   *
   * @param phases start the clients' operations
   */
  async run(phases: Iterable<() => void>): Promise<Outcome> {
    const { scheduler, oracle } = this;
    useClock(() => scheduler.nowMs);
    Object.assign(process.env, ENVIRONMENT);
    try {
      for (const phase of phases) {
        phase();
        await scheduler.run(STEPS_MAX, () => oracle.violation !== undefined);
      }
    } catch (error) {
      oracle.fail("comes to an end", error instanceof Error ? String(error.stack) : String(error));
    } finally {
      useClock(undefined);
      for (const container of this.#all) this.#pool.release(container);
    }
    return {
      violation: oracle.violation,
      steps: scheduler.steps,
      awaits: this.faults.awaits,
      digest: this.#digest,
      injected: this.faults.injected,
      trace: this.#trace,
      decided: this.plan.users.reduce((sum, userId) => sum + oracle.history(userId).length, 0),
    };
  }

  /** Runs a function in an idle container or a cold one. */
  invoke<T>(label: string, timeoutMs: number, work: (ledger: Ledger) => Promise<T>): Promise<Invoked<T>> {
    const random = new Random(this.plan.seed, label);
    const container = this.#container(random);
    process.env.JWT_JWKS_URL = container.keySetUrl;
    return new Promise((resolve) => {
      let ended = false;
      const end = (invoked: Invoked<T>, next: Container) => {
        if (ended) return;
        ended = true;
        this.#touched.delete(invocation);
        this.#idle.push(next);
        this.note(`${label} ${invoked.kind}`);
        resolve(invoked);
      };
      const invocation: Invocation = {
        simulation: this,
        label,
        random,
        skewMs: (2 * random.next() - 1) * this.#skewMsOf(label),
        awaits: 0,
        faulted: false,
        slowed: false,
        faultedUsers: new Set(),
        dead: false,
        die: (how) => {
          invocation.dead = true;
          end({ kind: "lost", how, invocation }, this.#restart(container));
        },
      };
      const touched = new Set<string>();
      this.#touched.set(invocation, touched);
      if (this.plan.settings.functionTimeouts) {
        this.scheduler.after(timeoutMs, () => {
          if (ended) return;
          if (!invocation.slowed) this.oracle.fail("comes to an end", `${label} runs into its timeout for no reason`);
          invocation.die("timeout");
        });
      }
      currentInvocation.run(invocation, () => {
        work(container.ledger).then(
          (value) => {
            if (invocation.dead) return;
            if (!this.#dies(invocation, `${label} end`))
              end({ kind: "answered", value, invocation, touched }, container);
          },
          (error) => {
            if (!invocation.dead) end({ kind: "failed", error, invocation }, container);
          },
        );
      });
    });
  }

  #skewMsOf(label: string): number {
    const { skewMs, consumerSkewMs } = this.plan.faults;
    return label.startsWith("consume") ? skewMs + consumerSkewMs : skewMs;
  }

  /** A call of the HTTP API. */
  request(
    label: string,
    route: Route,
    event: APIGatewayProxyEventV2,
  ): Promise<Invoked<APIGatewayProxyStructuredResultV2>> {
    const { name } = ROUTES[route];
    const timeoutMs = name === "commands" ? WAITING_FUNCTION_TIMEOUT_MS : FUNCTION_TIMEOUT_MS;
    // Without getRemainingTimeInMillis, for which middy would start a real timer.
    const context = { awsRequestId: label, functionName: name } as Context;
    return this.invoke(label, timeoutMs, (ledger) => ledger[name](event, context));
  }

  send(invocation: Invocation, command: object): Promise<object> {
    return this.#services.send(invocation, command);
  }

  sleep(invocation: Invocation | undefined, delayMs: number): Promise<void> {
    if (!invocation) return this.scheduler.sleep(delayMs);
    const place = `${invocation.label}/${++invocation.awaits} sleep`;
    return new Promise((resolve) => {
      this.scheduler.after(delayMs, () => {
        if (!invocation.dead && !this.#dies(invocation, place)) resolve();
      });
    });
  }

  fetchKeySet(invocation: Invocation): Promise<Response> {
    const place = `${invocation.label}/${++invocation.awaits} key set`;
    return new Promise((resolve, reject) => {
      this.scheduler.after(invocation.random.latencyMs(this.plan.settings.latencyMs), () => {
        if (invocation.dead || this.#dies(invocation, place)) return;
        if (this.faults.keySetUnreachable(this.scheduler.nowMs)) {
          invocation.faulted = true;
          if (invocation.random.chance(0.5)) reject(new TypeError("fetch failed"));
          else resolve(new Response("", { status: 500 }));
        } else {
          resolve(Response.json({ keys: this.#publishedKeys() }));
        }
      });
    });
  }

  /** The key that signs tokens now. */
  signingKey() {
    const { rotatedAtMs = Number.POSITIVE_INFINITY } = this.plan.faults.keys;
    return this.scheduler.nowMs >= rotatedAtMs ? signingKeys.second : signingKeys.first;
  }

  /** True once no function can have the first key in its cache. */
  firstKeyIsForgotten(): boolean {
    const { rotatedAtMs = Number.POSITIVE_INFINITY } = this.plan.faults.keys;
    return this.scheduler.nowMs > rotatedAtMs + 2 * KEY_RETIRED_AFTER_MS;
  }

  note(text: string): void {
    const line = `${this.scheduler.nowMs.toFixed(3)} ${text}`;
    for (let index = 0; index < line.length; index++) {
      this.#digest = (Math.imul(this.#digest ^ line.charCodeAt(index), 16777619) + 1) | 0;
    }
    if (this.#tracing) this.#trace.push(line);
  }

  /** Calls that an invocation left running when it responded go on, and do not crash. */
  #dies(invocation: Invocation, place: string): boolean {
    if (!this.#touched.has(invocation) || !this.faults.crashesAt(place)) return false;
    invocation.die("crash");
    return true;
  }

  #faulted(invocation: Invocation, userId: string | undefined): void {
    invocation.faulted = true;
    invocation.faultedUsers.add(userId);
    // The next invocations in the container can wait for calls that this one left running.
    if (this.#touched.has(invocation)) return;
    for (const running of this.#touched.keys()) running.faulted = true;
  }

  /** Sends a message of an attacker. */
  inject(poison: Poison, groupId: string, body: string, deduplicationId: string): void {
    this.oracle.poisons(poison, body);
    this.sqs.send(COMMANDS_URL, { groupId, deduplicationId, body, attributes: {} });
  }

  /** Runs `npm run dlq -- redrive`. */
  async redrive(label: string): Promise<void> {
    const invoked = await this.invoke(label, TOOL_TIMEOUT_MS, (ledger) =>
      ledger.redrive(ledger.sqsDeadLetters(REDRIVE_HIDES_SECONDS), ledger.ports.store, undefined, () => {}),
    );
    if (invoked.kind !== "failed" || invoked.invocation.faulted) return;
    this.oracle.fail("never lost", `${label} fails without a fault: ${String(invoked.error)}`);
  }

  /** Runs the function that sends what is due. */
  async sweep(label: string): Promise<void> {
    const invoked = await this.invoke(label, SWEEP_TIMEOUT_MS, (ledger) => ledger.sweep());
    if (invoked.kind !== "failed" || invoked.invocation.faulted) return;
    this.oracle.fail("never lost", `${label} fails without a fault: ${String(invoked.error)}`);
  }

  #publishedKeys() {
    const { rotatedAtMs = Number.POSITIVE_INFINITY } = this.plan.faults.keys;
    const { nowMs } = this.scheduler;
    const { first, second } = signingKeys;
    if (nowMs < rotatedAtMs - KEY_PUBLISHED_AHEAD_MS) return [first.jwk];
    return nowMs < rotatedAtMs + KEY_RETIRED_AFTER_MS ? [first.jwk, second.jwk] : [second.jwk];
  }

  #container(random: Random): Container {
    const warm = random.chance(this.plan.settings.warm) ? this.#idle.pop() : undefined;
    if (warm) return warm;
    const idle = this.#idle.pop();
    if (idle) return this.#pool.reset(idle);
    return this.#create();
  }

  /**
   * Replaces a container by a new one. What the dead invocation still computes, until the next event, changes only the old
   * one's modules. A later restart can use these, because creating modules takes long.
   */
  #restart(died: Container): Container {
    const { steps } = this.scheduler;
    const reusable = this.#dead[0] && this.#dead[0].steps < steps ? this.#dead.shift() : undefined;
    this.#dead.push({ container: died, steps });
    return reusable ? this.#pool.reset(reusable.container) : this.#create();
  }

  #create(): Container {
    const made = this.#pool.cold();
    this.#all.push(made);
    return made;
  }

  #makeDynamo(): DynamoModel {
    const { scheduler, plan } = this;
    const random = new Random(plan.seed, "database");
    const model = new DynamoModel(
      [
        { name: "currencies", key: { hash: "code" } },
        { name: "wallets", key: { hash: "userId" } },
        { name: "webhooks", key: { hash: "id" } },
        {
          name: "transactions",
          key: { hash: "userId", range: "id" },
          indexes: [
            { name: "history", key: { hash: "userId", range: "position" } },
            { name: "openHolds", key: { hash: "userId", range: "openHold" } },
            { name: "due", key: { hash: "dueShard", range: "dueAt" } },
          ],
        },
      ],
      {
        nowMs: () => scheduler.nowMs,
        later: (run) => scheduler.after(random.next() * plan.faults.lagMs, run),
        staleMs: () => random.next() * plan.faults.lagMs,
        applyMs: () => random.next() * APPLY_MS_MAX,
        pageItemsMax: () => random.int(1, plan.settings.pageItemsMax),
        onWrite: (changes) => {
          const ledgerChanges = changes.filter(({ table }) => table === "wallets" || table === "transactions");
          if (ledgerChanges.length === 0) return;
          this.oracle.wrote(ledgerChanges);
          for (const change of ledgerChanges) {
            const { table, after } = change;
            if (table !== "wallets") continue;
            this.#publishers.wrote(change);
            for (const [invocation, users] of this.#touched) {
              if (invocation !== this.#acting) users.add(after.userId?.S ?? "");
            }
          }
        },
      },
    );
    for (const { code, name, exponent, enabled } of CURRENCIES) {
      const Item = {
        code: { S: code },
        name: { S: name },
        exponent: { N: String(exponent) },
        enabled: { BOOL: enabled },
      };
      model.put({ TableName: "currencies", Item });
    }
    for (const { id, status, types } of ENDPOINTS) {
      const Item = {
        id: { S: id },
        url: { S: "https://receiver.example" },
        ...(types && { types: { L: types.map((type) => ({ S: type })) } }),
        secrets: { L: [{ M: { secret: { S: "whsec_c2VjcmV0" } } }] },
        status: { S: status },
        createdAt: { S: "2029-01-01T00:00:00.000Z" },
      };
      model.put({ TableName: "webhooks", Item });
    }
    return model;
  }
}
