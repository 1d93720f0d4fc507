import { beforeEach, describe, expect, it } from "vitest";
import { consumeSent, type InMemoryPorts, inMemoryPorts, submissionWith } from "../../testkit/inMemoryPorts.ts";
import { holdOf, movementsInMemory, usd } from "../../testkit/movements.ts";
import { commandWith, transactionOf } from "../../testkit/storeContract.ts";
import { contentHashOf, detailsHashOf, NO_DETAILS_HASH } from "../domain/hash.ts";
import { MINOR_UNITS_MAX } from "../domain/money.ts";
import type { Source } from "../domain/movements/credit.ts";
import { emptyWallet, type Wallet } from "../domain/state.ts";
import { commandOf, type Transaction } from "../domain/transaction.ts";
import { transactionId } from "./idempotency.ts";
import { decodeMessage, encodeMessage, type Message } from "./message.ts";
import { TransientError } from "./ports.ts";
import {
  awaitOutcome,
  type Request,
  type RequestMember,
  type Submission,
  type SubmissionProblem,
  submit,
} from "./submit.ts";

type Change = Parameters<typeof submissionWith>[0];

/** A submission of a deposit with reference and metadata, with something changed. */
const depositWith = (change: Change = {}) =>
  submissionWith({ reference: "invoice 1", metadata: { orderId: "A-1" }, ...change });
const deposit = depositWith();

let ports: InMemoryPorts;
beforeEach(() => {
  ports = inMemoryPorts();
});

async function accepted(submission: Submission): Promise<Transaction> {
  const submitted = await submit(submission, ports);
  if (!submitted.accepted) throw new Error(submitted.problem);
  return submitted.transaction;
}

const refused = (problem: string, ...at: string[]) => ({ accepted: false, problem, at });
/** Alice's wallet after the deposit. */
const DEPOSITED = { sequence: 1, available: new Map([["USD", 1234n]]) };
const stored = () => [...ports.transactions.values()];

describe("a new submission", () => {
  it("is stored first, then sent, and then accepted as pending", async () => {
    const submitted = await submit(deposit, ports);

    expect(ports.calls).toEqual(["listCurrencies", "putPending alice", "send alice"]);
    const [transaction] = stored();
    if (!transaction) throw new Error("Nothing is stored");
    expect(submitted).toEqual({ accepted: true, replayed: false, transaction });
    const details = { salt: transaction.salt, reference: "invoice 1", metadata: { orderId: "A-1" } };
    const command = {
      id: transactionId("alice", "key-1"),
      userId: "alice",
      type: "deposit",
      actor: "owner",
      createdAt: "2026-11-23T09:30:00.000Z",
      currency: "USD",
      exponent: 2,
      amountMinor: 1234n,
      detailsHash: detailsHashOf(details),
    } as const;
    const contentHash = contentHashOf(command);
    expect(transaction).toEqual({ ...command, ...details, contentHash, decision: undefined, remainder: undefined });
    // Reference, metadata and salt stay in the store.
    const bodyOf = (message: Message): unknown => JSON.parse(encodeMessage(message));
    expect(ports.sent.map(bodyOf)).toEqual([bodyOf({ commands: [command], requestId: "request-1" })]);
  });

  it("has a random salt of 128 bits, which hides equal details from one who compares hashes", async () => {
    const [one, two] = [await accepted(deposit), await accepted({ ...deposit, idempotencyKey: "key-2" })];
    expect(Buffer.from(one.salt ?? "", "base64url")).toHaveLength(16);
    expect(one.salt).not.toBe(two.salt);
    expect(one.detailsHash).not.toBe(two.detailsHash);
  });

  it.each([
    ["neither reference nor metadata has no salt and the constant details hash", {}, true],
    ["a reference has a salt and a details hash of its own", { reference: "invoice 1" }, false],
    ["metadata has a salt and a details hash of its own", { metadata: { orderId: "A-1" } }, false],
  ])("with %s", async (_what, details, isWithout) => {
    const { salt, detailsHash } = await accepted(submissionWith(details));
    expect([salt === undefined, detailsHash === NO_DETAILS_HASH]).toEqual([isWithout, isWithout]);
  });

  it.each(["owner", "admin"] as const)("stores and sends the %s who asks for it", async (actor) => {
    expect(await accepted({ ...deposit, actor })).toMatchObject({ actor });
    expect(ports.sent).toMatchObject([{ commands: [{ actor }] }]);
  });

  it("is another transaction under an equal key of another user", async () => {
    const alices = await accepted(deposit);
    const bobs = await accepted({ ...deposit, userId: "bob" });

    expect(alices.id).not.toBe(bobs.id);
    expect(ports.transactions.size).toBe(2);
  });
});

