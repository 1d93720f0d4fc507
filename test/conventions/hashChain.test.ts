import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import canonicalize from "canonicalize";
import { describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { COMMAND_TYPES } from "../../lib/domain/command.ts";
import { decide, evolve } from "../../lib/domain/decide.ts";
import { emittedBy } from "../../lib/domain/emitted.ts";
import { detailsHashOf, hashOf } from "../../lib/domain/hash.ts";
import { sha256 } from "../../lib/domain/sha256.ts";
import { emptyWallet, type State } from "../../lib/domain/state.ts";
import { type DecidedTransaction, type Decision, isDecided, pendingTransaction } from "../../lib/domain/transaction.ts";
import { type TransactionView, transactionSchema } from "../../lib/http/schemas.ts";
import { transactionView } from "../../lib/http/views.ts";
import { commandSchema } from "../../lib/ledger/commandSchema.ts";
import { verifyHistory } from "../../packages/client/src/index.ts";
import { inMemoryPorts } from "../../testkit/inMemoryPorts.ts";
import { moveAll, movementsInMemory } from "../../testkit/movements.ts";

/** docs/reference/hash-chain.md: its test vectors, its stand-alone verifier, the client's `verifyHistory`, and the ledger agree. */
const REFERENCE = join(import.meta.dirname, "../../docs/reference");
const EXPONENTS: Readonly<Record<string, number>> = { USD: 2, JPY: 0 };

const vectorsSchema = z.strictObject({
  version: z.literal(1),
  decisions: z.array(
    z.strictObject({
      transaction: transactionSchema,
      salt: z.nullable(z.string()),
      detailsText: z.string(),
      hashedText: z.string(),
    }),
  ),
});
type Vector = z.output<typeof vectorsSchema>["decisions"][number];
const { decisions: vectors } = vectorsSchema.parse(
  JSON.parse(readFileSync(join(REFERENCE, "hash-chain-vectors.json"), "utf8")),
);
const history = vectors.map(({ transaction }) => transaction);
const head = history.at(-1)?.hash;

const hashedCommand = commandSchema(
  { object: z.object, text: () => z.string(), time: z.string(), minor: z.bigint(), digits: z.int() },
  { detailsHash: z.string() },
);

/** The command that a vector's hashed text is about. */
function commandIn({ hashedText }: Vector) {
  const { currency, amount, bought, ...hashed } = JSON.parse(hashedText);
  return hashedCommand.parse({
    ...hashed,
    currency: currency ?? undefined,
    exponent: EXPONENTS[currency],
    amountMinor: amount === null ? undefined : BigInt(amount),
    bought: bought && { ...bought, amountMinor: BigInt(bought.amount) },
  });
}

function detailsIn({ salt, transaction: { reference, metadata } }: Vector) {
  return { salt: salt ?? undefined, reference: reference ?? undefined, metadata };
}

/** The vectors' commands, decided by the ledger. */
function decideAll(): DecidedTransaction[] {
  const pending = vectors.map((vector) => pendingTransaction(commandIn(vector), detailsIn(vector)));
  let state: State = { wallet: emptyWallet, referred: new Map(pending.map((each) => [each.id, each])) };
  for (const [index, command] of pending.entries()) {
    state = evolve(state, command, decide(state, command, history[index]?.decidedAt ?? ""));
  }
  return [...state.referred.values()].filter(isDecided);
}

function transferStatusIn(view: TransactionView | undefined) {
  return (view && "transfer" in view && view.transfer?.status) || undefined;
}

function runVerifier(input: string, ...args: string[]) {
  const script = join(REFERENCE, "verify-history.mjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { input, encoding: "utf8" });
  return { status, stdout, stderr };
}

/** The client's `verifyHistory`, with the output of the script. */
async function runClient(input: string) {
  const result = await verifyHistory(JSON.parse(input));
  return result.isValid
    ? { status: 0, stdout: `OK: ${result.decisions} decisions, head ${result.head}\n`, stderr: "" }
    : { status: 1, stdout: "", stderr: `${result.code} at sequence ${result.sequence}: ${result.detail}\n` };
}

const isVerified = { status: 0, stdout: `OK: ${history.length} decisions, head ${head}\n`, stderr: "" };
const isWrong = (message: unknown) => ({ status: 1, stdout: "", stderr: message });

describe("the test vectors", () => {
  test("are what the ledger decides", () => {
    const views = decideAll().map((transaction, at) => transactionView(transaction, transferStatusIn(history[at])));
    expect(views).toEqual(history);
  });

  test("have every type", () => {
    expect([...new Set(history.map(({ type }) => type))].sort()).toEqual([...COMMAND_TYPES].sort());
  });

  test.each(vectors)("have the text of $transaction.hash in canonical JSON", ({ transaction, hashedText }) => {
    expect(canonicalize(JSON.parse(hashedText))).toBe(hashedText);
    expect(sha256(hashedText)).toBe(transaction.hash);
  });

  test.each(vectors)("have the details' text of $transaction.hash in canonical JSON", (vector) => {
    const { transaction, salt, detailsText } = vector;
    const { reference, metadata, detailsHash } = transaction;
    expect(JSON.parse(detailsText)).toEqual({ ...(salt !== null && { salt }), reference, metadata });
    expect(canonicalize(JSON.parse(detailsText))).toBe(detailsText);
    expect(sha256(detailsText)).toBe(detailsHash);
    expect(detailsHashOf(detailsIn(vector))).toBe(detailsHash);
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
});

/** Every value in a transaction, as the path to it. */
function pathsIn(value: unknown, path: readonly string[] = []): string[][] {
  if (value === null || typeof value !== "object" || Object.keys(value).length === 0) return [[...path]];
  return Object.entries(value).flatMap(([name, each]) => pathsIn(each, [...path, name]));
}

function editedAt(value: unknown, [name, ...path]: readonly string[]): unknown {
  if (name === undefined) return typeof value === "number" ? value + 1 : typeof value === "string" ? `${value}0` : "0";
  const copy: unknown = structuredClone(value);
  return Object.assign(Object(copy), { [name]: editedAt(Object(value)[name], path) });
}

/** What later transactions change, and what the chain has only a hash of. */
const isCovered = ([name, inner]: readonly string[]) =>
  !["reference", "metadata", "reversed"].includes(name ?? "") &&
  !["rejection.detail", "transfer.status", "hold.remaining", "hold.status"].includes(`${name}.${inner}`);

/** Fields that each type has in its own way. */
const isOwn = (name = "") => ["amount", "currency"].includes(name) || !(name in Object(history[19]));

/** Each field once, and the types' own once for each type. */
const edits = new Map(
  history.flatMap((transaction, index) =>
    pathsIn(transaction)
      .filter(isCovered)
      .map((path) => {
        const name = path.join(".");
        return [isOwn(path[0]) ? `${transaction.type}.${name}` : name, { index, path }] as const;
      }),
  ),
);

describe.each([
  ["the stand-alone verifier", runVerifier],
  ["verifyHistory of the client", runClient],
])("%s", async (_name, run) => {
  test("accepts the vectors in any order, and an empty history", async () => {
    expect(await run(JSON.stringify(history.toReversed()))).toEqual(isVerified);
    expect(await run("[]")).toMatchObject({ status: 0, stdout: "OK: 0 decisions, head null\n" });
  });

  test("accepts the histories of five users with every movement, and a rejected change of the status", async () => {
    const ports = inMemoryPorts();
    const movements = movementsInMemory(ports);
    await moveAll(movements);
    await movements.move("alice", { type: "status_change", newStatus: "closed" });
    await movements.move("alice", { type: "deposit", currency: "USD", amount: "1.00" });
    const byUser = Map.groupBy([...ports.transactions.values()].filter(isDecided), ({ userId }) => userId);
    expect(byUser.size).toBe(5);
    for (const transactions of byUser.values()) {
      const views = transactions.map((transaction) => transactionView(transaction, undefined));
      expect(await run(JSON.stringify(views))).toMatchObject({ status: 0 });
    }
  });

  test.each([...edits])("finds another %s", async (_name, { index, path }) => {
    const edited = history.map((transaction, at) => (at === index ? editedAt(transaction, path) : transaction));
    expect(await run(JSON.stringify(edited))).toEqual(
      isWrong(
        expect.stringMatching(
          /^(UNREADABLE|GAP|PREVIOUS_MISMATCH|HASH_MISMATCH|WRONG_DECISION) at sequence \d+: .+\n$/,
        ),
      ),
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
  ])("finds another %s", async (_what, edit, message) => {
    const edited = history.map((transaction, at) =>
      at === 1 ? { ...transaction, ...edit(transaction) } : transaction,
    );
    expect(await run(JSON.stringify(edited))).toEqual(isWrong(expect.stringContaining(message)));
  });

  const [first, second, third, ...others] = history;
  test.each([
    ["missing", [first, third, ...others], "GAP at sequence 2"],
    ["doubled", [...history, third], "GAP at sequence 4"],
    [
      "in another place",
      [first, { ...third, sequence: 2 }, { ...second, sequence: 3 }, ...others],
      "PREVIOUS_MISMATCH at sequence 2",
    ],
  ])("finds a decision that is %s", async (_how, transactions, message) => {
    expect((await run(JSON.stringify(transactions))).stderr).toContain(message);
  });

  const [decided, usd] = [decideAll(), { currency: "USD", exponent: 2 }];
  const posting = (amountMinor: bigint, heldMinor: bigint, balanceAfterMinor: bigint, heldAfterMinor: bigint) => ({
    ...usd,
    ...{ amountMinor, heldMinor, balanceAfterMinor, heldAfterMinor },
  });
  const inUsd = (minor: bigint) => new Map([["USD", minor] as const]);
  const withJpy = (minor: bigint) => new Map([["JPY", 500n] as const, ["USD", minor] as const]);
  const unknown = `tx_${"x".repeat(43)}`;

  test.each<[string, number, Readonly<Record<string, unknown>>, Partial<Decision>, string]>([
    [
      "moves another amount than the command's",
      23,
      {},
      { postings: [posting(-5200n, 0n, 100n, 0n)], available: withJpy(100n) },
      "WRONG_BALANCE at sequence 23: the postings are not those of the movement",
    ],
    [
      "moves money although it is rejected",
      23,
      {},
      { outcome: { status: "rejected", code: "balance_limit" } },
      "WRONG_BALANCE at sequence 23: the postings are not those of the movement",
    ],
    [
      "has a balance after it that is not the sum",
      23,
      {},
      { postings: [posting(-5300n, 0n, 1n, 0n)] },
      "WRONG_BALANCE at sequence 23: the balance is not the sum of the postings",
    ],
    [
      "takes the balance below zero",
      23,
      { amountMinor: 5350n },
      { postings: [posting(-5350n, 0n, -50n, 0n)], available: withJpy(-50n) },
      "WRONG_BALANCE at sequence 23: the balance is below zero",
    ],
    [
      "is earlier than the previous decision",
      23,
      { createdAt: "2026-11-27T10:00:00.000Z" },
      { decidedAt: "2026-11-27T10:00:00.000Z" },
      "WRONG_DECISION at sequence 23: it is earlier than its command or the previous decision",
    ],
    [
      "is earlier than its command",
      23,
      { createdAt: "2026-11-28T10:00:00.000Z" },
      {},
      "WRONG_DECISION at sequence 23: it is earlier than its command or the previous decision",
    ],
    ["is another user's", 23, { userId: "bob" }, {}, "WRONG_DECISION at sequence 23: it is another user's"],
    [
      "has a held part after it that is not the sum",
      5,
      {},
      { postings: [posting(0n, 2000n, 6950n, 1999n)] },
      "WRONG_BALANCE at sequence 5: the balance is not the sum of the postings",
    ],
    [
      "leaves the rest of a final capture held",
      6,
      { final: true },
      {},
      "WRONG_BALANCE at sequence 6: the postings are not those of the movement",
    ],
    [
      "captures more than the hold has",
      6,
      { amountMinor: 2001n },
      { postings: [posting(-2001n, -2001n, 4949n, -1n)], available: withJpy(4950n), held: inUsd(-1n) },
      "WRONG_DECISION at sequence 6: it takes more than remains of what it refers to",
    ],
    [
      "captures a hold that is not there",
      6,
      { refersTo: unknown },
      {},
      "WRONG_DECISION at sequence 6: it refers to no earlier transaction that allows it",
    ],
    [
      "releases less than remains of the hold",
      7,
      {},
      { postings: [posting(0n, -400n, 5450n, 100n)], available: withJpy(5350n), held: inUsd(100n) },
      "WRONG_BALANCE at sequence 7: the postings are not those of the movement",
    ],
    [
      "refunds more than the credit",
      14,
      { amountMinor: 801n },
      { postings: [posting(-801n, 0n, 4449n, 0n)], available: withJpy(4449n) },
      "WRONG_DECISION at sequence 14: it takes more than remains of what it refers to",
    ],
    [
      "reverses a hold",
      17,
      { refersTo: history[7]?.id },
      {},
      "WRONG_DECISION at sequence 17: it refers to no earlier transaction that allows it",
    ],
    [
      "reverses a capture for another user",
      17,
      { refersTo: history[5]?.id },
      {},
      "WRONG_DECISION at sequence 17: it refers to no earlier transaction that allows it",
    ],
    [
      "reverses a returned transfer",
      17,
      { refersTo: history[11]?.id },
      {},
      "WRONG_DECISION at sequence 17: it refers to no earlier transaction that allows it",
    ],
  ])("finds a decision with the right hash that %s", async (_what, sequence, commandEdit, decisionEdit, message) => {
    const original = decided[sequence - 1];
    if (!original) throw new Error("There is no such vector");
    const decision = { ...original.decision, ...decisionEdit };
    const edited = Object.assign({}, original, commandEdit, { decision });
    const hash = hashOf(edited, decision, emittedBy(edited, decision)?.id);
    const last = transactionView(Object.assign(edited, { decision: { ...decision, hash } }), undefined);
    expect(await run(JSON.stringify([...history.slice(0, sequence - 1), last]))).toEqual(isWrong(`${message}\n`));
  });

  test("finds a credit in the other wallet that has another id than the ledger derives", async () => {
    const transfer = decided[10];
    if (!transfer) throw new Error("There is no transfer");
    const hash = hashOf(transfer, transfer.decision, unknown);
    const view = { ...history[10], transfer: { to: "bob", creditId: unknown, status: "in_transit" }, hash };
    expect(await run(JSON.stringify([...history.slice(0, 10), view]))).toEqual(
      isWrong(expect.stringContaining("WRONG_DECISION at sequence 11: its credit has another id")),
    );
  });
});
