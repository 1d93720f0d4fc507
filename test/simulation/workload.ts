import {
  type Batch,
  CURRENCIES,
  FAULT_KINDS,
  type FaultKind,
  type Faults,
  FORGED_FIELDS,
  FORGERY_MOMENTS,
  type Forgery,
  INTRUSION_ROUTES,
  type Movement,
  type Operation,
  type Outage,
  type Plan,
  RETRIES_AFTER_MS,
} from "./plan.ts";
import { Random } from "./random.ts";

/** Names that differ by case or a suffix, and names that an object used as a map mistakes for its members. */
const NAMES = [
  "alice",
  "Alice",
  "alice.b",
  "al",
  "bob",
  "__proto__",
  "google-oauth2|1",
  "constructor",
  "zoe@example.com",
];
const READS = [
  "balances",
  "past",
  "past",
  "history",
  "history",
  "statement",
  "statement",
  "holds",
  "currencies",
] as const;
const REDRIVE_AFTER_OUTAGE_MS = 60_000;
const NEARLY_ALL = 10n ** 36n - 5n;
const INVALID_BODIES = [
  { body: { currency: "USD", amount: "1.234" }, code: "amount_scale" },
  { body: { currency: "ETH", amount: `1.${"1".repeat(19)}` }, code: "amount_scale" },
  { body: { currency: "USD", amount: "0.00" }, code: "amount_zero" },
  { body: { currency: "USD", amount: "-1" }, code: "amount_invalid" },
  { body: { currency: "USD", amount: "1e3" }, code: "amount_invalid" },
  { body: { currency: "USD", amount: "1".repeat(37) }, code: "amount_limit" },
  { body: { currency: "XXX", amount: "1" }, code: "unknown_currency" },
  { body: { currency: "OLD", amount: "1" }, code: "unknown_currency" },
  { body: { currency: "usd", amount: "1" }, code: "unknown_currency" },
  { body: { currency: "USD", amount: 1 }, code: "validation_failed" },
  { body: { currency: "USD", amount: "1", userId: "bob" }, code: "validation_failed" },
] as const;

/** The plan of a seed: operations, faults and settings. */
export function planOf(seed: number): Plan {
  const random = new Random(seed, "plan");
  const named = shuffled(NAMES, random).slice(0, random.int(2, 5));
  const spanMs = random.pick([300, 2000, 10_000, 60_000]);
  const faultFree = random.chance(0.2);
  const operations = operationsOf(named, spanMs, random);
  const users = [...new Set([...named, ...movementsIn(operations).map(({ userId }) => userId)])];
  const faults = faultsOf(users, spanMs, faultFree, random);
  const settings = settingsOf(random);
  // After an outage an operator redrives up to three times, while other faults go on.
  for (const { toMs } of faults.outages) {
    for (const time of [1, 2, 3]) {
      const timed = { id: `redrive${time}`, atMs: toMs + time * REDRIVE_AFTER_OUTAGE_MS, userId: random.pick(users) };
      if (random.chance(0.5)) operations.push({ ...timed, kind: "redrive", how: "tool" });
    }
  }
  // While a write can be late, what is final and what is not shows in moments that have just passed.
  if (faults.rates.lateEffect !== undefined) {
    for (let index = 1; index <= 10; index++) {
      const timed = { id: `late${index}`, atMs: random.next() * (spanMs + 4000), userId: random.pick(users) };
      operations.push({ ...timed, kind: "read", what: "past" });
    }
  }
  // Consumers that pause while the queue dead-letters their records: the only way for two of them to process different
  // commands of one user at once.
  if (faultFree || !random.chance(0.1)) return { seed, users, operations, faults, settings };
  return {
    seed,
    users,
    operations,
    faults: { ...faults, rates: { ...faults.rates, stall: 0.15 } },
    settings: { ...settings, receivesMax: 1, batchMax: 2, functionTimeouts: false },
  };
}