describe("a repeated submission", () => {
  it("is answered with the pending transaction as it was stored, and is sent again", async () => {
    const first = await accepted(deposit);
    ports.clock.advance(60_000);

    expect(await submit({ ...deposit, requestId: "request-2" }, ports)).toEqual({
      accepted: true,
      replayed: true,
      transaction: first,
    });
    expect(ports.transactions.size).toBe(1);
    const commands = [commandOf(first)];
    expect(ports.sent).toEqual([
      { commands, requestId: "request-1" },
      { commands, requestId: "request-2" },
    ]);
  });

  it("moves money once, however often it was sent", async () => {
    for (let times = 1; times <= 5; times++) await submit(deposit, ports);
    await consumeSent(ports);
    await submit(deposit, ports);
    await consumeSent(ports);

    expect(ports.wallets.get("alice")).toMatchObject(DEPOSITED);
  });

  it("is stored once if both arrive at the same time", async () => {
    const both = await Promise.all([submit(deposit, ports), submit(deposit, ports)]);

    expect(both.map((submitted) => submitted.accepted && submitted.replayed)).toEqual([false, true]);
    expect(ports.transactions.size).toBe(1);
  });

  it("is answered with the decision once there is one, and is not sent again", async () => {
    await submit(deposit, ports);
    await consumeSent(ports);

    expect(await submit(deposit, ports)).toMatchObject({
      accepted: true,
      replayed: true,
      transaction: { decision: { ...DEPOSITED, outcome: { status: "posted" } } },
    });
    expect(ports.sent).toEqual([]);
  });

  it("is still answered with its rejection if the balance would suffice now", async () => {
    const withdrawal = depositWith({ type: "withdrawal", idempotencyKey: "key-2" });
    await submit(withdrawal, ports);
    await consumeSent(ports);
    await submit(deposit, ports);
    await consumeSent(ports);

    expect(await submit(withdrawal, ports)).toMatchObject({
      replayed: true,
      transaction: { decision: { outcome: { status: "rejected", code: "insufficient_funds" } } },
    });
    expect(ports.sent).toEqual([]);
  });

  it("by an admin is answered with the owner's command as it was accepted", async () => {
    const first = await accepted(deposit);
    expect(await submit({ ...deposit, actor: "admin" }, ports)).toMatchObject({ replayed: true, transaction: first });
    expect(ports.sent).toMatchObject([{ commands: [{ actor: "owner" }] }, { commands: [{ actor: "owner" }] }]);
  });

  it("treats the same amount in another notation as the same content", async () => {
    await submit(depositWith({ amount: "5.00" }), ports);
    expect(await submit(depositWith({ amount: "5" }), ports)).toMatchObject({ accepted: true, replayed: true });
  });

  it.each([
    ["type", { type: "withdrawal" }],
    ["currency", { currency: "EUR" }],
    ["amount", { amount: "12.35" }],
    ["reference", { reference: "invoice 2" }],
    ["missing reference", { reference: undefined }],
    ["metadata", { metadata: { orderId: "A-2" } }],
    ["missing metadata", { metadata: undefined }],
  ] as const)("is not accepted with another %s, and the first one stays as it is", async (_field, change) => {
    const first = await accepted(deposit);
    ports.calls.length = 0;

    expect(await submit(depositWith(change), ports)).toEqual(refused("idempotency_key_reused"));
    expect(stored()).toEqual([first]);
    expect(ports.calls).not.toContain("send alice");
  });
});

const DAY_MS = 24 * 3_600_000;
const ACCEPTED_AT = "2026-11-23T09:30:00.000Z";
const afterAcceptance = (milliseconds: number) => new Date(Date.parse(ACCEPTED_AT) + milliseconds).toISOString();

