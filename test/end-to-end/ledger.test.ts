import { randomUUID } from "node:crypto";
import { describe, expect, inject, test } from "vitest";
import type { BatchCommand, BatchResult, Transaction, Wallet } from "../../packages/client/src/index.ts";
import { balanceOf, clientOf, movement, newUser, once, posted, walletOf } from "../../testkit/client.ts";

const apiUrl = inject("apiUrl");
const aWallet = () => walletOf(apiUrl);
const admin = clientOf(apiUrl, newUser("service"), "wallets:admin");
const usd = (amount: string) => movement("USD", amount);

async function walletWith(currency: string, amount: string): Promise<Wallet> {
  const wallet = aWallet();
  await posted(wallet.deposit(movement(currency, amount)));
  return wallet;
}

/** The other user's wallet, as the user sees it. */
const seenBy = ({ userId }: Wallet, owner: Wallet) => clientOf(apiUrl, userId).wallet(owner.userId);

const rejected = (code: string) => ({ status: "rejected", postings: [], rejection: { code } });

describe("a deposit", () => {
  test("is accepted, can be read at once, and is posted", async () => {
    const alice = aWallet();
    const details = { reference: "invoice 4711", metadata: { order: "A-1" } };
    const { replayed, ...accepted } = await alice.deposit({ ...usd("12.34"), ...details, wait: 0 });
    expect(replayed).toBe(false);
    expect(accepted).toMatchObject({
      userId: alice.userId,
      type: "deposit",
      currency: "USD",
      amount: "12.34",
      status: "pending",
      sequence: null,
      decidedAt: null,
      postings: [],
      previousHash: null,
      hash: null,
      ...details,
      rejection: null,
    });
    expect(await alice.transaction(accepted.id)).toMatchObject({ id: accepted.id });
    expect(await alice.settled(accepted.id)).toMatchObject({
      ...accepted,
      status: "posted",
      sequence: 1,
      decidedAt: expect.any(String),
      postings: [{ currency: "USD", amount: "12.34", held: "0.00", balanceAfter: "12.34", heldAfter: "0.00" }],
      hash: expect.any(String),
      reversed: "0.00",
    });
    expect(await balanceOf(alice, "USD")).toBe("12.34");
  });

  test.each([
    ["JPY", "1", "999999999999999999999999999999999998", "999999999999999999999999999999999999"],
    ["ETH", "0.000000000000000001", "999999999999999999.999999999999999998", "999999999999999999.999999999999999999"],
  ])("moves 36 digits of %s exactly, and refuses more", async (currency, smallest, most, all) => {
    const alice = await walletWith(currency, most);
    const leaving = (balanceAfter: string) => ({ status: "posted", postings: [{ balanceAfter }] });
    expect(await alice.deposit(movement(currency, smallest))).toMatchObject(leaving(all));
    expect(await alice.deposit(movement(currency, smallest))).toMatchObject(rejected("balance_limit"));
    expect(await alice.withdraw(movement(currency, most))).toMatchObject(leaving(smallest));
    expect(await balanceOf(alice, currency)).toBe(smallest);
  });
});

describe("a withdrawal", () => {
  test("over the balance is rejected and recorded, and moves no money", async () => {
    const alice = await walletWith("EUR", "10.00");
    expect(await alice.withdraw(movement("EUR", "10.01"))).toMatchObject({
      ...rejected("insufficient_funds"),
      sequence: 2,
    });
    expect(await balanceOf(alice, "EUR")).toBe("10.00");
    const history = await Array.fromAsync(alice.transactions());
    expect(history.map(({ status }) => status)).toEqual(["rejected", "posted"]);
  });

  test("does not use another currency's balance", async () => {
    const alice = await walletWith("USD", "5.00");
    expect(await alice.withdraw(movement("EUR", "1.00"))).toMatchObject(rejected("insufficient_funds"));
    expect(await balanceOf(alice, "USD")).toBe("5.00");
  });
});