function settingsOf(random: Random): Plan["settings"] {
  return {
    batchMax: random.int(1, 10),
    consumersMax: random.int(1, 5),
    latencyMs: random.pick([2, 5, 20]),
    receivesMax: random.pick([5, 5, 5, 2, 1]),
    pageItemsMax: random.pick([2, 5, 1000]),
    warm: random.pick([0, 0.8, 1]),
    redriveAtEnd: random.pick(["tool", "native", "none"]),
    readAllAtEnd: true,
    functionTimeouts: random.chance(0.7),
  };
}

function operationsOf(users: readonly string[], spanMs: number, random: Random): Operation[] {
  const operations: Operation[] = [];
  const count = random.int(6, 40);
  // In some runs one user sends most of the commands.
  const hot = random.chance(0.4) ? users[0] : undefined;
  const keys = random.chance(0.5) ? (user: string, index: number) => `${user === "al" ? "K" : "k"}${index}` : key;
  const last = new Map<string, Movement>();
  const refuses = random.chance(0.15);
  for (let index = 1; index <= count; index++) {
    const userId = hot && random.chance(0.7) ? hot : random.pick(users);
    const timed = { id: `op${index}`, atMs: random.next() * spanMs, userId };
    const kind = random.next();
    if (kind < 0.03) {
      operations.push(batchOf(timed, users, index, refuses, operations, random));
    } else if (kind < 0.62) {
      const movement = movementOf(timed, users, keys(userId, index), refuses && random.chance(0.2), operations, random);
      last.set(userId, movement);
      operations.push(movement, ...consequencesOf(movement, random));
    } else if (kind < 0.7) {
      const before = last.get(userId);
      if (before) operations.push(reuse(before, timed, random));
    } else if (kind < 0.8) {
      operations.push({
        ...timed,
        // Some reads are of moments that are final.
        atMs: timed.atMs + random.pick([0, 0, 1000, 40_000]),
        kind: "read",
        what: random.pick(READS),
      });
    } else if (kind < 0.88) {
      const route = random.pick(INTRUSION_ROUTES);
      const isForAdmins = route === "exchange" || route === "status_change" || route === "batch";
      const callerId = random.pick(users.filter((other) => other !== userId || isForAdmins));
      operations.push({ ...timed, kind: "intrusion", callerId, route });
    } else if (kind < 0.91) {
      const flaw = random.pick(["missing", "expired", "forged", "audience", "issuer", "unsigned", "retired"] as const);
      operations.push({ ...timed, ...(flaw === "retired" && { atMs: spanMs + 3_600_000 }), kind: "badToken", flaw });
    } else if (kind < 0.94) {
      operations.push({ ...timed, kind: "invalid", ...random.pick(INVALID_BODIES) });
    } else if (kind < 0.97) {
      const how = random.pick(["malformed", "unknown_transaction", "other_version"] as const);
      operations.push({ ...timed, kind: "poison", how });
    } else if (kind < 0.975) {
      operations.push({ ...timed, kind: "switch", currency: "JPY", enabled: false });
      operations.push({
        ...timed,
        id: `${timed.id}on`,
        atMs: timed.atMs + 90_000,
        kind: "switch",
        currency: "JPY",
        enabled: true,
      });
    } else {
      operations.push({ ...timed, atMs: timed.atMs + 400_000, kind: "redrive", how: random.pick(["tool", "native"]) });
    }
  }
  if (random.chance(0.5)) operations.push(...random.pick(SCENARIOS)(spanMs, random));
  else if (random.chance(0.1)) operations.push(...payroll(spanMs, random));
  return operations;
}

function key(_user: string, index: number): string {
  // Pairs of keys that differ only by case.
  return index % 2 === 0 ? `Key-${index >> 1}` : `key-${index >> 1}`;
}

interface TimedUser {
  readonly id: string;
  readonly atMs: number;
  readonly userId: string;
}

