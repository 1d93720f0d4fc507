/**
 * Verifies one user's history with nothing but the API's answers, by the rule in hash-chain.md:
 *
 *     node verify-history.mjs [FILE]
 *
 * FILE, or the standard input, has the decided transactions of `GET /v1/users/{userId}/transactions` in any order: whole
 * pages or single transactions, one JSON value a line, or one JSON array of them. Prints the number of decisions and the
 * hash of the last one, and exits with 0. Otherwise prints the first wrong decision and exits with 1. If the input can't be
 * read, exits with 2. Needs Node 20 or later, and nothing of the ledger.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { text } from "node:stream/consumers";

/** @returns the transactions in a text of JSON values */
function parse(input) {
  let values;
  try {
    values = [JSON.parse(input)];
  } catch {
    values = input.split("\n").flatMap((line) => (line.trim() ? [JSON.parse(line)] : []));
  }
  return values.flat().flatMap((value) => value?.data ?? value);
}

/** Throws the discrepancy of the first wrong decision. */
function verify(transactions) {
  const history = transactions.toSorted((a, b) => a?.sequence - b?.sequence);
  const wallet = { status: "active", balances: new Map(), originals: new Map() };
  let previous;
  for (const [index, transaction] of history.entries()) {
    const where = `sequence ${index + 1}`;
    if (!isDecision(transaction)) throw new Error(`UNREADABLE at ${where}: not a decided transaction of the API`);
    const { sequence, previousHash, hash } = transaction;
    if (sequence !== index + 1) throw new Error(`GAP at ${where}: the next decision has sequence ${sequence}`);
    if (previousHash !== (previous?.hash ?? null)) {
      throw new Error(`PREVIOUS_MISMATCH at ${where}: it does not continue the hash chain`);
    }
    if (transaction.type === "status_change" && transaction.status === "posted") wallet.status = transaction.newStatus;
    applyPostings(transaction, wallet.balances);
    if (hash !== sha256(canonical(contentOf(transaction, wallet)))) {
      throw new Error(`HASH_MISMATCH at ${where}: the hash is not that of the content`);
    }
    const wrong =
      findWrongRule(transaction, previous) ??
      findWrongPosting(transaction, wallet.originals) ??
      findWrongBalance(transaction, wallet.balances);
    if (wrong) throw new Error(`${wrong[0]} at ${where}: ${wrong[1]}`);
    applyToOriginals(transaction, wallet.originals);
    previous = transaction;
  }
  return { decisions: history.length, head: previous?.hash ?? null };
}

function isDecision(transaction) {
  const { sequence, amount, requestedAmount, buy, transfer, status, rejection, postings } = transaction ?? {};
  const hasOutcome = status === "posted" ? rejection === null : status === "rejected" && rejection?.code !== undefined;
  return (
    Number.isSafeInteger(sequence) &&
    [amount, requestedAmount, buy?.amount].every((each) => each === null || each === undefined || isAmount(each)) &&
    (transfer === null || typeof transfer !== "string") &&
    hasOutcome &&
    Array.isArray(postings) &&
    postings.every((posting) => {
      const amounts = [posting?.amount, posting?.held, posting?.balanceAfter, posting?.heldAfter];
      return amounts.every((each) => isAmount(each) && decimalsOf(each) === decimalsOf(posting.amount));
    })
  );
}

/** True for the one text that an amount has with its number of decimals. */
function isAmount(text) {
  return typeof text === "string" && /^(?!-[0.]+$)-?(0|[1-9][0-9]*)(\.[0-9]+)?$/.test(text);
}

/** @returns the exponent of the amount's currency */
function decimalsOf(amount) {
  return amount.split(".")[1]?.length ?? 0;
}

function minorUnitsOf(amount) {
  return BigInt(amount.replace(".", ""));
}

function applyPostings({ postings }, balances) {
  for (const { currency, amount, held } of postings) {
    const before = balances.get(currency) ?? { balance: 0n, held: 0n };
    const after = { balance: before.balance + minorUnitsOf(amount), held: before.held + minorUnitsOf(held) };
    balances.set(currency, after);
  }
}