describe("a transfer", () => {
  test("with a wait returns once the money is in the receiver's wallet", async () => {
    const [alice, bob] = [await walletWith("USD", "10.00"), await walletWith("EUR", "1.00")];
    const to = bob.userId;
    const { replayed: _, ...transfer } = await posted(alice.transfer({ ...usd("4.00"), to, reference: "rent" }));
    expect(transfer).toMatchObject({ type: "transfer", amount: "4.00", transfer: { to, status: "credited" } });
    expect(await balanceOf(alice, "USD")).toBe("6.00");

    const credit = await bob.transaction(transfer.transfer.creditId ?? "");
    expect(credit).toMatchObject({
      type: "credit",
      status: "posted",
      actor: "ledger",
      source: { type: "transfer", userId: alice.userId, transactionId: transfer.id },
      postings: [{ currency: "USD", amount: "4.00", balanceAfter: "4.00" }],
      reference: null,
    });
    expect(await Array.fromAsync(bob.transactions({ type: "credit" }))).toEqual([credit]);
    expect(await Array.fromAsync(alice.transactions({ type: "transfer" }))).toEqual([transfer]);
  });

  test("over the balance is rejected, and the receiver's wallet does not change", async () => {
    const [alice, bob] = [await walletWith("USD", "10.00"), await walletWith("EUR", "1.00")];
    expect(await alice.transfer({ ...usd("10.01"), to: bob.userId })).toMatchObject({
      ...rejected("insufficient_funds"),
      type: "transfer",
      transfer: { creditId: null, status: null },
    });
    expect(await bob.balances()).toMatchObject({ sequence: 1 });
  });

  test("to nobody, or to the own wallet, is refused", async () => {
    const alice = await walletWith("USD", "10.00");
    const send = (to: string) => alice.transfer({ ...usd("1.00"), to });
    await expect(send(newUser("nobody"))).rejects.toMatchObject({
      code: "unknown_receiver",
      errors: [{ pointer: "/to" }],
    });
    await expect(send(alice.userId)).rejects.toMatchObject({ code: "same_wallet" });
    expect(await alice.balances()).toMatchObject({ sequence: 1 });
  });
});

describe("a hold", () => {
  const usdOf = async (wallet: Wallet) => {
    const { balances } = await wallet.balances();
    const { currency: _, ...usd } = balances.find(({ currency }) => currency === "USD") ?? { currency: "" };
    return usd;
  };

  test("keeps money back until its capture, and the capture without an amount takes all of it", async () => {
    const alice = await walletWith("USD", "10.00");
    const hold = await posted(alice.hold(usd("7.00")));
    expect(hold).toMatchObject({ type: "hold", hold: { to: null, remaining: "7.00", status: "open" } });
    expect(await usdOf(alice)).toEqual({ amount: "10.00", held: "7.00", available: "3.00" });
    expect(await alice.withdraw(usd("3.01"))).toMatchObject(rejected("insufficient_funds"));
    expect(await posted(alice.capture(hold.id, once()))).toMatchObject({
      amount: "7.00",
      refersTo: hold.id,
      transfer: null,
    });
    expect(await usdOf(alice)).toEqual({ amount: "3.00", held: "0.00", available: "3.00" });
    expect(await alice.transaction(hold.id)).toMatchObject({ hold: { remaining: "0.00", status: "captured" } });
    expect(await alice.release(hold.id, once())).toMatchObject(rejected("hold_closed"));
  });

  test("promised to a shop is captured twice by the shop, and the rest is released", async () => {
    const [alice, shop] = [await walletWith("USD", "10.00"), await walletWith("EUR", "1.00")];
    const to = shop.userId;
    const hold = await posted(alice.hold({ ...usd("9.00"), to }));
    const ofAlice = seenBy(shop, alice);
    expect(await ofAlice.transaction(hold.id)).toMatchObject({
      type: "hold",
      amount: "9.00",
      hold: { remaining: "9.00", status: "open" },
    });
    await expect(alice.release(hold.id, once())).rejects.toMatchObject({ code: "forbidden", status: 403 });

    const ids: string[] = [];
    for (const amount of ["2.00", "3.00"]) {
      const capture = await posted(ofAlice.capture(hold.id, { amount, final: false, ...once() }));
      expect(capture).toMatchObject({ type: "capture", amount, transfer: { to, status: "credited" } });
      expect(capture).not.toHaveProperty("postings");
      ids.push(capture.id);
    }
    expect(await ofAlice.transaction(hold.id)).toMatchObject({ hold: { remaining: "4.00", status: "open" } });
    expect(await ofAlice.capture(hold.id, { amount: "4.01", ...once() })).toMatchObject({
      ...{ type: "capture", amount: "4.01", status: "rejected", rejection: { code: "capture_exceeds_hold" } },
    });
    const release = await posted(ofAlice.release(hold.id, once()));
    expect(release).toMatchObject({ type: "release", amount: "4.00" });

    expect(await ofAlice.transaction(hold.id)).toMatchObject({ hold: { remaining: "0.00", status: "released" } });
    expect(await usdOf(alice)).toEqual({ amount: "5.00", held: "0.00", available: "5.00" });
    expect(await balanceOf(shop, "USD")).toBe("5.00");
    const credits = await Array.fromAsync(shop.transactions({ type: "credit" }));
    expect(credits.map((each) => each.type === "credit" && each.source)).toEqual(
      ids
        .toReversed()
        .map((transactionId) => ({ type: "capture", userId: alice.userId, transactionId, refersTo: hold.id })),
    );
  });

  test("is in the list of holds, newest first, while it is open", async () => {
    const alice = await walletWith("USD", "10.00");
    const ids: string[] = [];
    for (const amount of ["1.00", "2.00", "3.00", "4.00"]) ids.unshift((await posted(alice.hold(usd(amount)))).id);
    const [, released = "", ...open] = ids;
    await posted(alice.release(released, once()));
    const pages = await Array.fromAsync(alice.holds({ limit: 2 }).pages());
    expect(pages.map(({ data }) => data.map(({ id }) => id))).toEqual([[ids[0], open[0]], open.slice(1)]);
  });
});