function movementOf(
  timed: TimedUser,
  users: readonly string[],
  key: string,
  isInvalidWrite: boolean,
  earlier: readonly Operation[],
  random: Random,
): Movement {
  const { code } = random.pick(CURRENCIES.filter(({ enabled }) => enabled));
  const huge = code === "ETH" && random.chance(0.15);
  const movements = movementsIn(earlier);
  const common = {
    ...timed,
    kind: "movement",
    currency: code,
    amountMinor: huge ? NEARLY_ALL + BigInt(random.int(0, 4)) : amountOf(code, random),
    key,
    asAdmin: random.chance(0.05),
    waitSeconds: random.chance(0.15) ? random.pick([1, 5, 20]) : 0,
    retriesAfterMs: RETRIES_AFTER_MS.filter(() => random.chance(0.15)),
    isInvalidWrite,
    forgery: random.chance(0.06) ? forgeryOf(timed.userId, users, random) : undefined,
  } as const;
  const others = users.filter((user) => user !== timed.userId);
  switch (weighted(TYPES, random)) {
    case "withdrawal":
      return { ...common, type: "withdrawal" };
    case "transfer":
      return { ...common, type: "transfer", to: random.pick(others) };
    case "hold": {
      const lifeMs = random.pick([undefined, 500, 5000, 60_000, 400_000]);
      const expiresAtMs = lifeMs && Math.floor(timed.atMs) + lifeMs;
      return { ...common, type: "hold", expiresAtMs, ...(random.chance(0.5) && { to: random.pick(others) }) };
    }
    case "capture":
      return captureOf(common, movements, random) ?? { ...common, type: "deposit" };
    case "reversal":
      return reversalOf(common, movements, random) ?? { ...common, type: "deposit" };
    case "exchange": {
      const bought = random.pick(CURRENCIES.filter((currency) => currency.enabled && currency.code !== code)).code;
      const boughtAmount = { currency: bought, amountMinor: amountOf(bought, random) };
      return { ...common, type: "exchange", asAdmin: true, bought: boughtAmount };
    }
    case "status_change":
      return statusChange(common, random.pick(["active", "frozen", "frozen", "closed"]));
    default:
      // Large enough for several of the others.
      return { ...common, type: "deposit", amountMinor: common.amountMinor * (huge ? 1n : random.pick([1n, 5n])) };
  }
}

/** The movements of single requests and of batches. */
function movementsIn(operations: readonly Operation[]): Movement[] {
  return operations.flatMap((operation) => {
    if (operation.kind === "batch") return operation.commands;
    return operation.kind === "movement" ? [operation] : [];
  });
}

/** Commands of an operator, in most batches for one user. In some a key occurs twice. */
function batchOf(
  timed: TimedUser,
  users: readonly string[],
  index: number,
  refuses: boolean,
  earlier: readonly Operation[],
  random: Random,
): Batch {
  const isForOne = random.chance(0.6);
  const commands: Movement[] = [];
  for (let number = random.int(1, 8); number > 0; number--) {
    const own = { ...timed, id: `${timed.id}.${number}`, userId: isForOne ? timed.userId : random.pick(users) };
    const movement = movementOf(own, users, `b${index}.${number}`, refuses && random.chance(0.2), earlier, random);
    const byOperator = { ...movement, asAdmin: true, callerId: undefined, waitSeconds: 0, retriesAfterMs: [] };
    commands.push({ ...byOperator, key: own.id });
  }
  const [first] = commands;
  if (first && random.chance(0.15)) commands.push({ ...reuse(first, timed, random), waitSeconds: 0 });
  return { ...timed, kind: "batch", commands, retriesAfterMs: RETRIES_AFTER_MS.filter(() => random.chance(0.2)) };
}

type Common = Omit<Movement, "type">;

/** Types of movements, and how many of a hundred are of each. */
const TYPES = [
  ["deposit", 33],
  ["withdrawal", 13],
  ["transfer", 16],
  ["hold", 12],
  ["capture", 13],
  ["reversal", 7],
  ["exchange", 3],
  ["status_change", 3],
] as const;

function weighted<T>(weights: readonly (readonly [T, number])[], random: Random): T | undefined {
  let left = random.next() * weights.reduce((sum, [, weight]) => sum + weight, 0);
  return weights.find(([, weight]) => {
    left -= weight;
    return left < 0;
  })?.[0];
}

function statusChange(common: Common, newStatus: NonNullable<Movement["newStatus"]>): Movement {
  return { ...common, type: "status_change", amountMinor: undefined, asAdmin: true, newStatus };
}

