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

/** What later decisions can refer to. */
interface Original {
  readonly type: string;
  readonly postings: readonly Posting[];
  readonly remaining: bigint;
}

/** The wallet after some decisions. */
interface State {
  status: string;
  previous: Decision | undefined;
  readonly balances: Map<string, { readonly balance: bigint; readonly held: bigint }>;
  readonly originals: Map<string, Original>;
}

interface Change {
  readonly currency: string | null;
  readonly decimals: number;
  readonly amount: bigint;
  readonly held: bigint;
}

type Wrong = readonly [code: HistoryErrorCode, detail: string];

/**
 * Verifies a user's history offline, by the rule of the hash chain: every decision follows from its content and the one before
 * it, and is one that the ledger can have made. The rule is in docs/reference/hash-chain.md.
 *
 * A whole history can be recomputed by whoever can write the ledger's tables. Compare `head` with the `hash` of
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
  history.sort((a, b) => Number(Object(a).sequence) - Number(Object(b).sequence));

  const state: State = { status: "active", previous: undefined, balances: new Map(), originals: new Map() };
  for (const [index, transaction] of history.entries()) {
    const [code, detail] = (await findWrong(transaction, index + 1, state)) ?? [];
    if (code && detail) return { isValid: false, code, sequence: index + 1, detail };
  }
  return { isValid: true, decisions: history.length, head: state.previous?.hash ?? null };
}

/** Adds the next decision to the state. @returns what is wrong with it, if anything */
async function findWrong(decision: unknown, sequence: number, state: State): Promise<Wrong | undefined> {
  const { previous } = state;
  if (!isDecision(decision)) return ["UNREADABLE", "not a decided transaction of the API"];
  if (decision.sequence !== sequence) return ["GAP", `the next decision has sequence ${decision.sequence}`];
  if (decision.previousHash !== (previous?.hash ?? null)) {
    return ["PREVIOUS_MISMATCH", "the decision does not continue the hash chain"];
  }
  state.status = (decision.status === "posted" && decision.newStatus) || state.status;
  for (const { currency, amount, held } of decision.postings) {
    const before = state.balances.get(currency) ?? { balance: 0n, held: 0n };
    state.balances.set(currency, { balance: before.balance + minorOf(amount), held: before.held + minorOf(held) });
  }
  if (decision.hash !== (await hashOf(await contentOf(decision, state)))) {
    return ["HASH_MISMATCH", "the hash is not that of the content"];
  }
  const wrong =
    (await findWrongRule(decision, previous)) ?? findWrongPosting(decision, state) ?? findWrongBalance(decision, state);
  applyToOriginals(decision, state.originals);
  state.previous = decision;
  return wrong;
}

/** Checks every member that the functions below use. */
function isDecision(value: unknown): value is Decision {
  const of: Partial<Record<keyof Decision, unknown>> = Object(value);
  const { postings, rejection, status, transfer, source, hold, buy } = of;
  const texts = [of.userId, of.id, of.type, of.createdAt, of.decidedAt];
  const amounts = [of.amount, of.requestedAmount].filter((amount) => (amount ?? null) !== null);
  return (
    texts.every((text) => typeof text === "string") &&
    Number.isSafeInteger(of.sequence) &&
    [...amounts, ...(buy ? [Object(buy).amount] : [])].every(isAmount) &&
    [transfer, source, hold, buy].every((member) => typeof (member ?? {}) === "object") &&
    (status === "posted" ? rejection === null : status === "rejected" && typeof Object(rejection).code === "string") &&
    Array.isArray(postings) &&
    postings.every((posting) => {
      const { amount, held, balanceAfter, heldAfter } = Object(posting);
      return [amount, held, balanceAfter, heldAfter].every(
        (each) => isAmount(each) && decimalsOf(each) === decimalsOf(amount),
      );
    })
  );
}

/** True for the one text that an amount has with its number of decimals. */
function isAmount(value: unknown): value is string {
  return typeof value === "string" && /^(?!-[0.]+$)-?(0|[1-9][0-9]*)(\.[0-9]+)?$/.test(value);
}