const held = transactionOf(commandWith({ type: "hold", expiresAt: afterAcceptance(DAY_MS) }));
const promised = transactionOf(commandWith({ type: "hold", to: "bob", expiresAt: afterAcceptance(DAY_MS) }));
const deposited = transactionOf(commandWith({ currency: "JPY", exponent: 0 }));
const bought = { currency: "EUR", exponent: 2, amountMinor: 90n };
const exchanged = transactionOf(commandWith({ type: "exchange", bought }));
const changed = transactionOf(
  commandWith({
    type: "status_change",
    newStatus: "frozen",
    currency: undefined,
    exponent: undefined,
    amountMinor: undefined,
  }),
);
const creditOf = (type: Source["type"]) =>
  transactionOf(commandWith({ type: "credit", source: { type, userId: "carol", transactionId: "tx_1" } }));

/** A request of each type of alice's, and bob has a wallet. */
const REQUESTS: readonly Request[] = [
  { type: "deposit", ...usd("1.00") },
  { type: "withdrawal", ...usd("1.00") },
  { type: "transfer", ...usd("1.00"), to: "bob" },
  { type: "hold", ...usd("1.00") },
  { type: "capture", referred: held, final: true },
  { type: "release", referred: held },
  { type: "exchange", sell: usd("1.00"), buy: { currency: "EUR", amount: "0.90" } },
  { type: "reversal", referred: deposited },
  { type: "status_change", newStatus: "closed" },
];

function putWallet(userId: string, change: Partial<Wallet> = {}) {
  ports.wallets.set(userId, { ...emptyWallet, sequence: 1, ...change });
}