/** A capture or a release of an earlier hold, by one who may ask for it, or by the other one of them. */
function captureOf(common: Common, movements: readonly Movement[], random: Random): Movement | undefined {
  const holds = movements.filter(({ type }) => type === "hold");
  if (holds.length === 0) return undefined;
  const hold = random.chance(0.5) ? (holds.at(-1) ?? random.pick(holds)) : random.pick(holds);
  const isByOther = hold.to !== undefined && random.chance(0.9);
  const type = random.chance(0.8) ? "capture" : "release";
  // Some are close to the time at which the hold expires, or at which its expiry is sent.
  const aroundMs = hold.expiresAtMs !== undefined && random.chance(0.3) ? random.pick([0, 60_000]) : undefined;
  const aroundAtMs = (hold.expiresAtMs ?? 0) + (aroundMs ?? 0) + random.pick([-50, -1, 0, 1, 50, 1000]);
  const part = random.pick([1n, hold.amountMinor ?? 1n, (hold.amountMinor ?? 1n) / 2n || 1n, undefined]);
  return {
    ...common,
    type,
    userId: hold.userId,
    currency: hold.currency,
    amountMinor: type === "capture" ? part : undefined,
    atMs: aroundMs === undefined ? hold.atMs + random.pick([0, 20, 200, 3000]) * random.next() : aroundAtMs,
    refersTo: { ...keyOf(hold), isCredit: false },
    ...(type === "capture" && { final: random.chance(0.5) }),
    // The two users' keys are separate.
    ...(isByOther && !common.asAdmin && { callerId: hold.to, ...(random.chance(0.2) && { key: hold.key }) }),
  };
}

/** The reversal of an earlier movement by an operator, or the refund of a credit by its receiver. */
function reversalOf(common: Common, movements: readonly Movement[], random: Random): Movement | undefined {
  const originals = movements.filter(({ type }) => type !== "status_change" && type !== "release");
  if (originals.length === 0) return undefined;
  const original = random.pick(originals);
  const receiver = creditedUser(original);
  const isRefund = receiver !== undefined && random.chance(0.9);
  const part = random.pick([1n, original.amountMinor ?? 1n, undefined, undefined]);
  return {
    ...common,
    type: "reversal",
    userId: isRefund ? receiver : original.userId,
    currency: original.currency,
    amountMinor: original.type === "exchange" ? undefined : part,
    atMs: original.atMs + random.pick([20, 200, 3000, 70_000]) * random.next(),
    refersTo: { ...keyOf(original), isCredit: isRefund },
    // Some users try to reverse what only an operator may.
    asAdmin: isRefund ? common.asAdmin : random.chance(0.9),
  };
}

function keyOf({ userId, key, callerId }: Movement) {
  return { userId, key, callerId };
}

/** The user to whose wallet a movement sends a credit. */
function creditedUser({ type, to, callerId }: Movement): string | undefined {
  return type === "transfer" ? to : type === "capture" ? callerId : undefined;
}

/** The sweeps after which a hold can be expired, and the end of a frozen or closed time. */
function consequencesOf(movement: Movement, random: Random): Operation[] {
  const { id, atMs, userId, type, expiresAtMs, newStatus } = movement;
  if (type === "hold" && expiresAtMs !== undefined && random.chance(0.7)) {
    const dueMs = expiresAtMs + 60_000 + random.pick([-2000, 0, 1, 2500]);
    return [dueMs, dueMs + 65_000].map((sweepMs, index) => ({
      ...{ kind: "sweep", id: `${id}.sweep${index}` },
      ...{ atMs: sweepMs, userId },
    }));
  }
  if (creditedUser(movement) !== undefined && random.chance(0.2)) {
    return [{ kind: "sweep", id: `${id}.sweep`, atMs: atMs + random.pick([50, 61_000, 130_000]), userId }];
  }
  if (type === "status_change" && newStatus !== "active" && random.chance(0.8)) {
    const later = { ...movement, id: `${id}.end`, key: `${movement.key}.end`, forgery: undefined, retriesAfterMs: [] };
    return [statusChange({ ...later, atMs: atMs + random.pick([10, 500, 5000]) }, "active")];
  }
  return [];
}

/** A step of a scenario: its time, its user, and what it does. */
type Step = readonly [atMs: number, userId: string, Partial<Movement> & Pick<Movement, "type">];

