import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import canonicalize from "canonicalize";
import { describe, expect, test } from "vitest";
import * as z from "zod/mini";
import type { Command } from "../../lib/domain/command.ts";
import { decide, evolve } from "../../lib/domain/decide.ts";
import { contentHashOf, detailsHashOf, hashOf, sha256 } from "../../lib/domain/hash.ts";
import { emptyWallet, type Wallet } from "../../lib/domain/state.ts";
import type { Decision } from "../../lib/domain/transaction.ts";
import { type TransactionView, transactionSchema } from "../../lib/http/schemas.ts";
import { transactionView } from "../../lib/http/views.ts";

/** docs/reference/hash-chain.md: its test vectors, its stand-alone verifier, and the ledger agree. */
const REFERENCE = join(import.meta.dirname, "../../docs/reference");
const EXPONENTS: Readonly<Record<string, number>> = { USD: 2, JPY: 0 };

const vectorsSchema = z.strictObject({
  version: z.literal(1),
  decisions: z.array(
    z.strictObject({
      transaction: transactionSchema,
      salt: z.string(),
      detailsText: z.string(),
      hashedText: z.string(),
    }),
  ),
});
const { decisions: vectors } = vectorsSchema.parse(
  JSON.parse(readFileSync(join(REFERENCE, "hash-chain-vectors.json"), "utf8")),
);
const history = vectors.map(({ transaction }) => transaction);
const head = history.at(-1)?.hash;