describe("a request for", () => {
  beforeEach(() => {
    putWallet("bob");
  });

  const oneDollar = { currency: "USD", exponent: 2, amountMinor: 100n };
  const rest = { currency: "USD", exponent: 2, amountMinor: undefined };
  it.each<[string, Request, object]>([
    ["a deposit", { type: "deposit", ...usd("1.00") }, oneDollar],
    ["a withdrawal", { type: "withdrawal", ...usd("1.00") }, oneDollar],
    ["a transfer", { type: "transfer", ...usd("1.00"), to: "bob" }, { ...oneDollar, to: "bob" }],
    ["a hold of 7 days", { type: "hold", ...usd("1.00") }, { ...oneDollar, expiresAt: afterAcceptance(7 * DAY_MS) }],
    [
      "a promised hold with a time",
      { type: "hold", ...usd("1.00"), to: "bob", expiresAt: afterAcceptance(1) },
      { ...oneDollar, to: "bob", expiresAt: afterAcceptance(1) },
    ],
    [
      "a capture of all that remains",
      { type: "capture", referred: held, final: true },
      { ...rest, refersTo: held.id, final: true, to: undefined },
    ],
    [
      "a capture of a part of a promised hold",
      { type: "capture", referred: promised, amount: "0.5", final: false },
      { ...rest, amountMinor: 50n, refersTo: promised.id, final: false, to: "bob" },
    ],
    ["a release", { type: "release", referred: promised }, { ...rest, refersTo: promised.id }],
    [
      "an exchange",
      { type: "exchange", sell: usd("1.00"), buy: { currency: "JPY", amount: "150" } },
      { ...oneDollar, bought: { currency: "JPY", exponent: 0, amountMinor: 150n } },
    ],
    [
      "a reversal of all that remains",
      { type: "reversal", referred: exchanged },
      { ...rest, refersTo: exchanged.id, to: undefined },
    ],
    [
      "a reversal of a part, in the original's currency",
      { type: "reversal", referred: deposited, amount: "40" },
      { currency: "JPY", exponent: 0, amountMinor: 40n, refersTo: deposited.id, to: undefined },
    ],
    ...(["transfer", "capture"] as const).map((type): [string, Request, object] => {
      const referred = creditOf(type);
      return [`a refund of a ${type}`, { type: "reversal", referred }, { ...rest, refersTo: referred.id, to: "carol" }];
    }),
    ...(["reversal", "return"] as const).map((type): [string, Request, object] => {
      const referred = creditOf(type);
      const expected = { ...rest, refersTo: referred.id, to: undefined };
      return [`a reversal of the credit of a ${type}`, { type: "reversal", referred }, expected];
    }),
    [
      "a status change",
      { type: "status_change", newStatus: "frozen" },
      { currency: undefined, exponent: undefined, amountMinor: undefined, newStatus: "frozen" },
    ],
  ])("%s is stored and sent as its command", async (_what, request, content) => {
    const transaction = await accepted(submissionWith({ request }));
    const base = {
      id: transactionId("alice", "key-1"),
      userId: "alice",
      type: request.type,
      actor: "owner",
      createdAt: ACCEPTED_AT,
      detailsHash: NO_DETAILS_HASH,
    };
    expect(commandOf(transaction)).toEqual({ ...base, ...content });
    expect(stored()).toEqual([transaction]);
    expect(ports.sent.map((message) => decodeMessage(encodeMessage(message)))).toEqual([
      { commands: [commandOf(transaction)], requestId: "request-1" },
    ]);
  });

  const toNobody = { ...usd("1.00"), to: "nobody" };
  const toClosed = { ...usd("1.00"), to: "closed" };
  const toAlice = { ...usd("1.00"), to: "alice" };
  const JPY = { currency: "JPY", amount: "1" };
  it.each<[SubmissionProblem, RequestMember[], string, Request]>([
    ["unknown_receiver", ["to"], "a transfer to a user without a wallet", { type: "transfer", ...toNobody }],
    ["unknown_receiver", ["to"], "a transfer to a closed wallet", { type: "transfer", ...toClosed }],
    ["same_wallet", ["to"], "a transfer to the same user", { type: "transfer", ...toAlice }],
    ["unknown_receiver", ["to"], "a hold for a user without a wallet", { type: "hold", ...toNobody }],
    ["unknown_receiver", ["to"], "a hold for a closed wallet", { type: "hold", ...toClosed }],
    ["same_wallet", ["to"], "a hold for the same user", { type: "hold", ...toAlice }],
    ["amount_zero", ["amount"], "a transfer of nothing to nobody", { type: "transfer", ...toNobody, amount: "0" }],
    ["unknown_currency", ["currency"], "a transfer to nobody", { type: "transfer", ...toNobody, currency: "XOF" }],
    [
      "expires_at_invalid",
      ["expiresAt"],
      "a hold for nobody until the present",
      { type: "hold", ...toNobody, expiresAt: ACCEPTED_AT },
    ],
    [
      "expires_at_invalid",
      ["expiresAt"],
      "a hold of a year and a millisecond",
      { type: "hold", ...usd("1.00"), expiresAt: afterAcceptance(365 * DAY_MS + 1) },
    ],
    [
      "amount_invalid",
      ["amount"],
      "a hold of x until the present",
      { type: "hold", currency: "USD", amount: "x", expiresAt: ACCEPTED_AT },
    ],
    [
      "amount_scale",
      ["amount"],
      "a capture of a tenth of a cent",
      { type: "capture", referred: held, amount: "0.001", final: true },
    ],
    ["amount_zero", ["amount"], "a capture of nothing", { type: "capture", referred: held, amount: "0", final: true }],
    [
      "same_currency",
      ["buy", "currency"],
      "an exchange of dollars for dollars",
      { type: "exchange", sell: usd("1.00"), buy: usd("2.00") },
    ],
    [
      "unknown_currency",
      ["sell", "currency"],
      "an exchange of an unknown currency for another",
      { type: "exchange", sell: { currency: "A", amount: "x" }, buy: { currency: "B", amount: "x" } },
    ],
    [
      "unknown_currency",
      ["buy", "currency"],
      "an exchange for a disabled currency",
      { type: "exchange", sell: JPY, buy: { currency: "XOF", amount: "1" } },
    ],
    [
      "unknown_currency",
      ["sell", "currency"],
      "an exchange of a disabled currency for too little of another",
      { type: "exchange", sell: { currency: "XOF", amount: "1" }, buy: usd("0.001") },
    ],
    ["amount_zero", ["sell", "amount"], "an exchange of nothing", { type: "exchange", sell: usd("0"), buy: JPY }],
    [
      "amount_scale",
      ["buy", "amount"],
      "an exchange for half a yen",
      { type: "exchange", sell: usd("1"), buy: { ...JPY, amount: "0.5" } },
    ],
    [
      "amount_not_allowed",
      ["amount"],
      "a reversal of a part of an exchange",
      { type: "reversal", referred: exchanged, amount: "0.50" },
    ],
    [
      "amount_scale",
      ["amount"],
      "a reversal of a tenth of a cent of an exchange",
      { type: "reversal", referred: exchanged, amount: "0.001" },
    ],
    ["not_reversible", [], "a reversal of a status change", { type: "reversal", referred: changed }],
    ["not_reversible", [], "a reversal of a part of it", { type: "reversal", referred: changed, amount: "1" }],
  ])("is refused with %s at %j, and neither stored nor sent: %s", async (problem, at, _what, request) => {
    putWallet("closed", { status: "closed" });
    expect(await submit(submissionWith({ request }), ports)).toEqual(refused(problem, ...at));
    expect(stored()).toEqual([]);
    expect(ports.sent).toEqual([]);
  });

  it.each<[string, Request]>([
    ["a transfer to a frozen wallet", { type: "transfer", ...usd("1.00"), to: "frozen" }],
    ["a hold of a millisecond", { type: "hold", ...usd("1.00"), expiresAt: afterAcceptance(1) }],
    ["a hold of a year", { type: "hold", ...usd("1.00"), expiresAt: afterAcceptance(365 * DAY_MS) }],
    ["a capture of more than the hold", { type: "capture", referred: held, amount: "9.99", final: true }],
  ])("is accepted, since only the decision can refuse more: %s", async (_what, request) => {
    putWallet("frozen", { status: "frozen" });
    expect(await submit(submissionWith({ request }), ports)).toMatchObject({ accepted: true });
  });

  it("all that remains of a disabled currency is accepted", async () => {
    ports.setEnabled("USD", false);
    for (const request of REQUESTS.filter(({ type }) => /capture|release|reversal/.test(type))) {
      const submission = submissionWith({ request, idempotencyKey: request.type });
      expect(await submit(submission, ports)).toMatchObject({ accepted: true });
    }
  });
});