function scenario(name: string, startMs: number, steps: readonly Step[]): Movement[] {
  return steps.map(([atMs, userId, movement], index) => ({
    kind: "movement",
    id: `${name}${index + 1}`,
    atMs: startMs + atMs,
    userId,
    currency: "USD",
    amountMinor: 100n,
    key: `${name}${index + 1}`,
    asAdmin: movement.type === "status_change",
    waitSeconds: 0,
    retriesAfterMs: [],
    isInvalidWrite: false,
    forgery: undefined,
    ...movement,
  }));
}

/** A wallet without money is closed while money for it is in transit, so that it comes back. */
function closingRace(spanMs: number, random: Random): Operation[] {
  const [sender, receiver] = ["race-sender", "race-receiver"];
  const closesAtMs = 1000 + random.pick([0, 5, 20, 50, 100]) * random.next();
  return scenario("race", random.next() * spanMs, [
    [0, sender, { type: "deposit", amountMinor: 300n }],
    [0, receiver, { type: "status_change", amountMinor: undefined, newStatus: "active" }],
    [1000, sender, { type: "transfer", to: receiver, waitSeconds: random.pick([0, 20]) }],
    [closesAtMs, receiver, { type: "status_change", amountMinor: undefined, newStatus: "closed" }],
    [closesAtMs + 40 * random.next(), sender, { type: "transfer", to: receiver }],
    [60_000, receiver, { type: "status_change", amountMinor: undefined, newStatus: "active" }],
    [70_000, sender, { type: "transfer", to: receiver }],
  ]);
}

/** Money comes back to a wallet that was closed meanwhile, or that is full. */
function unwelcomeReturn(spanMs: number, random: Random): Operation[] {
  const [sender, receiver] = ["return-sender", "return-receiver"];
  const soon = () => 1000 + random.pick([0, 5, 20, 60]) * random.next();
  const isFull = random.chance(0.5);
  const money = isFull ? { currency: "ETH", amountMinor: 7n } : {};
  const meanwhile: Step[2] = isFull
    ? { type: "deposit", ...money }
    : { type: "status_change", amountMinor: undefined, newStatus: "closed" };
  return scenario("return", random.next() * spanMs, [
    [0, sender, { type: "deposit", ...money, ...(isFull && { amountMinor: 10n ** 36n - 1n }) }],
    [0, receiver, { type: "status_change", amountMinor: undefined, newStatus: "active" }],
    [1000, sender, { type: "transfer", to: receiver, ...money }],
    [soon(), receiver, { type: "status_change", amountMinor: undefined, newStatus: "closed" }],
    [soon() + 20, sender, meanwhile],
    [60_000, sender, { type: "status_change", amountMinor: undefined, newStatus: "active" }],
    [70_000, sender, { type: "withdrawal", ...money }],
  ]);
}

/** The sender of a transfer is closed, so that the receiver's refund comes back and can be repeated. */
function returnedRefund(spanMs: number, random: Random): Operation[] {
  const [sender, receiver] = ["refund-sender", "refund-receiver"];
  const refund = (amountMinor: bigint | undefined): Step[2] => ({
    type: "reversal",
    amountMinor,
    refersTo: { userId: sender, key: "refund3", isCredit: true },
  });
  return scenario("refund", random.next() * spanMs, [
    [0, sender, { type: "deposit" }],
    [0, receiver, { type: "status_change", amountMinor: undefined, newStatus: "active" }],
    [500, sender, { type: "transfer", to: receiver }],
    [3000, sender, { type: "status_change", amountMinor: undefined, newStatus: "closed" }],
    [5000, receiver, refund(60n)],
    [5000 + random.pick([0, 100, 1000]) * random.next(), receiver, refund(random.pick([40n, 50n, undefined]))],
    [100_000, sender, { type: "status_change", amountMinor: undefined, newStatus: "active" }],
    [110_000, receiver, refund(undefined)],
    [110_000, receiver, refund(1n)],
  ]);
}

