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

/** Sign of the one posting that a movement makes. */
const SIGNS = new Map([
  ["deposit", 1n],
  ["withdrawal", -1n],
]);

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
  const balances = new Map();
  let previous;
  for (const [index, transaction] of history.entries()) {
    const where = `sequence ${index + 1}`;
    if (!isDecision(transaction)) throw new Error(`UNREADABLE at ${where}: not a decided transaction of the API`);
    const { sequence, previousHash, hash } = transaction;
    if (sequence !== index + 1) throw new Error(`GAP at ${where}: the next decision has sequence ${sequence}`);
    if (previousHash !== (previous?.hash ?? null)) {
      throw new Error(`PREVIOUS_MISMATCH at ${where}: the decision does not continue the hash chain`);
    }
    applyPostings(transaction, balances);
    if (hash !== sha256(canonical(contentOf(transaction, balances)))) {
      throw new Error(`HASH_MISMATCH at ${where}: the hash is not that of the content`);
    }
    const wrong = findWrongRule(transaction, previous) ?? findWrongBalance(transaction, balances);
    if (wrong) throw new Error(`${wrong[0]} at ${where}: ${wrong[1]}`);
    previous = transaction;
  }
  return { decisions: history.length, head: previous?.hash ?? null };
}

function isDecision(transaction) {
  const { sequence, amount, status, rejection, postings } = transaction ?? {};
  const hasOutcome = status === "posted" ? rejection === null : status === "rejected" && rejection?.code !== undefined;
  return (
    Number.isSafeInteger(sequence) &&
    isAmount(amount) &&
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
function contentOf(transaction, balances) {
  const { userId, sequence, previousHash, id, type, actor, createdAt, decidedAt } = transaction;
  const { currency, amount, status, rejection, postings, detailsHash } = transaction;
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
    exponent: decimalsOf(amount),
    amount: String(minorUnitsOf(amount)),
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
    balances: [...balances.keys()].sort().flatMap((code) => {
      const { balance, held } = balances.get(code);
      return balance === 0n && held === 0n
        ? []
        : [{ currency: code, available: String(balance - held), held: String(held) }];
    }),
    detailsHash,
  };
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
  const { userId, type, status, createdAt, decidedAt, currency, amount, postings } = transaction;
  if (userId !== (previous ?? transaction).userId) return ["WRONG_DECISION", "the decision is another user's"];
  if (decidedAt < createdAt || decidedAt < (previous?.decidedAt ?? "")) {
    return ["WRONG_DECISION", "the decision is earlier than its command or the previous decision"];
  }
  const sign = SIGNS.get(type);
  if (sign === undefined) return ["WRONG_DECISION", "the type of the movement is unknown"];
  const isRight =
    status === "posted"
      ? postings.length === 1 &&
        postings[0].currency === currency &&
        decimalsOf(postings[0].amount) === decimalsOf(amount) &&
        minorUnitsOf(postings[0].amount) === sign * minorUnitsOf(amount) &&
        minorUnitsOf(postings[0].held) === 0n
      : postings.length === 0;
  return isRight ? undefined : ["WRONG_BALANCE", "the postings are not those of the movement"];
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