/** @returns the exponent of the amount's currency */
function decimalsOf(amount: string): number {
  return amount.split(".")[1]?.length ?? 0;
}

function minorOf(amount: string): bigint {
  return BigInt(amount.replace(".", ""));
}

/** What the hash of a decision is computed from. */
async function contentOf(decision: Decision, { status: walletStatus, balances }: State): Promise<object> {
  const { userId, sequence, previousHash, id, type, actor, createdAt, decidedAt } = decision;
  const { currency, status, rejection, postings, detailsHash } = decision;
  return {
    version: 1,
    ...{ userId, sequence, previousHash, id, type, actor, createdAt, decidedAt, currency },
    ...(minorWithExponent(requestedAmountOf(decision)) ?? { exponent: null, amount: null }),
    ...withoutNull(ownFieldsOf(decision)),
    ...withoutNull({ emits: await emittedIdOf(decision) }),
    status,
    rejection: rejection?.code ?? null,
    postings: postings.map(({ currency, amount, held, balanceAfter, heldAfter }) => ({
      currency,
      ...minorWithExponent(amount),
      held: String(minorOf(held)),
      balanceAfter: String(minorOf(balanceAfter)),
      heldAfter: String(minorOf(heldAfter)),
    })),
    walletStatus,
    balances: [...balances]
      .filter(([, { balance, held }]) => balance !== 0n || held !== 0n)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([code, { balance, held }]) => ({ currency: code, available: String(balance - held), held: String(held) })),
    detailsHash,
  };
}

function minorWithExponent(amount: string | null) {
  return amount === null ? undefined : { exponent: decimalsOf(amount), amount: String(minorOf(amount)) };
}

/** @returns the amount of the request, or null if it had none */
function requestedAmountOf({ type, amount, requestedAmount = null }: Decision): string | null {
  if (type === "capture" || type === "reversal") return requestedAmount;
  return type === "release" || type === "expiry" ? null : amount;
}

/** @returns the fields that only the transaction's type has */
function ownFieldsOf({ type, transfer, source, hold, refersTo, final, buy, newStatus }: Decision): object {
  switch (type) {
    case "transfer":
      return { to: transfer?.to };
    case "credit":
      return { source: withoutNull({ ...source }), refersTo };
    case "hold":
      return { to: hold?.to, expiresAt: hold?.expiresAt };
    case "capture":
      return { refersTo, final, to: transfer?.to };
    case "exchange":
      return { bought: buy && { currency: buy.currency, ...minorWithExponent(buy.amount) } };
    case "reversal":
      return { refersTo, to: transfer?.to };
    default:
      return { refersTo, newStatus };
  }
}

/** @returns the id of the credit that the decision causes in another wallet, or null if it causes none */
async function emittedIdOf({ userId, id, type, status, transfer }: Decision): Promise<string | null> {
  if (type === "credit") return status === "rejected" ? derivedId("return", userId, id) : null;
  return transfer?.creditId ?? null;
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
  return base64.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** RFC 8785: no white space, and the names in the order of their UTF-16 code units. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`).join(",")}}`;
}

async function findWrongRule(decision: Decision, previous: Decision = decision): Promise<Wrong | undefined> {
  const { userId, id, createdAt, decidedAt, amount, transfer, postings } = decision;
  if (userId !== previous.userId) return ["WRONG_DECISION", "the decision is another user's"];
  if (decidedAt < createdAt || decidedAt < previous.decidedAt) {
    return ["WRONG_DECISION", "the decision is earlier than its command or the previous decision"];
  }
  if (transfer?.creditId && transfer.creditId !== (await derivedId("credit", userId, id))) {
    return ["WRONG_DECISION", "the credit in the other wallet has another id than the ledger derives"];
  }
  const [posting] = postings;
  const moved = posting && (minorOf(posting.amount) === 0n ? posting.held : posting.amount).replace("-", "");
  return amount === (requestedAmountOf(decision) ?? moved ?? null)
    ? undefined
    : ["WRONG_DECISION", "the amount is neither the requested one nor what the postings moved"];
}