describe("a repeated request", () => {
  beforeEach(() => {
    putWallet("bob");
  });

  it.each(REQUESTS)("for a $type is answered with the first one's transaction", async (request) => {
    const first = await accepted(submissionWith({ request }));
    ports.clock.advance(DAY_MS);
    expect(await submit(submissionWith({ request }), ports)).toEqual({
      accepted: true,
      replayed: true,
      transaction: first,
    });
  });

  it.each<[string, Request, () => void]>([
    [
      "a transfer whose receiver closed the wallet",
      { type: "transfer", ...usd("1.00"), to: "bob" },
      () => putWallet("bob", { status: "closed" }),
    ],
    [
      "a hold for a user who closed the wallet",
      { type: "hold", ...usd("1.00"), to: "bob" },
      () => putWallet("bob", { status: "closed" }),
    ],
    [
      "a hold whose time is over",
      { type: "hold", ...usd("1.00"), expiresAt: afterAcceptance(1) },
      () => ports.clock.advance(2),
    ],
    ...REQUESTS.map((request): [string, Request, () => void] => [
      `a ${request.type} whose currency was disabled`,
      request,
      () => ports.setEnabled("USD", false),
    ]),
  ])("is still answered for %s", async (_what, request, happen) => {
    const first = await accepted(submissionWith({ request }));
    happen();
    expect(await submit(submissionWith({ request }), ports)).toEqual({
      accepted: true,
      replayed: true,
      transaction: first,
    });
    expect(stored()).toEqual([first]);
  });

  it.each(REQUESTS)("under the key of a $type is refused if it is of another type", async (request) => {
    const first = await accepted(submissionWith({ request }));
    for (const other of REQUESTS.filter(({ type }) => type !== request.type)) {
      expect(await submit(submissionWith({ request: other }), ports)).toEqual(refused("idempotency_key_reused"));
    }
    expect(stored()).toEqual([first]);
    expect(ports.sent).toHaveLength(1);
  });

  const atDefault = afterAcceptance(7 * DAY_MS);
  it.each<[string, Request, Request]>([
    ["receiver", { type: "transfer", ...usd("1.00"), to: "bob" }, { type: "transfer", ...usd("1.00"), to: "carol" }],
    ["user of a hold", { type: "hold", ...usd("1.00") }, { type: "hold", ...usd("1.00"), to: "bob" }],
    [
      "end of a hold",
      { type: "hold", ...usd("1.00"), expiresAt: afterAcceptance(1) },
      { type: "hold", ...usd("1.00"), expiresAt: afterAcceptance(2) },
    ],
    [
      "end of a hold, which is the default",
      { type: "hold", ...usd("1.00"), expiresAt: afterAcceptance(1) },
      { type: "hold", ...usd("1.00") },
    ],
    ["hold", { type: "capture", referred: held, final: true }, { type: "capture", referred: promised, final: true }],
    [
      "final of a capture",
      { type: "capture", referred: held, amount: "1", final: true },
      { type: "capture", referred: held, amount: "1", final: false },
    ],
    [
      "amount of a capture, which is all that remains",
      { type: "capture", referred: held, amount: "1", final: true },
      { type: "capture", referred: held, final: true },
    ],
    ["released hold", { type: "release", referred: held }, { type: "release", referred: promised }],
    ["original", { type: "reversal", referred: deposited }, { type: "reversal", referred: creditOf("transfer") }],
    [
      "amount of a reversal",
      { type: "reversal", referred: deposited, amount: "1" },
      { type: "reversal", referred: deposited, amount: "2" },
    ],
    [
      "bought currency",
      { type: "exchange", sell: usd("1.00"), buy: { currency: "EUR", amount: "1" } },
      { type: "exchange", sell: usd("1.00"), buy: { currency: "JPY", amount: "1" } },
    ],
    [
      "bought amount",
      { type: "exchange", sell: usd("1.00"), buy: { currency: "EUR", amount: "1" } },
      { type: "exchange", sell: usd("1.00"), buy: { currency: "EUR", amount: "2" } },
    ],
    ["status", { type: "status_change", newStatus: "closed" }, { type: "status_change", newStatus: "frozen" }],
  ])("with another %s is refused", async (_what, request, other) => {
    putWallet("carol");
    await submit(submissionWith({ request }), ports);
    expect(await submit(submissionWith({ request: other }), ports)).toEqual(refused("idempotency_key_reused"));
  });

  it("for a hold may name the end that the first one got by default", async () => {
    const first = await accepted(submissionWith({ request: { type: "hold", ...usd("1.00") } }));
    ports.clock.advance(DAY_MS);
    const request: Request = { type: "hold", ...usd("1.00"), expiresAt: atDefault };
    expect(await submit(submissionWith({ request }), ports)).toMatchObject({ replayed: true, transaction: first });
  });
});