describe("a reversal", () => {
  test("of a credit by its receiver is a refund, in parts up to the whole", async () => {
    const [alice, shop] = [await walletWith("USD", "10.00"), await walletWith("EUR", "1.00")];
    const { transfer } = await posted(alice.transfer({ ...usd("8.00"), to: shop.userId }));
    const creditId = transfer.creditId ?? "";
    const refund = (amount?: string) => shop.reverse(creditId, { amount, ...once() });
    expect(await posted(refund("3.00"))).toMatchObject({
      type: "reversal",
      amount: "3.00",
      refersTo: creditId,
      transfer: { to: alice.userId, status: "credited" },
    });
    expect(await shop.transaction(creditId)).toMatchObject({ reversed: "3.00" });
    expect(await refund("5.01")).toMatchObject(rejected("reversal_exceeds_original"));
    expect(await posted(refund())).toMatchObject({ amount: "5.00" });
    expect(await refund()).toMatchObject(rejected("reversal_exceeds_original"));
    expect([await balanceOf(alice, "USD"), await balanceOf(shop, "USD")]).toEqual(["10.00", "0.00"]);
  });

  test("of a deposit is for an admin", async () => {
    const alice = aWallet();
    const { id } = await posted(alice.deposit(usd("10.00")));
    await expect(alice.reverse(id, once())).rejects.toMatchObject({ code: "forbidden", status: 403 });
    const reversal = await posted(admin.wallet(alice.userId).reverse(id, once()));
    expect(reversal).toMatchObject({ amount: "10.00", transfer: null });
    expect(await balanceOf(alice, "USD")).toBe("0.00");
  });
});

