import {
  CURRENCIES,
  FAULT_KINDS,
  type FaultKind,
  type Faults,
  FORGED_FIELDS,
  FORGERY_MOMENTS,
  type Forgery,
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
  const users = shuffled(NAMES, random).slice(0, random.int(2, 5));
  const spanMs = random.pick([300, 2000, 10_000, 60_000]);
  const faultFree = random.chance(0.2);
  const operations = operationsOf(users, spanMs, random);
  const faults = faultsOf(users, spanMs, faultFree, random);
  const settings = settingsOf(random);
  // After an outage an operator redrives up to three times, while other faults go on.
  for (const { toMs } of faults.outages) {
    for (const time of [1, 2, 3]) {
      const timed = { id: `redrive${time}`, atMs: toMs + time * REDRIVE_AFTER_OUTAGE_MS, userId: random.pick(users) };
      if (random.chance(0.5)) operations.push({ ...timed, kind: "redrive", how: "tool" });
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
    if (kind < 0.62) {
      const movement = movementOf(timed, users, keys(userId, index), refuses && random.chance(0.2), random);
      last.set(userId, movement);
      operations.push(movement);
    } else if (kind < 0.7) {
      const before = last.get(userId);
      if (before) operations.push(reuse(before, timed, random));
    } else if (kind < 0.8) {
      operations.push({
        ...timed,
        // Some reads are of moments that are final.
        atMs: timed.atMs + random.pick([0, 0, 1000, 40_000]),
        kind: "read",
        what: random.pick(["balances", "past", "past", "history", "history", "statement", "statement", "currencies"]),
      });
    } else if (kind < 0.88) {
      const route = random.pick([
        "deposit",
        "withdrawal",
        "balances",
        "transactions",
        "transaction",
        "statements",
      ] as const);
      const callerId = random.pick(users.filter((other) => other !== userId));
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
  return operations;
}

function key(_user: string, index: number): string {
  // Pairs of keys that differ only by case.
  return index % 2 === 0 ? `Key-${index >> 1}` : `key-${index >> 1}`;
}

function movementOf(
  timed: { readonly id: string; readonly atMs: number; readonly userId: string },
  users: readonly string[],
  key: string,
  isInvalidWrite: boolean,
  random: Random,
): Movement {
  const { code } = random.pick(CURRENCIES.filter(({ enabled }) => enabled));
  const huge = code === "ETH" && random.chance(0.15);
  return {
    ...timed,
    kind: "movement",
    type: random.chance(0.55) ? "deposit" : "withdrawal",
    currency: code,
    amountMinor: huge ? NEARLY_ALL + BigInt(random.int(0, 4)) : amountOf(code, random),
    key,
    asAdmin: random.chance(0.05),
    waitSeconds: random.chance(0.15) ? random.pick([1, 5, 20]) : 0,
    retriesAfterMs: RETRIES_AFTER_MS.filter(() => random.chance(0.15)),
    isInvalidWrite,
    forgery: random.chance(0.06) ? forgeryOf(timed.userId, users, random) : undefined,
  };
}

function forgeryOf(userId: string, users: readonly string[], random: Random): Forgery {
  return {
    at: random.pick(FORGERY_MOMENTS),
    delayMs: random.pick([0, 0, 5, 100, 10_000]),
    field: random.pick(FORGED_FIELDS),
    groupIds: random.pick([[userId], [userId], users, users.filter((other) => other !== userId)]),
    takesDeduplicationId: random.chance(0.5),
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
  if (random.chance(0.3)) return { ...again, type: before.type === "deposit" ? "withdrawal" : "deposit" };
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
