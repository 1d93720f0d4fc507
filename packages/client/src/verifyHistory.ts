/**
 * Why a history is wrong. `UNREADABLE`: no decided transaction of the API. `GAP`: a decision is missing or doubled.
 * `PREVIOUS_MISMATCH`: a decision does not continue the hash chain. `HASH_MISMATCH`: a decision was changed. `WRONG_DECISION`,
 * `WRONG_BALANCE`: a decision that the ledger can't have made, although its hash is right.
 */
export type HistoryErrorCode =
  | "UNREADABLE"
  | "GAP"
  | "PREVIOUS_MISMATCH"
  | "HASH_MISMATCH"
  | "WRONG_DECISION"
  | "WRONG_BALANCE";

export type HistoryResult =
  | {
      readonly isValid: true;
      readonly decisions: number;
      /** Hash of the last decision; null for an empty history. */
      readonly head: string | null;
    }
  | {
      readonly isValid: false;
      readonly code: HistoryErrorCode;
      /** Sequence number of the first wrong decision. */
      readonly sequence: number;
      readonly detail: string;
    };

interface Posting {
  readonly currency: string;
  readonly amount: string;
  readonly held: string;
  readonly balanceAfter: string;
  readonly heldAfter: string;
}

/** What the rule of the hash chain needs of a decided transaction of any type. */
interface Decision {
  readonly userId: string;
  readonly sequence: number;
  readonly previousHash: string | null;
  readonly hash: string;
  readonly id: string;
  readonly type: string;
  readonly actor: string;
  readonly createdAt: string;
  readonly decidedAt: string;
  readonly currency: string | null;
  readonly amount: string | null;
  readonly requestedAmount?: string | null;
  readonly status: string;
  readonly rejection: { readonly code: string } | null;
  readonly postings: readonly Posting[];
  readonly detailsHash: string;
  readonly refersTo?: string | null;
  readonly final?: boolean;
  readonly transfer?: { readonly to: string; readonly creditId: string | null } | null;
  readonly source?: { readonly type: string };
  readonly hold?: { readonly to: string | null; readonly expiresAt: string };
  readonly buy?: { readonly currency: string; readonly amount: string };
  readonly newStatus?: string;
}

/** An amount in minor units, with the number of its decimals. */
interface Minor {
  readonly exponent: number;
  readonly amount: bigint;
}

/** A change of one currency, in minor units. */
interface Change extends Minor {
  readonly currency: string | null;
  readonly held: bigint;
}

/** What later decisions can refer to. */
interface Original {
  readonly type: string;
  readonly changes: readonly Change[];
  remaining: bigint;
}

/** The wallet after some decisions. */
interface State {
  status: string;
  previous: Decision | undefined;
  readonly balances: Map<string, { readonly balance: bigint; readonly held: bigint }>;
  readonly originals: Map<unknown, Original>;
}

type Wrong = readonly [code: HistoryErrorCode, detail: string];

/**
 * Verifies a user's history offline, by the rule of the hash chain: every decision follows from its content and the one before
 * it, and is one that the ledger can have made. The rule is in docs/reference/hash-chain.md.
 *
 * Anyone who can write the ledger's tables can recompute a whole history. Compare `head` with the `hash` of
 * `wallet.balances()`, and the hash of an earlier decision with one that you kept.
 *
 * @param transactions all decided transactions of one user as the API has them, in any order
 * @example
 * ```ts
 * const result = await verifyHistory(wallet.transactions({ limit: 100 }));
 * if (!result.isValid) console.log(`${result.code} at sequence ${result.sequence}: ${result.detail}`);
 * ```
 */
export async function verifyHistory(transactions: Iterable<unknown> | AsyncIterable<unknown>): Promise<HistoryResult> {
  const history: unknown[] = [];
  for await (const transaction of transactions) history.push(transaction);
  history.sort((a, b) => Object(a).sequence - Object(b).sequence);

  const state: State = { status: "active", previous: undefined, balances: new Map(), originals: new Map() };
  for (const [index, transaction] of history.entries()) {
    const [code, detail] = (await findWrong(transaction, index + 1, state)) ?? [];
    if (code && detail) return { isValid: false, code, sequence: index + 1, detail };
  }
  return { isValid: true, decisions: history.length, head: state.previous?.hash ?? null };
}