describe("the keys of the user to whom a hold is promised", () => {
  const release: Request = { type: "release", referred: promised };
  const byBob = submissionWith({ request: release, actor: "counterparty", counterpartyId: "bob" });

  it("are neither the owner's nor another counterparty's", async () => {
    const ids = [
      await accepted(submissionWith({ request: release })),
      await accepted(byBob),
      await accepted({ ...byBob, counterpartyId: "carol" }),
    ].map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
    expect(stored().map(({ userId }) => userId)).toEqual(["alice", "alice", "alice"]);
  });

  it("can't be probed by the owner, nor the owner's by them", async () => {
    await submit(submissionWith(), ports);
    expect(await submit(byBob, ports)).toMatchObject({ accepted: true, replayed: false });
    expect(await submit({ ...byBob, idempotencyKey: "key-2" }, ports)).toMatchObject({ replayed: false });
    expect(await submit(submissionWith({ idempotencyKey: "key-2" }), ports)).toMatchObject({ replayed: false });
  });

  it("answer a repeated request, and refuse another one", async () => {
    const first = await accepted(byBob);
    expect(await submit(byBob, ports)).toMatchObject({ replayed: true, transaction: first });
    const request: Request = { type: "capture", referred: promised, final: true };
    expect(await submit({ ...byBob, request }, ports)).toEqual(refused("idempotency_key_reused"));
  });
});

describe("a failure", () => {
  it.each([
    ["the queue before its effect", "send", "before", { stored: 1, sent: 0 }],
    ["the queue after its effect", "send", "after", { stored: 1, sent: 1 }],
    ["the store before its effect", "putPending", "before", { stored: 0, sent: 0 }],
    ["the store after its effect", "putPending", "after", { stored: 1, sent: 0 }],
  ] as const)(
    "of %s is thrown as TransientError, and the repeated submission completes the command once",
    async (_of, operation, at, left) => {
      ports.fail(operation, at);

      await expect(submit(deposit, ports)).rejects.toBeInstanceOf(TransientError);
      expect({ stored: stored().length, sent: ports.sent.length }).toEqual(left);
      for (const { decision } of stored()) expect(decision).toBeUndefined();

      expect(await submit(deposit, ports)).toMatchObject({ accepted: true, replayed: left.stored === 1 });
      expect(ports.sent).toHaveLength(left.sent + 1);
      await consumeSent(ports);
      expect(ports.wallets.get("alice")).toMatchObject(DEPOSITED);
      expect(ports.transactions.size).toBe(1);
    },
  );
});