/** Captures and releases of one hold around each other and around its expiry, and refunds of what was captured. */
function promisedHold(spanMs: number, random: Random): Operation[] {
  const [buyer, shop] = ["hold-buyer", "hold-shop"];
  const startMs = Math.floor(random.next() * spanMs);
  const lifeMs = random.pick([2000, 60_000, 90_000]);
  const isPromised = random.chance(0.7);
  const promise = isPromised ? { to: shop } : {};
  const closer = { ...(isPromised && { callerId: shop }), refersTo: { userId: buyer, key: "hold3", isCredit: false } };
  const capture = (amountMinor: bigint | undefined): Step[2] => ({
    ...closer,
    type: "capture",
    amountMinor,
    final: random.chance(0.4),
  });
  const anAmount = () => random.pick([30n, 50n, 100n, 101n, undefined]);
  const soon = () => 1500 + random.pick([0, 0, 30, 1000]) * random.next();
  const late = () => 1000 + lifeMs + random.pick([-random.int(0, 25), -random.int(0, 25), 1, 59_990, 60_500, 62_000]);
  const steps: Step[] = [
    [0, buyer, { type: "deposit", amountMinor: random.pick([150n, 100n]) }],
    [0, shop, { type: "status_change", amountMinor: undefined, newStatus: "active" }],
    [1000, buyer, { type: "hold", ...promise, expiresAtMs: startMs + 1000 + lifeMs }],
  ];
  // In some runs there is nothing but small captures in the last milliseconds.
  if (random.chance(0.3)) {
    const small = { ...capture(10n), final: false };
    const times = [25, 20, 15, 10, 5].map((beforeMs) => 1000 + lifeMs - beforeMs * random.next());
    return scenario("hold", startMs, [...steps, ...times.map((atMs): Step => [atMs, buyer, small])]);
  }
  steps.push(
    [1300, buyer, { ...capture(random.pick([30n, 50n, 70n])), final: random.chance(0.2) }],
    [soon(), buyer, random.chance(0.7) ? capture(anAmount()) : { ...closer, type: "release", amountMinor: undefined }],
    [soon(), buyer, { type: "withdrawal", amountMinor: random.pick([50n, 51n]) }],
    [late(), buyer, random.chance(0.8) ? capture(anAmount()) : { ...closer, type: "release", amountMinor: undefined }],
    [late() + 1, buyer, capture(anAmount())],
  );
  if (random.chance(0.3))
    steps.push([1200, buyer, { type: "status_change", amountMinor: undefined, newStatus: "closed" }]);
  const captured = { userId: buyer, key: "hold4", callerId: isPromised ? shop : undefined, isCredit: isPromised };
  const refund = { type: "reversal", refersTo: captured, asAdmin: !isPromised } as const;
  const refunder = isPromised ? shop : buyer;
  for (const atMs of [2500, 2500, 4000]) {
    if (random.chance(0.6))
      steps.push([atMs, refunder, { ...refund, amountMinor: random.pick([20n, 30n, undefined]) }]);
  }
  if (random.chance(0.3)) {
    steps.push([soon(), buyer, { type: "status_change", amountMinor: undefined, newStatus: "frozen" }]);
    steps.push([lifeMs, buyer, { type: "status_change", amountMinor: undefined, newStatus: "active" }]);
  }
  const sweeps = [0, 65_000].map((delayMs, index) => ({
    ...({ kind: "sweep", id: `holdSweep${index}`, userId: buyer } as const),
    atMs: startMs + 1000 + lifeMs + 60_000 + delayMs + random.pick([-2000, 0, 1, 1500]),
  }));
  return [...scenario("hold", startMs, steps), ...sweeps];
}

/** A batch that does not fit into one write. */
function payroll(spanMs: number, random: Random): Operation[] {
  const startMs = random.next() * spanMs;
  const employees = ["employee1", "employee2", "employee3"];
  const wages = Array.from({ length: random.int(50, 53) }, (_, index): Step => {
    const isRefused = random.chance(0.01);
    const to = employees[index % employees.length];
    return [
      1000,
      "employer",
      { type: "transfer", to, asAdmin: true, amountMinor: random.pick([1n, 2n, 3n]), isInvalidWrite: isRefused },
    ];
  });
  const [id, atMs, userId] = ["payroll", startMs + 1000, "employer"];
  return [
    ...scenario("wallet", startMs, [
      [0, "employer", { type: "deposit", amountMinor: 100n }],
      ...employees.map(
        (name): Step => [0, name, { type: "status_change", amountMinor: undefined, newStatus: "active" }],
      ),
    ]),
    {
      kind: "batch",
      id,
      atMs,
      userId,
      commands: scenario("wage", startMs, wages),
      retriesAfterMs: random.pick([[], [0], [70_000]]),
    },
  ];
}