describe("an exchange", () => {
  test("by an admin sells and buys in one transaction, which a reversal undoes", async () => {
    const alice = await walletWith("USD", "10.00");
    const ofAlice = admin.wallet(alice.userId);
    const money = { sell: { currency: "USD", amount: "4.00" }, buy: { currency: "JPY", amount: "600" } };
    const exchange = await posted(ofAlice.exchange({ ...money, ...once() }));
    expect(exchange).toMatchObject({
      ...{ type: "exchange", actor: "admin", currency: "USD", amount: "4.00", buy: money.buy, reversed: "0.00" },
      postings: [
        { currency: "USD", amount: "-4.00", balanceAfter: "6.00" },
        { currency: "JPY", amount: "600", balanceAfter: "600" },
      ],
    });
    for (const currency of ["USD", "JPY"]) {
      const exchanges = await Array.fromAsync(alice.transactions({ currency, type: "exchange" }));
      expect(exchanges.map(({ id }) => id)).toEqual([exchange.id]);
    }
    expect(await Array.fromAsync(alice.transactions({ currency: "EUR" }))).toEqual([]);

    const reversal = await posted(ofAlice.reverse(exchange.id, once()));
    expect(reversal).toMatchObject({ type: "reversal", refersTo: exchange.id, transfer: null });
    expect([await balanceOf(alice, "USD"), await balanceOf(alice, "JPY")]).toEqual(["10.00", "0"]);
    expect(await alice.transaction(exchange.id)).toMatchObject({ reversed: "4.00" });
  });
});

describe("a wallet's status", () => {
  const change = ({ userId }: Wallet, status: "active" | "frozen" | "closed") =>
    admin.wallet(userId).changeStatus({ status, ...once() });

  test("frozen lets money in, and out only for an admin", async () => {
    const [alice, bob] = [await walletWith("USD", "10.00"), await walletWith("USD", "5.00")];
    expect(await posted(change(alice, "frozen"))).toMatchObject({ type: "status_change", newStatus: "frozen" });
    expect(await alice.balances()).toMatchObject({ status: "frozen" });
    expect(await alice.withdraw(usd("1.00"))).toMatchObject(rejected("wallet_frozen"));
    const transfer = await posted(bob.transfer({ ...usd("5.00"), to: alice.userId }));
    expect(transfer).toMatchObject({ transfer: { status: "credited" } });
    await posted(admin.wallet(alice.userId).withdraw(usd("15.00")));
    await posted(change(alice, "active"));
    await posted(alice.deposit(usd("1.00")));
  });

  test("closed needs an empty wallet, and rejects all but a change of the status", async () => {
    const [alice, bob] = [await walletWith("USD", "10.00"), await walletWith("USD", "5.00")];
    expect(await change(alice, "closed")).toMatchObject(rejected("wallet_not_empty"));
    await posted(alice.withdraw(usd("10.00")));
    await posted(change(alice, "closed"));
    expect(await alice.deposit(usd("1.00"))).toMatchObject(rejected("wallet_closed"));
    const transfer = bob.transfer({ ...usd("5.00"), to: alice.userId });
    await expect(transfer).rejects.toMatchObject({ code: "unknown_receiver" });
    await posted(change(alice, "active"));
    await posted(alice.deposit(usd("1.00")));
  });
});