function runVerifier(input: string, ...args: string[]) {
  const script = join(REFERENCE, "verify-history.mjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { input, encoding: "utf8" });
  return { status, stdout, stderr };
}

const isVerified = { status: 0, stdout: `OK: 5 decisions, head ${head}\n`, stderr: "" };
const isWrong = (message: unknown) => ({ status: 1, stdout: "", stderr: message });

function commandOf({ id, userId, type, actor, createdAt, currency, amount, detailsHash }: TransactionView): Command {
  const exponent = EXPONENTS[currency] ?? Number.NaN;
  const amountMinor = BigInt(amount.replace(".", ""));
  return { id, userId, type, actor, createdAt, currency, exponent, amountMinor, detailsHash };
}

function viewOf(command: Command, decision: Decision, vector: (typeof vectors)[number]): TransactionView {
  const { salt, transaction } = vector;
  const details = { salt, reference: transaction.reference ?? undefined, metadata: transaction.metadata };
  return transactionView({ ...command, ...details, contentHash: contentHashOf(command), decision });
}

describe("the test vectors", () => {
  test("are what the ledger decides", () => {
    let wallet: Wallet = emptyWallet;
    for (const vector of vectors) {
      const command = commandOf(vector.transaction);
      const decision = decide(wallet, command, vector.transaction.decidedAt ?? "");
      expect(viewOf(command, decision, vector)).toEqual(vector.transaction);
      wallet = evolve(decision);
    }
  });

  test.each(vectors)("have the text of $transaction.hash in canonical JSON", ({ transaction, hashedText }) => {
    expect(canonicalize(JSON.parse(hashedText))).toBe(hashedText);
    expect(sha256(hashedText)).toBe(transaction.hash);
  });

  test.each(vectors)("have the details' text of $transaction.hash in canonical JSON", (vector) => {
    const { transaction, salt, detailsText } = vector;
    const { reference, metadata, detailsHash } = transaction;
    expect(JSON.parse(detailsText)).toEqual({ salt, reference, metadata });
    expect(canonicalize(JSON.parse(detailsText))).toBe(detailsText);
    expect(sha256(detailsText)).toBe(detailsHash);
    expect(detailsHashOf({ salt, reference: reference ?? undefined, metadata })).toBe(detailsHash);
  });
});

describe("the stand-alone verifier", () => {
  const asPage = (data: readonly TransactionView[], nextCursor: string | null) => JSON.stringify({ data, nextCursor });

  test.each([
    ["one array", JSON.stringify(history)],
    [
      "one transaction a line, newest first",
      history
        .map((each) => JSON.stringify(each))
        .reverse()
        .join("\n"),
    ],
    ["pages", `${asPage(history.slice(2).reverse(), "2")}\n${asPage(history.slice(0, 2).reverse(), null)}\n`],
  ])("accepts the vectors as %s", (_form, input) => {
    expect(runVerifier(input)).toEqual(isVerified);
  });

  test("refuses what is not JSON, and accepts an empty history", () => {
    const file = join(REFERENCE, "verify-history.mjs");
    expect(runVerifier("", file)).toEqual({ status: 2, stdout: "", stderr: expect.stringContaining("can't be read") });
    expect(runVerifier("")).toEqual({ status: 0, stdout: "OK: 0 decisions, head null\n", stderr: "" });
  });

  /** Every value in a transaction, as the path to it. */
  function pathsIn(value: unknown, path: readonly string[] = []): string[][] {
    if (value === null || typeof value !== "object" || Object.keys(value).length === 0) return [[...path]];
    return Object.entries(value).flatMap(([name, each]) => pathsIn(each, [...path, name]));
  }

  function editedAt(value: unknown, [name, ...path]: readonly string[]): unknown {
    if (name === undefined)
      return typeof value === "number" ? value + 1 : typeof value === "string" ? `${value}0` : "0";
    const copy: unknown = structuredClone(value);
    return Object.assign(Object(copy), { [name]: editedAt(Object(value)[name], path) });
  }

  const isCovered = ([name, inner]: readonly string[]) =>
    name !== "reference" && name !== "metadata" && !(name === "rejection" && inner === "detail");

  const edits = [1, 2, 3].flatMap((index) =>
    pathsIn(history[index])
      .filter(isCovered)
      .map((path) => ({ index, path, name: `${history[index]?.type}.${path.join(".")}` })),
  );

  test.each(edits)("finds another $name in decision $index", ({ index, path }) => {
    const edited = history.map((transaction, at) => (at === index ? editedAt(transaction, path) : transaction));
    expect(runVerifier(JSON.stringify(edited))).toEqual(
      isWrong(expect.stringMatching(/^(UNREADABLE|GAP|PREVIOUS_MISMATCH|HASH_MISMATCH) at sequence \d: .+\n$/)),
    );
  });

  test.each<[string, (transaction: TransactionView) => Partial<TransactionView>, string]>([
    ["amount", () => ({ amount: "0.01" }), "HASH_MISMATCH at sequence 2: the hash is not that of the content\n"],
    ["sign", () => ({ amount: "-30.50" }), "HASH_MISMATCH at sequence 2: the hash is not that of the content\n"],
    ["status", () => ({ status: "pending" }), "UNREADABLE at sequence 2: not a decided transaction of the API\n"],
    [
      "form of zero",
      ({ postings }) => ({ postings: postings.map((each) => ({ ...each, held: "-0.00" })) }),
      "UNREADABLE",
    ],
    ["time", () => ({ decidedAt: "2026-11-27T10:00:01.531Z" }), "HASH_MISMATCH"],
  ])("finds another %s", (_what, edit, message) => {
    const edited = history.map((transaction, at) =>
      at === 1 ? { ...transaction, ...edit(transaction) } : transaction,
    );
    expect(runVerifier(JSON.stringify(edited))).toEqual(isWrong(expect.stringContaining(message)));
  });

  test("finds a decision that is missing, doubled or in another place", () => {
    const [first, second, third, ...others] = history;
    const verdictOf = (transactions: unknown[]) => runVerifier(JSON.stringify(transactions)).stderr;
    expect(verdictOf([first, third, ...others])).toContain("GAP at sequence 2");
    expect(verdictOf([...history, third])).toContain("GAP at sequence 4");
    const swapped = [first, { ...third, sequence: 2 }, { ...second, sequence: 3 }, ...others];
    expect(verdictOf(swapped)).toContain("PREVIOUS_MISMATCH at sequence 2");
  });

  const posting = { currency: "USD", exponent: 2, amountMinor: -6950n, heldMinor: 0n };
  const emptied = { ...posting, balanceAfterMinor: 0n, heldAfterMinor: 0n };
  const usd = (minor: bigint) => new Map([["JPY", 500n] as const, ["USD", minor] as const]);

  test.each<[string, Partial<Command>, Partial<Decision>, string]>([
    [
      "moves another amount than the command's",
      {},
      { postings: [{ ...emptied, amountMinor: -6000n, balanceAfterMinor: 950n }], available: usd(950n) },
      "WRONG_BALANCE at sequence 5: the postings are not those of the movement",
    ],
    [
      "moves money although it is rejected",
      {},
      { outcome: { status: "rejected", code: "balance_limit" } },
      "WRONG_BALANCE at sequence 5: the postings are not those of the movement",
    ],
    [
      "has a balance after it that is not the sum",
      {},
      { postings: [{ ...emptied, balanceAfterMinor: 1n }] },
      "WRONG_BALANCE at sequence 5: the balance is not the sum of the postings",
    ],
    [
      "takes the balance below zero",
      { amountMinor: 7000n },
      { postings: [{ ...emptied, amountMinor: -7000n, balanceAfterMinor: -50n }], available: usd(-50n) },
      "WRONG_BALANCE at sequence 5: the balance is below zero",
    ],
    [
      "is earlier than the previous decision",
      { createdAt: "2026-11-27T10:00:00.000Z" },
      { decidedAt: "2026-11-27T10:00:00.000Z" },
      "WRONG_DECISION at sequence 5: the decision is earlier than its command or the previous decision",
    ],
    ["is another user's", { userId: "bob" }, {}, "WRONG_DECISION at sequence 5: the decision is another user's"],
  ])("finds a decision with the right hash that %s", (_what, commandEdit, decisionEdit, message) => {
    const [vector] = vectors.slice(-1);
    if (!vector) throw new Error("There are no vectors");
    const { sequence, decidedAt, previousHash } = vector.transaction;
    const command = { ...commandOf(vector.transaction), ...commandEdit };
    const decision = {
      sequence: sequence ?? Number.NaN,
      decidedAt: decidedAt ?? "",
      outcome: { status: "posted" },
      postings: [emptied],
      available: new Map([["JPY", 500n]]),
      held: new Map(),
      previousHash: previousHash ?? undefined,
      ...decisionEdit,
    } as const;
    const last = (edited: typeof decision) => viewOf(command, { ...edited, hash: hashOf(command, edited) }, vector);
    expect(runVerifier(JSON.stringify([...history.slice(0, -1), last(decision)]))).toEqual(isWrong(`${message}\n`));
  });
});