describe("a disabled currency", () => {
  it("takes no new command", async () => {
    expect(await submit(depositWith({ currency: "XOF", amount: "5" }), ports)).toEqual(
      refused("unknown_currency", "currency"),
    );
    expect(stored()).toEqual([]);
    expect(ports.sent).toEqual([]);
  });

  it("still answers for a command that was accepted before, and sends it again while it is pending", async () => {
    const first = await accepted(deposit);
    ports.setEnabled("USD", false);

    expect(await submit(deposit, ports)).toEqual({ accepted: true, replayed: true, transaction: first });
    expect(ports.sent).toHaveLength(2);
    await consumeSent(ports);
    expect(await submit(deposit, ports)).toMatchObject({ replayed: true, transaction: { decision: { sequence: 1 } } });
  });

  it("reports a key that is used with other content", async () => {
    await submit(deposit, ports);
    ports.setEnabled("USD", false);

    expect(await submit(depositWith({ amount: "1" }), ports)).toEqual(refused("idempotency_key_reused"));
  });
});

describe("a submission that is not accepted", () => {
  it.each([
    ["unknown_currency", ["currency"], { currency: "DOGE" }],
    ["unknown_currency", ["currency"], { currency: "usd" }],
    ["unknown_currency", ["currency"], { currency: "constructor" }],
    ["amount_invalid", ["amount"], { amount: "1e3" }],
    ["amount_invalid", ["amount"], { amount: "-1" }],
    ["amount_scale", ["amount"], { amount: "1.234" }],
    ["amount_scale", ["amount"], { currency: "JPY", amount: "1.5" }],
    ["amount_zero", ["amount"], { amount: "0.00" }],
    ["amount_limit", ["amount"], { amount: "9".repeat(37) }],
  ] as const)("because of %s at %j in %j is neither stored nor sent", async (problem, at, change) => {
    expect(await submit(depositWith(change), ports)).toEqual(refused(problem, ...at));
    expect(stored()).toEqual([]);
    expect(ports.sent).toEqual([]);
    expect(ports.calls).toEqual(["listCurrencies"]);
  });

  it.each([
    ["unknown_currency", ["currency"], { currency: "DOGE", amount: "x" }],
    ["unknown_currency", ["currency"], { currency: "XOF", amount: "x" }],
    ["amount_invalid", ["amount"], { amount: "x" }],
    ["idempotency_key_reused", [], { amount: "1" }],
  ])("names the currency first, then the amount, then the key: %s at %j of %j", async (problem, at, change) => {
    await submit(deposit, ports);
    expect(await submit(depositWith(change), ports)).toEqual(refused(problem, ...at));
  });
});