/** Adds the next decision to the state. @returns what is wrong with it, if anything */
async function findWrong(decision: unknown, sequence: number, state: State): Promise<Wrong | undefined> {
  const { previous, balances, originals } = state;
  if (!isDecision(decision)) return ["UNREADABLE", "not a decided transaction of the API"];
  if (decision.sequence !== sequence) return ["GAP", `the next decision has sequence ${decision.sequence}`];
  if (decision.previousHash !== (previous?.hash ?? null)) {
    return ["PREVIOUS_MISMATCH", "it does not continue the hash chain"];
  }
  const { status, newStatus, refersTo, postings } = decision;
  state.status = (status === "posted" && newStatus) || state.status;
  state.previous = decision;
  let wrongBalance: Wrong | undefined;
  for (const { currency, amount, held, balanceAfter, heldAfter } of postings) {
    const before = balances.get(currency) ?? { balance: 0n, held: 0n };
    const after = { balance: before.balance + unitsOf(amount), held: before.held + unitsOf(held) };
    balances.set(currency, after);
    if (unitsOf(balanceAfter) !== after.balance || unitsOf(heldAfter) !== after.held) {
      wrongBalance = ["WRONG_BALANCE", "the balance is not the sum of the postings"];
    } else if (after.held < 0n || after.balance < after.held) {
      wrongBalance = ["WRONG_BALANCE", "the balance is below zero"];
    }
  }
  if (decision.hash !== (await hashOf(await contentOf(decision, state)))) {
    return ["HASH_MISMATCH", "the hash is not that of the content"];
  }
  const wrong = (await findBrokenRule(decision, originals.get(refersTo), previous)) ?? wrongBalance;
  if (status === "posted") applyToOriginals(decision, originals);
  return wrong;
}

/** Checks every member that the functions below use. */
function isDecision(value: unknown): value is Decision {
  const of: Partial<Record<keyof Decision, unknown>> = Object(value);
  const { postings, rejection, status, transfer, buy } = of;
  const amounts = [of.amount ?? "0", of.requestedAmount ?? "0", buy ? Object(buy).amount : "0"];
  return (
    [of.userId, of.id, of.type, of.createdAt, of.decidedAt].every((text) => typeof text === "string") &&
    Number.isSafeInteger(of.sequence) &&
    amounts.every(isAmount) &&
    typeof (transfer ?? {}) === "object" &&
    (status === "posted" ? rejection === null : status === "rejected" && typeof Object(rejection).code === "string") &&
    Array.isArray(postings) &&
    postings.every((posting) =>
      ["amount", "held", "balanceAfter", "heldAfter"].every((name) => {
        const amount: unknown = Object(posting)[name];
        return isAmount(amount) && exponentOf(amount) === exponentOf(posting.amount);
      }),
    )
  );
}

/** True for the one text that an amount has with its number of decimals. */
function isAmount(value: unknown): value is string {
  return typeof value === "string" && /^(?!-[0.]+$)-?(0|[1-9][0-9]*)(\.[0-9]+)?$/.test(value);
}

function unitsOf(amount: string): bigint {
  return BigInt(amount.replace(".", ""));
}

function minorOf(amount: string): Minor {
  return { exponent: exponentOf(amount), amount: unitsOf(amount) };
}

/** @returns the number of decimals, which is the exponent of the currency */
function exponentOf(amount: string): number {
  return amount.split(".")[1]?.length ?? 0;
}

/** @returns the amount of the request, if it had one. A capture and a reversal have a member for it. */
function requestedOf({ type, amount, requestedAmount }: Decision): string | null | undefined {
  return requestedAmount === undefined && !/^(release|expiry)$/.test(type) ? amount : requestedAmount;
}

const HASHED_AS_IT_IS = [
  ...(["userId", "sequence", "previousHash", "id", "type", "actor", "createdAt", "decidedAt"] as const),
  ...(["currency", "status", "detailsHash"] as const),
];

/** What the hash of a decision is computed from. */
async function contentOf(decision: Decision, state: State): Promise<object> {
  const { transfer, source, hold, refersTo, final, buy, newStatus } = decision;
  const requested = requestedOf(decision);
  return {
    version: 1,
    ...Object.fromEntries(HASHED_AS_IT_IS.map((name) => [name, decision[name]])),
    ...(requested ? minorOf(requested) : { exponent: null, amount: null }),
    // The fields that only some types have.
    ...withoutNull({
      to: transfer?.to ?? hold?.to,
      expiresAt: hold?.expiresAt,
      source: source && withoutNull(source),
      ...{ refersTo, final, newStatus },
      bought: buy && { currency: buy.currency, ...minorOf(buy.amount) },
      emits: await emittedIdOf(decision),
    }),
    rejection: decision.rejection?.code ?? null,
    postings: decision.postings.map((posting) => ({
      ...changeOf(posting),
      balanceAfter: unitsOf(posting.balanceAfter),
      heldAfter: unitsOf(posting.heldAfter),
    })),
    walletStatus: state.status,
    balances: [...state.balances]
      .filter(([, { balance, held }]) => balance || held)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([currency, { balance, held }]) => ({ currency, available: balance - held, held })),
  };
}

function changeOf({ currency, amount, held }: Posting): Change {
  return { currency, ...minorOf(amount), held: unitsOf(held) };
}