/** What the hash of a decision is computed from. */
function contentOf(transaction, { status: walletStatus, balances }) {
  const { userId, sequence, previousHash, id, type, actor, createdAt, decidedAt } = transaction;
  const { currency, status, rejection, postings, detailsHash } = transaction;
  const amount = requestedAmountOf(transaction);
  return {
    version: 1,
    userId,
    sequence,
    previousHash,
    id,
    type,
    actor,
    createdAt,
    decidedAt,
    currency,
    exponent: amount === null ? null : decimalsOf(amount),
    amount: amount === null ? null : String(minorUnitsOf(amount)),
    ...withoutNull(ownFieldsOf(transaction)),
    ...withoutNull({ emits: emittedIdOf(transaction) }),
    status,
    rejection: rejection?.code ?? null,
    postings: postings.map((posting) => ({
      currency: posting.currency,
      exponent: decimalsOf(posting.amount),
      amount: String(minorUnitsOf(posting.amount)),
      held: String(minorUnitsOf(posting.held)),
      balanceAfter: String(minorUnitsOf(posting.balanceAfter)),
      heldAfter: String(minorUnitsOf(posting.heldAfter)),
    })),
    walletStatus,
    balances: [...balances.keys()].sort().flatMap((code) => {
      const { balance, held } = balances.get(code);
      return balance === 0n && held === 0n
        ? []
        : [{ currency: code, available: String(balance - held), held: String(held) }];
    }),
    detailsHash,
  };
}

/** @returns the amount of the request, or null if it had none */
function requestedAmountOf({ type, amount, requestedAmount }) {
  if (type === "capture" || type === "reversal") return requestedAmount ?? null;
  return type === "release" || type === "expiry" ? null : (amount ?? null);
}

/** @returns the fields that only the transaction's type has */
function ownFieldsOf({ type, transfer, source, hold, refersTo, final, buy, newStatus }) {
  switch (type) {
    case "transfer":
      return { to: transfer?.to };
    case "credit":
      return { source: withoutNull({ ...source }), refersTo };
    case "hold":
      return { to: hold?.to, expiresAt: hold?.expiresAt };
    case "capture":
      return { refersTo, final, to: transfer?.to };
    case "release":
    case "expiry":
      return { refersTo };
    case "exchange":
      return {
        bought: buy && {
          currency: buy.currency,
          exponent: decimalsOf(buy.amount ?? ""),
          amount: String(minorUnitsOf(buy.amount ?? "")),
        },
      };
    case "reversal":
      return { refersTo, to: transfer?.to };
    case "status_change":
      return { newStatus };
    default:
      return {};
  }
}

/** @returns the id of the credit that the decision causes in another wallet, or null if it causes none */
function emittedIdOf({ userId, id, type, status, transfer }) {
  if (type === "credit") return status === "rejected" ? derivedId("return", userId, id) : null;
  return transfer?.creditId ?? null;
}

function derivedId(...parts) {
  return `tx_${sha256(JSON.stringify(["", ...parts]))}`;
}

function withoutNull(object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null && value !== undefined));
}

/** RFC 8785: no white space, and the names in the order of their UTF-16 code units. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

function sha256(content) {
  return createHash("sha256").update(content).digest("base64url");
}

function findWrongRule(transaction, previous) {
  const { userId, id, createdAt, decidedAt, amount, transfer, postings } = transaction;
  if (userId !== (previous ?? transaction).userId) return ["WRONG_DECISION", "it is another user's"];
  if (decidedAt < createdAt || decidedAt < (previous?.decidedAt ?? "")) {
    return ["WRONG_DECISION", "it is earlier than its command or the previous decision"];
  }
  if (transfer?.creditId && transfer.creditId !== derivedId("credit", userId, id)) {
    return ["WRONG_DECISION", "its credit has another id than the ledger derives"];
  }
  const [posting] = postings;
  const moved = posting && (minorUnitsOf(posting.amount) === 0n ? posting.held : posting.amount).replace("-", "");
  if (amount !== (requestedAmountOf(transaction) ?? moved ?? null)) {
    return ["WRONG_DECISION", "the amount is neither the requested one nor what the postings moved"];
  }
  return undefined;
}

/** @param originals what later transactions can refer to, by id: its type, its postings, and what remains of it */
function findWrongPosting(transaction, originals) {
  const { type, status, postings, refersTo } = transaction;
  const original = originals.get(refersTo);
  const requested = requestedAmountOf(transaction);
  if (status === "posted" && refersTo) {
    const isOfHold = type === "capture" || type === "release" || type === "expiry";
    if (!original || (original.type === "hold") !== isOfHold) {
      return ["WRONG_DECISION", "it refers to no earlier transaction that allows it"];
    }
    const takesMinor = requested === null ? 1n : minorUnitsOf(requested);
    if (type !== "credit" && takesMinor > original.remaining) {
      return ["WRONG_DECISION", "it takes more than remains of what it refers to"];
    }
  }
  const expected = status === "posted" ? changesOf(transaction, original) : [];
  if (!expected) return ["WRONG_DECISION", "the type of the movement is unknown"];
  const isRight =
    postings.length === expected.length &&
    postings.every(({ currency, amount, held }, index) => {
      const { decimals, ...change } = expected[index];
      return (
        currency === change.currency &&
        decimalsOf(amount) === decimals &&
        minorUnitsOf(amount) === change.amount &&
        minorUnitsOf(held) === change.held
      );
    });
  return isRight ? undefined : ["WRONG_BALANCE", "the postings are not those of the movement"];
}