describe("a batch", () => {
  const command = (userId: string, amount: string) => ({
    userId,
    idempotencyKey: randomUUID(),
    currency: "USD",
    amount,
  });
  const idsIn = (results: readonly BatchResult[]) =>
    results.map((result) => ("transaction" in result ? result.transaction.id : `${result.status}`));

  test("moves the money of several users in order, and repeated moves nothing again", async () => {
    const [alice, bob, carol] = [aWallet(), await walletWith("USD", "1.00"), await walletWith("USD", "1.00")];
    const ofAlice = (amount: string) => command(alice.userId, amount);
    const first: readonly BatchCommand[] = [
      { type: "deposit", ...ofAlice("100.00") },
      { type: "transfer", to: bob.userId, ...ofAlice("30.00") },
      { type: "transfer", to: bob.userId, ...command(carol.userId, "0.40") },
      { type: "hold", ...ofAlice("20.00") },
      { type: "withdrawal", ...ofAlice("50.01") },
      { type: "withdrawal", ...ofAlice("0.001") },
      { type: "withdrawal", ...ofAlice("50.00") },
    ];
    const results = await admin.batch(first);
    expect(results.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202, 422, 202]);
    const ids = idsIn(results);
    const outcomes = await Promise.all([0, 1, 3, 4, 6].map((index) => alice.settled(ids[index] ?? "")));
    expect(outcomes).toMatchObject([
      { sequence: 1, status: "posted" },
      { sequence: 2, status: "posted" },
      { sequence: 3, status: "posted" },
      { sequence: 4, status: "rejected" },
      { sequence: 5, status: "posted" },
    ]);

    const capture = { userId: alice.userId, refersTo: ids[3] ?? "", amount: "15.00", idempotencyKey: randomUUID() };
    const second: readonly BatchCommand[] = [{ type: "capture", ...capture }];
    const [captureId = ""] = idsIn(await admin.batch(second));
    expect(await alice.settled(captureId)).toMatchObject({ sequence: 6, status: "posted", amount: "15.00" });

    const replayed = await admin.batch([...first, ...second]);
    expect(idsIn(replayed)).toEqual([...ids, captureId]);
    expect(replayed.flatMap((result) => ("transaction" in result ? [result.replayed] : []))).toEqual(
      Array(7).fill(true),
    );
    await expect.poll(() => balanceOf(bob, "USD")).toBe("31.40");
    expect([await balanceOf(alice, "USD"), await balanceOf(carol, "USD")]).toEqual(["5.00", "0.60"]);
    expect((await alice.balances()).sequence).toBe(6);
  });

  test("of 100 commands for one wallet is decided in its order", async () => {
    const alice = aWallet();
    const commands = Array.from({ length: 100 }, (_, index) => command(alice.userId, `${index + 1}.00`));
    const ids = idsIn(await admin.batch(commands.map((each) => ({ type: "deposit", ...each }))));
    await expect.poll(async () => (await alice.balances()).sequence, { timeout: 30_000 }).toBe(100);
    const history = await Array.fromAsync(alice.transactions({ limit: 100 }));
    expect(history.map(({ id }) => id).reverse()).toEqual(ids);
    expect(await balanceOf(alice, "USD")).toBe("5050.00");
  });

  test("is for operators: a user's own token gets 403, and nothing is stored", async () => {
    const userId = newUser();
    const commands = [{ type: "deposit" as const, ...command(userId, "1.00") }];
    const own = clientOf(apiUrl, userId).batch(commands);
    await expect(own).rejects.toMatchObject({ code: "forbidden", status: 403 });
    const [first] = await admin.batch(commands);
    expect(first).toMatchObject({ status: 202 });
    expect(first).not.toHaveProperty("replayed");
  });
});