function findWrongPosting(decision: Decision, { originals }: State): Wrong | undefined {
  const { type, status, postings, refersTo } = decision;
  const original = originals.get(refersTo ?? "");
  const requested = requestedAmountOf(decision);
  if (status === "posted" && refersTo) {
    const isOfHold = type === "capture" || type === "release" || type === "expiry";
    if (!original || (original.type === "hold") !== isOfHold) {
      return ["WRONG_DECISION", "it refers to no earlier transaction that allows it"];
    }
    const takesMinor = requested === null ? 1n : minorOf(requested);
    if (type !== "credit" && takesMinor > original.remaining) {
      return ["WRONG_DECISION", "it takes more than remains of what it refers to"];
    }
  }
  const expected = status === "posted" ? changesOf(decision, original) : [];
  if (!expected) return ["WRONG_DECISION", "the movement is not complete, or its type is unknown"];
  const isRight =
    postings.length === expected.length &&
    postings.every(({ currency, amount, held }, index) => {
      const change = expected[index];
      return (
        currency === change?.currency &&
        decimalsOf(amount) === change.decimals &&
        minorOf(amount) === change.amount &&
        minorOf(held) === change.held
      );
    });
  return isRight ? undefined : ["WRONG_BALANCE", "the postings are not those of the movement"];
}

/** @returns what a posted movement changes, or `undefined` for one that is not complete or has an unknown type */
function changesOf(decision: Decision, original: Original | undefined): readonly Change[] | undefined {
  const { type, currency, final, buy } = decision;
  if (type === "status_change") return [];
  const requested = requestedAmountOf(decision);
  const { remaining } = original ?? {};
  const minor = requested === null ? remaining : minorOf(requested);
  if (minor === undefined) return undefined;
  const decimals = decimalsOf(requested ?? original?.postings[0]?.amount ?? "");
  const change = (amount: bigint, held = 0n): readonly Change[] => [{ currency, decimals, amount, held }];
  switch (type) {
    case "deposit":
    case "credit":
      return change(minor);
    case "withdrawal":
    case "transfer":
      return change(-minor);
    case "hold":
      return change(0n, minor);
    case "capture":
      return change(-minor, final && remaining !== undefined ? -remaining : -minor);
    case "release":
    case "expiry":
      return change(0n, -minor);
    case "exchange":
      return (
        buy && [
          ...change(-minor),
          { currency: buy.currency, decimals: decimalsOf(buy.amount), amount: minorOf(buy.amount), held: 0n },
        ]
      );
    case "reversal":
      return original?.postings.map((posting) => {
        const before = minorOf(posting.amount);
        const part = before > 0n ? -minor : minor;
        const amount = original.type === "exchange" ? -before : part;
        return { currency: posting.currency, decimals: decimalsOf(posting.amount), amount, held: 0n };
      });
    default:
      return undefined;
  }
}

function findWrongBalance({ postings }: Decision, { balances }: State): Wrong | undefined {
  for (const { currency, balanceAfter, heldAfter } of postings) {
    const { balance, held } = balances.get(currency) ?? { balance: 0n, held: 0n };
    if (minorOf(balanceAfter) !== balance || minorOf(heldAfter) !== held) {
      return ["WRONG_BALANCE", "the balance is not the sum of the postings"];
    }
    if (held < 0n || balance < held) return ["WRONG_BALANCE", "the balance is below zero"];
  }
  return undefined;
}

function applyToOriginals(decision: Decision, originals: Map<string, Original>): void {
  const { id, type, status, amount, source, transfer, refersTo, postings } = decision;
  if (status !== "posted" || amount === null) return;
  const original = originals.get(refersTo ?? "");
  const [posting] = postings;
  if (original && posting) {
    const taken = type === "credit" ? minorOf(amount) : type === "reversal" ? -minorOf(amount) : minorOf(posting.held);
    originals.set(refersTo ?? "", { ...original, remaining: original.remaining + taken });
  }
  const canBeReferredTo =
    ["deposit", "withdrawal", "hold", "exchange"].includes(type) ||
    (type === "capture" && !transfer) ||
    (type === "credit" && (source?.type === "transfer" || source?.type === "capture"));
  if (canBeReferredTo) originals.set(id, { type, postings, remaining: minorOf(amount) });
}