const SCENARIOS = [closingRace, unwelcomeReturn, unwelcomeReturn, returnedRefund, promisedHold, promisedHold];

function forgeryOf(userId: string, users: readonly string[], random: Random): Forgery {
  return {
    at: random.pick(FORGERY_MOMENTS),
    delayMs: random.pick([0, 0, 5, 100, 10_000]),
    field: random.pick(FORGED_FIELDS),
    ofCredit: random.chance(0.3),
    groupIds: random.pick([[userId], [userId], users, users.filter((other) => other !== userId)]),
    takesDeduplicationId: random.chance(0.5),
    isBehindMalformed: random.chance(0.3),
  };
}

/** Small, so that balances often become zero or do not suffice; or with more digits than a float holds. */
function amountOf(code: string, random: Random): bigint {
  if (code === "ETH" && random.chance(0.5)) return 10n ** 20n + BigInt(random.int(1, 1000));
  return BigInt(random.int(1, 10)) * (code === "USD" ? 50n : 1n);
}

/** Another request with the same key, with the same content or another. */
function reuse(before: Movement, timed: { readonly id: string; readonly atMs: number }, random: Random): Movement {
  const { id, atMs } = timed;
  const again = { ...before, id, atMs, retriesAfterMs: [], forgery: undefined, waitSeconds: random.pick([0, 0, 5]) };
  if (random.chance(0.4)) return again;
  if (before.type === "deposit" || before.type === "withdrawal") {
    if (random.chance(0.3)) return { ...again, type: before.type === "deposit" ? "withdrawal" : "deposit" };
  }
  if (before.type === "status_change") return { ...again, newStatus: "active" };
  if (before.type === "capture" && random.chance(0.5)) return { ...again, final: !before.final };
  if (before.type === "exchange" || before.type === "release" || before.amountMinor === undefined) return again;
  return { ...again, amountMinor: before.amountMinor === 1n ? 2n : before.amountMinor - 1n };
}

function faultsOf(users: readonly string[], spanMs: number, faultFree: boolean, random: Random): Faults {
  const rates: Partial<Record<FaultKind, number>> = {};
  for (const kind of FAULT_KINDS) {
    if (!faultFree && random.chance(0.3)) rates[kind] = random.pick([0.01, 0.05, 0.2]);
  }
  const skewMs = random.pick([0, 0, 2000]);
  const consumerSkewMs = random.pick([0, 0, 1000, 8000]);
  const lagMs = random.pick([0, 50, 2000]);
  const keys = { ...(random.chance(0.2) && { rotatedAtMs: random.next() * spanMs }), unreachable: [] };
  const faults: Faults = { rates, outages: [], keys, skewMs, consumerSkewMs, lagMs, crashAt: [], suppressed: [] };
  if (faultFree) return faults;
  return {
    ...faults,
    outages: outagesOf(users, spanMs, random),
    keys: { ...keys, unreachable: random.chance(0.2) ? [interval(spanMs, random, 20_000)] : [] },
  };
}

function outagesOf(users: readonly string[], spanMs: number, random: Random): Outage[] {
  if (random.chance(0.6)) return [];
  const how = random.pick(["throttle", "timeout", "error"] as const);
  // Some are long enough for the queue to dead-letter messages.
  const span = interval(spanMs, random, random.pick([1000, 20_000, 400_000]));
  return [{ ...span, how, ...(random.chance(0.7) && { userId: random.pick(users) }) }];
}

function interval(spanMs: number, random: Random, lengthMs: number): { fromMs: number; toMs: number } {
  const fromMs = random.next() * spanMs;
  return { fromMs, toMs: fromMs + lengthMs * random.next() };
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