/** @returns the id of the credit that the decision causes in another wallet, if it causes one */
async function emittedIdOf({ userId, id, type, status, transfer }: Decision): Promise<string | null | undefined> {
  return type === "credit" && status === "rejected" ? derivedId("return", userId, id) : transfer?.creditId;
}

async function derivedId(...parts: readonly string[]): Promise<string> {
  return `tx_${await hashOf(["", ...parts])}`;
}

function withoutNull(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => (value ?? null) !== null));
}

/** SHA-256 of the canonical JSON in base64url. */
async function hashOf(content: unknown): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(canonical(content)));
  const base64 = btoa(String.fromCharCode(...new Uint8Array(digest)));
  return base64.replace(/\+/g, "-").replace(/\//g, "_").replace("=", "");
}

/** RFC 8785: no white space, and the names in the order of their UTF-16 code units. Minor units are strings. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical)}]`;
  if (typeof value === "bigint") return `"${value}"`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`)}}`;
}

/** @returns which rule of the ledger the decision breaks, if any */
async function findBrokenRule(
  decision: Decision,
  original: Original | undefined,
  previous = decision,
): Promise<Wrong | undefined> {
  const { userId, id, type, createdAt, decidedAt, amount, transfer, postings, status, refersTo } = decision;
  if (userId !== previous.userId) return ["WRONG_DECISION", "it is another user's"];
  if (decidedAt < createdAt || decidedAt < previous.decidedAt) {
    return ["WRONG_DECISION", "it is earlier than its command or the previous decision"];
  }
  if (transfer?.creditId && transfer.creditId !== (await derivedId("credit", userId, id))) {
    return ["WRONG_DECISION", "its credit has another id than the ledger derives"];
  }
  const requested = requestedOf(decision);
  const [posting] = postings;
  const moved = posting && (unitsOf(posting.amount) ? posting.amount : posting.held).replace("-", "");
  if (amount !== (requested ?? moved ?? null)) {
    return ["WRONG_DECISION", "the amount is neither the requested one nor what the postings moved"];
  }
  const isPosted = status === "posted";
  if (isPosted && refersTo) {
    const isOfHold = /^(capture|release|expiry)$/.test(type);
    if (!original || (original.type === "hold") !== isOfHold) {
      return ["WRONG_DECISION", "it refers to no earlier transaction that allows it"];
    }
    if (type !== "credit" && (requested ? unitsOf(requested) : 1n) > original.remaining) {
      return ["WRONG_DECISION", "it takes more than remains of what it refers to"];
    }
  }
  const expected = isPosted ? changesOf(decision, original) : [];
  if (!expected) return ["WRONG_DECISION", "the type of the movement is unknown"];
  return canonical(postings.map(changeOf)) === canonical(expected)
    ? undefined
    : ["WRONG_BALANCE", "the postings are not those of the movement"];
}

/** @returns what a posted movement changes, or `undefined` for one that is not complete or has an unknown type */
function changesOf(decision: Decision, original: Original | undefined): readonly Change[] | undefined {
  const { type, currency, final, buy } = decision;
  if (type === "status_change") return [];
  const { remaining, changes = [] } = original ?? {};
  const requested = requestedOf(decision);
  const { exponent, amount: taken } = requested ? minorOf(requested) : { ...changes[0], amount: remaining };
  if (taken === undefined || exponent === undefined) return undefined;
  const change = (amount: bigint, held = 0n): Change => ({ currency, exponent, amount, held });
  switch (type) {
    case "deposit":
    case "credit":
      return [change(taken)];
    case "withdrawal":
    case "transfer":
      return [change(-taken)];
    case "hold":
      return [change(0n, taken)];
    case "capture":
      return [change(-taken, -((final && remaining) || taken))];
    case "release":
    case "expiry":
      return [change(0n, -taken)];
    case "exchange":
      return buy && [change(-taken), { currency: buy.currency, ...minorOf(buy.amount), held: 0n }];
    case "reversal":
      return changes.map((each) => {
        const amount = original?.type === "exchange" ? each.amount : each.amount > 0n ? taken : -taken;
        return { ...each, amount: -amount, held: 0n };
      });
    default:
      return undefined;
  }
}

function applyToOriginals(decision: Decision, originals: Map<unknown, Original>): void {
  const { id, type, amount, source, transfer, refersTo } = decision;
  if (amount === null) return;
  const original = originals.get(refersTo);
  const changes = decision.postings.map(changeOf);
  const remaining = unitsOf(amount);
  const change = type === "credit" ? remaining : type === "reversal" ? -remaining : changes[0]?.held;
  if (original && change) original.remaining += change;
  const canBeReferredTo =
    /^(deposit|withdrawal|hold|exchange)$/.test(type) ||
    (type === "capture" && !transfer?.to) ||
    (type === "credit" && /^(transfer|capture)$/.test(source?.type ?? ""));
  if (canBeReferredTo) originals.set(id, { type, changes, remaining });
}