describe("awaitOutcome", () => {
  const outcomeOf = (transaction: Transaction) => ({
    transaction,
    transferStatus: undefined,
    isFinal: transaction.decision !== undefined,
  });
  const elapsedMs = () => ports.clock.sleeps.reduce((sum, sleep) => sum + sleep, 0);

  it("returns a decided transaction at once, without a read", async () => {
    await submit(deposit, ports);
    await consumeSent(ports);
    const decided = await accepted(deposit);
    ports.calls.length = 0;

    expect(await awaitOutcome(decided, 5000, ports)).toEqual(outcomeOf(decided));
    expect(ports.calls).toEqual([]);
    expect(elapsedMs()).toBe(0);
  });

  it("returns soon after the decision, and long before the deadline", async () => {
    const pending = await accepted(deposit);
    ports.clock.in(100, () => void consumeSent(ports));

    expect(await awaitOutcome(pending, 20_000, ports)).toMatchObject({
      isFinal: true,
      transaction: { decision: { sequence: 1, outcome: { status: "posted" } } },
    });
    expect(elapsedMs()).toBeGreaterThanOrEqual(100);
    expect(elapsedMs()).toBeLessThan(400);
  });

  it.each([
    ["although reads of the transaction failed before", 2, 100],
    ["that falls into the last pause", 0, 4900],
  ])("returns a decision %s", async (_which, times, decidedAfterMs) => {
    const pending = await accepted(deposit);
    ports.fail("findTransaction", "before", { times });
    ports.clock.in(decidedAfterMs, () => void consumeSent(ports));

    expect((await awaitOutcome(pending, 5000, ports)).transaction.decision?.sequence).toBe(1);
  });

  it("returns the pending transaction exactly at the deadline", async () => {
    const pending = await accepted(deposit);

    expect(await awaitOutcome(pending, 5000, ports)).toEqual(outcomeOf(pending));
    expect(elapsedMs()).toBeGreaterThanOrEqual(5000);
    expect(elapsedMs()).toBeLessThan(5001);
    expect(ports.clock.sleeps.length).toBeLessThan(40);
  });

  it("does not wait if the wait is zero", async () => {
    const pending = await accepted(deposit);
    expect(await awaitOutcome(pending, 0, ports)).toEqual(outcomeOf(pending));
    expect(elapsedMs()).toBe(0);
  });

  /** Accepts what sends alice's money to bob, with all that it needs decided before. */
  const senders: readonly [string, () => Promise<Transaction>][] = [
    ["transfer", () => movements().accept("alice", { type: "transfer", ...usd("5.00"), to: "bob" })],
    [
      "capture of a promised hold",
      async () => {
        const { move, accept } = movements();
        const referred = holdOf(await move("alice", { type: "hold", ...usd("5.00"), to: "bob" }));
        return accept("alice", { type: "capture", referred, final: true });
      },
    ],
    [
      "refund",
      async () => {
        const { move, accept } = movements();
        await move("bob", { type: "transfer", ...usd("5.00"), to: "alice" });
        const referred = stored().find(({ type, userId }) => type === "credit" && userId === "alice");
        if (!referred) throw new Error("Alice has no credit");
        return accept("alice", { type: "reversal", referred });
      },
    ],
  ];
  const movements = () => movementsInMemory(ports);
  const fund = async () => {
    for (const userId of ["alice", "bob"]) await movements().move(userId, { type: "deposit", ...usd("100.00") });
  };
  const consumeAfter = (...milliseconds: number[]) => {
    for (const each of milliseconds) ports.clock.in(each, () => void consumeSent(ports));
  };

  it.each(senders)("waits until a %s is credited", async (_what, send) => {
    await fund();
    const pending = await send();
    consumeAfter(100, 1000);

    expect(await awaitOutcome(pending, 20_000, ports)).toMatchObject({
      transaction: { id: pending.id, decision: { outcome: { status: "posted" } } },
      transferStatus: "credited",
      isFinal: true,
    });
    expect(elapsedMs()).toBeGreaterThanOrEqual(1000);
    expect(elapsedMs()).toBeLessThan(1500);
  });

  it.each(senders)("waits until a %s is returned", async (_what, send) => {
    await fund();
    const pending = await send();
    putWallet("bob", { ...ports.wallets.get("bob"), available: new Map([["USD", MINOR_UNITS_MAX]]) });
    consumeAfter(100, 1000, 2000);

    expect(await awaitOutcome(pending, 20_000, ports)).toMatchObject({
      transaction: { id: pending.id, decision: { outcome: { status: "posted" } } },
      transferStatus: "returned",
      isFinal: true,
    });
    expect(elapsedMs()).toBeGreaterThanOrEqual(2000);
    expect(elapsedMs()).toBeLessThan(2500);
  });

  it.each(senders)("ends at the deadline while a %s is in transit", async (_what, send) => {
    await fund();
    const pending = await send();
    consumeAfter(100);

    expect(await awaitOutcome(pending, 5000, ports)).toMatchObject({
      transaction: { id: pending.id, decision: { outcome: { status: "posted" } } },
      transferStatus: "in_transit",
      isFinal: false,
    });
    expect(elapsedMs()).toBeGreaterThanOrEqual(5000);
    expect(elapsedMs()).toBeLessThan(5001);
  });

  it("reads the credit again after a failed read", async () => {
    await fund();
    const decided = await movements().move("alice", { type: "transfer", ...usd("5.00"), to: "bob" });
    ports.fail("findTransactions", "before", { times: 2 });

    expect(await awaitOutcome(decided, 5000, ports)).toMatchObject({ transferStatus: "credited", isFinal: true });
    expect(ports.clock.sleeps).toHaveLength(2);
  });

  it("returns a rejected transfer without waiting for a credit", async () => {
    putWallet("bob");
    const pending = await movements().accept("alice", { type: "transfer", ...usd("5.00"), to: "bob" });
    consumeAfter(100);

    expect(await awaitOutcome(pending, 5000, ports)).toMatchObject({
      transaction: { decision: { outcome: { status: "rejected", code: "insufficient_funds" } } },
      transferStatus: undefined,
      isFinal: true,
    });
    expect(elapsedMs()).toBeLessThan(400);
  });
});