describe("a race", () => {
  test("of 50 withdrawals of 7.00 from 100.00 posts 14, rejects 36 and leaves 2.00", async () => {
    const alice = await walletWith("USD", "100.00");
    const withdraw = () => alice.withdraw({ ...usd("7.00"), wait: 0 });
    const accepted = await Promise.all(Array.from({ length: 50 }, withdraw));
    const decided = await Promise.all(accepted.map(({ id }) => alice.settled(id)));
    const count = (status: string) => decided.filter((transaction) => transaction.status === status).length;
    expect({ posted: count("posted"), rejected: count("rejected") }).toEqual({ posted: 14, rejected: 36 });
    expect(await alice.balances()).toMatchObject({ sequence: 51 });
    expect(await balanceOf(alice, "USD")).toBe("2.00");
  });

  test("of captures and releases of one hold takes no more than the hold, and ends it once", async () => {
    const alice = await walletWith("USD", "10.00");
    const { id: hold } = await posted(alice.hold(usd("7.00")));
    const outcomesOf = async (count: number, submit: () => Promise<{ readonly id: string }>) => {
      const sent = await Promise.all(Array.from({ length: count }, submit));
      const decided = await Promise.all(sent.map(({ id }) => alice.settled(id)));
      return decided.map(({ rejection }) => rejection?.code ?? "posted").sort();
    };
    const key = () => ({ idempotencyKey: randomUUID() });
    const parts = await outcomesOf(5, () => alice.capture(hold, { amount: "2.00", final: false, ...key() }));
    expect(parts).toEqual(["capture_exceeds_hold", "capture_exceeds_hold", "posted", "posted", "posted"]);
    const [captures, releases] = await Promise.all([
      outcomesOf(2, () => alice.capture(hold, key())),
      outcomesOf(2, () => alice.release(hold, key())),
    ]);
    expect([...captures, ...releases].sort()).toEqual(["hold_closed", "hold_closed", "hold_closed", "posted"]);
    const takenMinor = captures.includes("posted") ? 700 : 600;
    expect(await balanceOf(alice, "USD")).toBe(((1000 - takenMinor) / 100).toFixed(2));
  });

  test("of transfers around a ring of users neither makes nor loses money", async () => {
    const users = await Promise.all(Array.from({ length: 5 }, () => walletWith("USD", "10.00")));
    const sent = users.flatMap((user, index) => {
      const to = users[(index + 1) % users.length]?.userId ?? "";
      return Array.from({ length: 5 }, () => user.transfer({ ...usd("4.00"), to }));
    });
    for (const { status } of await Promise.all(sent)) expect(["posted", "rejected"]).toContain(status);
    const balances = await Promise.all(users.map((user) => balanceOf(user, "USD")));
    expect(balances.reduce((sum, balance) => sum + Number(balance), 0)).toBe(50);
    for (const balance of balances) expect(Number(balance)).toBeGreaterThanOrEqual(0);
  });

  test("of one Idempotency-Key 20 times at once has one effect", async () => {
    const alice = aWallet();
    const deposit = usd("3.00");
    const answers = await Promise.all(Array.from({ length: 20 }, () => posted(alice.deposit(deposit))));
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect(answers.filter(({ replayed }) => replayed)).toHaveLength(19);
    expect(await alice.balances()).toMatchObject({ sequence: 1 });
    expect(await balanceOf(alice, "USD")).toBe("3.00");
  });

  test("of many users and commands keeps each user's order", async () => {
    const users = Array.from({ length: 5 }, aWallet);
    await Promise.all(
      users.map(async (user) => {
        for (const amount of ["1.00", "2.00", "3.00", "4.00"]) {
          await user.deposit({ ...movement("GBP", amount), wait: 0 });
        }
        await user.withdraw(movement("GBP", "0.50"));
      }),
    );
    for (const user of users) {
      const history = await Array.fromAsync(user.transactions());
      expect(history.map(({ amount }) => amount).reverse()).toEqual(["1.00", "2.00", "3.00", "4.00", "0.50"]);
      expect(history.map(({ sequence }) => sequence)).toEqual([5, 4, 3, 2, 1]);
    }
  });
});

describe("an Idempotency-Key", () => {
  test("sent again with the same content gets the transaction", async () => {
    const alice = aWallet();
    const deposit = { ...usd("1.00"), idempotencyKey: "the key; 1" };
    const first = await posted(alice.deposit(deposit));
    expect(await alice.deposit({ ...deposit, amount: "1.0", wait: 0 })).toEqual({ ...first, replayed: true });
    expect(await balanceOf(alice, "USD")).toBe("1.00");
  });

  test("sent again with other content is refused", async () => {
    const alice = aWallet();
    const deposit = usd("1.00");
    await posted(alice.deposit(deposit));
    const others = await Promise.allSettled([
      alice.deposit({ ...deposit, amount: "1.01" }),
      alice.deposit({ ...deposit, currency: "EUR" }),
      alice.withdraw(deposit),
      alice.deposit({ ...deposit, reference: "another" }),
      alice.deposit({ ...deposit, metadata: { a: "b" } }),
    ]);
    for (const other of others) {
      expect(other).toMatchObject({ status: "rejected", reason: { code: "idempotency_key_reused", status: 422 } });
    }
    expect(await balanceOf(alice, "USD")).toBe("1.00");
  });

  test("of another user is independent", async () => {
    const [alice, bob] = [aWallet(), aWallet()];
    const deposit = usd("1.00");
    await posted(alice.deposit(deposit));
    await posted(bob.deposit({ ...deposit, amount: "2.00" }));
    expect(await balanceOf(alice, "USD")).toBe("1.00");
    expect(await balanceOf(bob, "USD")).toBe("2.00");
  });
});