/** @returns what a posted movement changes, or undefined for an unknown type */
function changesOf(transaction, original) {
  const { type, currency, final, buy } = transaction;
  const requested = requestedAmountOf(transaction);
  const minor = requested === null ? original?.remaining : minorUnitsOf(requested);
  const decimals = decimalsOf(requested ?? original?.postings[0].amount ?? "");
  const change = (amount, held = 0n) => ({ currency, decimals, amount, held });
  switch (type) {
    case "deposit":
    case "credit":
      return [change(minor)];
    case "withdrawal":
    case "transfer":
      return [change(-minor)];
    case "hold":
      return [change(0n, minor)];
    case "capture":
      return [change(-minor, final ? -original.remaining : -minor)];
    case "release":
    case "expiry":
      return [change(0n, -original.remaining)];
    case "exchange": {
      const bought = { currency: buy.currency, decimals: decimalsOf(buy.amount), amount: minorUnitsOf(buy.amount) };
      return [change(-minor), { ...bought, held: 0n }];
    }
    case "reversal":
      return original.postings.map((posting) => {
        const before = minorUnitsOf(posting.amount);
        const part = before > 0n ? -minor : minor;
        const amount = original.type === "exchange" ? -before : part;
        return { currency: posting.currency, decimals: decimalsOf(posting.amount), amount, held: 0n };
      });
    case "status_change":
      return [];
    default:
      return undefined;
  }
}

function applyToOriginals(transaction, originals) {
  const { id, type, status, amount, source, transfer, refersTo, postings } = transaction;
  if (status !== "posted") return;
  const original = originals.get(refersTo);
  if (original) original.remaining += changeOfRemaining(transaction);
  const canBeReferredTo =
    ["deposit", "withdrawal", "hold", "exchange"].includes(type) ||
    (type === "capture" && transfer === null) ||
    (type === "credit" && (source.type === "transfer" || source.type === "capture"));
  if (canBeReferredTo) originals.set(id, { type, postings, remaining: minorUnitsOf(amount) });
}

function changeOfRemaining({ type, amount, postings }) {
  if (type === "credit") return minorUnitsOf(amount);
  return type === "reversal" ? -minorUnitsOf(amount) : minorUnitsOf(postings[0].held);
}

function findWrongBalance({ postings }, balances) {
  for (const { currency, balanceAfter, heldAfter } of postings) {
    const { balance, held } = balances.get(currency);
    if (minorUnitsOf(balanceAfter) !== balance || minorUnitsOf(heldAfter) !== held) {
      return ["WRONG_BALANCE", "the balance is not the sum of the postings"];
    }
    if (held < 0n || balance < held) return ["WRONG_BALANCE", "the balance is below zero"];
  }
  return undefined;
}

const [, , file] = process.argv;
let transactions;
try {
  transactions = parse(await text(file === undefined ? process.stdin : createReadStream(file)));
} catch (error) {
  console.error(`The history can't be read: ${error.message}`);
  process.exit(2);
}
try {
  const { decisions, head } = verify(transactions);
  console.log(`OK: ${decisions} decisions, head ${head}`);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