describe("balances", () => {
  test("of a new user are zero in every enabled currency", async () => {
    const alice = aWallet();
    const currencies = await admin.currencies();
    const { sequence, hash, balances } = await alice.balances();
    expect({ sequence, hash }).toEqual({ sequence: 0, hash: null });
    const zeros = currencies.map(({ code, exponent }) => {
      const zero = (0).toFixed(exponent);
      return { currency: code, amount: zero, held: zero, available: zero };
    });
    expect(balances).toEqual(zeros);
    expect(currencies.length).toBeGreaterThanOrEqual(3);
    expect((await alice.balances({ at: "2020-01-01T00:00:00Z" })).balances).toEqual(zeros);
  });

  test("as of a moment are those after the last decision at or before it", async () => {
    const alice = aWallet();
    const first = await posted(alice.deposit(usd("5.00")));
    const second = await posted(alice.withdraw(usd("2.00")));
    const at = ({ decidedAt }: Transaction) => ({ at: decidedAt ?? "" });
    expect(await alice.balances(at(first))).toMatchObject({ sequence: 1, hash: first.hash });
    expect(await alice.balances(at(second))).toMatchObject({ sequence: 2, provisional: true });
    expect((await alice.balances({ at: "2020-01-01T00:00:00Z" })).sequence).toBe(0);
    const future = alice.balances({ at: "2100-01-01T00:00:00Z" });
    await expect(future).rejects.toMatchObject({
      errors: [{ parameter: "at", detail: "must not be in the future" }],
    });
  });
});

describe("a statement", () => {
  test("has pages that add up, as JSON and as CSV", async () => {
    const alice = aWallet();
    await alice.deposit({ ...usd("5.00"), reference: "=1+1" });
    await alice.deposit(movement("EUR", "1.00"));
    await alice.withdraw(usd("9.00"));
    await alice.withdraw(usd("2.00"));
    const all = await alice.statement({ currency: "USD" }).page();
    expect(all).toMatchObject({ opening: "0.00", credits: "5.00", debits: "2.00", closing: "3.00", nextCursor: null });
    expect(all.lines.map(({ sequence, balance }) => [sequence, balance])).toEqual([
      [1, "5.00"],
      [4, "3.00"],
    ]);
    const pages = await Array.fromAsync(alice.statement({ currency: "USD", to: all.to, limit: 3 }).pages());
    expect(pages).toMatchObject([
      { opening: "0.00", closing: "5.00" },
      { opening: "5.00", debits: "2.00", closing: "3.00" },
    ]);
    const csv = await Array.fromAsync(alice.statementCsv({ currency: "USD", limit: 3 }));
    expect(csv).toEqual([
      expect.stringMatching(
        /^decidedAt,sequence,id,type,reference,credit,debit,balance\r\n[^\n]+,'=1\+1,5\.00,,5\.00\r\n$/,
      ),
      expect.stringMatching(/^[^\n]+,4,\S+,withdrawal,,,2\.00,3\.00\r\n$/),
    ]);
  });
});

describe("the history", () => {
  test("pages by cursor, newest first, without a gap, and filters by status and currency", async () => {
    const alice = aWallet();
    for (let step = 1; step <= 4; step++) await alice.deposit(usd(`${step}.00`));
    for (let step = 1; step <= 3; step++) await alice.deposit(movement("EUR", `${step}.00`));
    await alice.withdraw(usd("999.00"));

    const sequences = (transactions: readonly Transaction[]) => transactions.map(({ sequence }) => sequence);
    const pages = await Array.fromAsync(alice.transactions({ limit: 3 }).pages());
    expect(pages.map(({ data }) => sequences(data))).toEqual([
      [8, 7, 6],
      [5, 4, 3],
      [2, 1],
    ]);
    expect(sequences(await Array.fromAsync(alice.transactions({ status: "rejected" })))).toEqual([8]);
    const euros = await alice.transactions({ currency: "EUR", limit: 2 }).page();
    expect(sequences(euros.data)).toEqual([7, 6]);
    const rest = await alice.transactions({ currency: "EUR", limit: 2, cursor: euros.nextCursor ?? "" }).page();
    expect(sequences(rest.data)).toEqual([5]);
  });
});
