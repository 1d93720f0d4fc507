import { randomUUID } from "node:crypto";
import { describe, expect, inject, test } from "vitest";
import { type ApiResponse, Client, newUser, problemIn, promisedIn, transactionIn } from "../../testkit/client.ts";

const apiUrl = inject("apiUrl");
const aUser = () => new Client(apiUrl, newUser());
const admin = new Client(apiUrl, "service", "wallets:admin");
const WAIT = { wait: 20 };

async function userWith(currency: string, amount: string): Promise<Client> {
  const user = aUser();
  transactionIn(await user.deposit(currency, amount, WAIT), 201);
  return user;
}

describe("a deposit", () => {
  test("is accepted, can be read at once, and is posted", async () => {
    const alice = aUser();
    const response = await alice.deposit("USD", "12.34", { reference: "invoice 4711", metadata: { order: "A-1" } });
    const accepted = transactionIn(response, 202);
    expect(accepted).toMatchObject({
      userId: alice.user,
      type: "deposit",
      currency: "USD",
      amount: "12.34",
      status: "pending",
      sequence: null,
      decidedAt: null,
      postings: [],
      previousHash: null,
      hash: null,
      reference: "invoice 4711",
      metadata: { order: "A-1" },
      rejection: null,
    });
    const location = response.headers.get("location") ?? "";
    expect((await alice.request("GET", location)).status).toBe(200);

    const posted = await alice.decided(accepted.id);
    expect(posted).toMatchObject({
      ...accepted,
      status: "posted",
      sequence: 1,
      decidedAt: expect.any(String),
      postings: [{ currency: "USD", amount: "12.34", held: "0.00", balanceAfter: "12.34", heldAfter: "0.00" }],
      hash: expect.any(String),
      reversed: "0.00",
    });
    expect(await alice.balance("USD")).toBe("12.34");
  });

  test("with a wait gets 201 and the outcome", async () => {
    const alice = aUser();
    const response = await alice.deposit("JPY", "500", { wait: 10 });
    expect(transactionIn(response, 201)).toMatchObject({ status: "posted", sequence: 1 });
    expect(response.headers.get("preference-applied")).toBe("wait=10");
  });

  test.each([
    ["JPY", "1", "999999999999999999999999999999999998", "999999999999999999999999999999999999"],
    ["ETH", "0.000000000000000001", "999999999999999999.999999999999999998", "999999999999999999.999999999999999999"],
  ])("moves 36 digits of %s exactly, and refuses more", async (currency, smallest, most, all) => {
    const alice = aUser();
    transactionIn(await alice.deposit(currency, most, { wait: 10 }), 201);
    const balanceAfter = (response: ApiResponse) => transactionIn(response, 201).postings[0]?.balanceAfter;
    expect(balanceAfter(await alice.deposit(currency, smallest, { wait: 10 }))).toBe(all);
    const tooMuch = problemIn(await alice.deposit(currency, smallest, { wait: 10 }), 422);
    expect(tooMuch).toMatchObject({ code: "balance_limit", transaction: { status: "rejected", postings: [] } });
    expect(balanceAfter(await alice.withdraw(currency, most, { wait: 10 }))).toBe(smallest);
    expect(await alice.balance(currency)).toBe(smallest);
  });
});

describe("a withdrawal", () => {
  test("over the balance is rejected and recorded, and moves no money", async () => {
    const alice = aUser();
    await alice.deposit("EUR", "10.00", { wait: 10 });
    const problem = problemIn(await alice.withdraw("EUR", "10.01", { wait: 10 }), 422);
    expect(problem).toMatchObject({
      code: "insufficient_funds",
      transaction: {
        status: "rejected",
        sequence: 2,
        postings: [],
        rejection: { code: "insufficient_funds" },
      },
    });
    expect(await alice.balance("EUR")).toBe("10.00");
    expect((await alice.history()).data.map(({ status }) => status)).toEqual(["rejected", "posted"]);
  });

  test("does not use another currency's balance", async () => {
    const alice = aUser();
    await alice.deposit("USD", "5.00", { wait: 10 });
    problemIn(await alice.withdraw("EUR", "1.00", { wait: 10 }), 422);
    expect(await alice.balance("USD")).toBe("5.00");
  });
});

describe("a transfer", () => {
  test("with a wait gets 201 once the money is in the receiver's wallet", async () => {
    const [alice, bob] = [await userWith("USD", "10.00"), await userWith("EUR", "1.00")];
    const to = bob.user;
    const response = await alice.post(
      "transfers",
      { to, currency: "USD", amount: "4.00" },
      { ...WAIT, reference: "rent" },
    );
    const transfer = transactionIn(response, 201);
    expect(transfer).toMatchObject({
      type: "transfer",
      status: "posted",
      amount: "4.00",
      transfer: { to, status: "credited" },
    });
    expect(await alice.balance("USD")).toBe("6.00");

    const credit = await bob.transaction(transfer.type === "transfer" ? (transfer.transfer.creditId ?? "") : "");
    expect(credit).toMatchObject({
      type: "credit",
      status: "posted",
      actor: "ledger",
      source: { type: "transfer", userId: alice.user, transactionId: transfer.id },
      postings: [{ currency: "USD", amount: "4.00", balanceAfter: "4.00" }],
      reference: null,
    });
    expect((await bob.history({ type: "credit" })).data).toEqual([credit]);
    expect((await alice.history({ type: "transfer" })).data).toEqual([transfer]);
  });

  test("over the balance is rejected, and the receiver's wallet does not change", async () => {
    const [alice, bob] = [await userWith("USD", "10.00"), await userWith("EUR", "1.00")];
    const response = await alice.post("transfers", { to: bob.user, currency: "USD", amount: "10.01" }, WAIT);
    expect(problemIn(response, 422)).toMatchObject({
      code: "insufficient_funds",
      transaction: { type: "transfer", status: "rejected", transfer: { creditId: null, status: null } },
    });
    expect(await bob.balances()).toMatchObject({ sequence: 1 });
  });

  test("to nobody, or to the own wallet, is refused", async () => {
    const alice = await userWith("USD", "10.00");
    const send = (to: string) => alice.post("transfers", { to, currency: "USD", amount: "1.00" }, WAIT);
    expect(problemIn(await send(newUser("nobody")), 422)).toMatchObject({
      code: "unknown_receiver",
      errors: [{ pointer: "/to" }],
    });
    expect(problemIn(await send(alice.user), 422).code).toBe("same_wallet");
    expect(await alice.balances()).toMatchObject({ sequence: 1 });
  });
});

describe("a hold", () => {
  const walletOf = async (user: Client) => {
    const { balances } = await user.balances();
    const { currency: _, ...usd } = balances.find(({ currency }) => currency === "USD") ?? { currency: "" };
    return usd;
  };

  test("keeps money back until its capture, and the capture without an amount takes all of it", async () => {
    const alice = await userWith("USD", "10.00");
    const hold = transactionIn(await alice.post("holds", { currency: "USD", amount: "7.00" }, WAIT), 201);
    expect(hold).toMatchObject({ type: "hold", hold: { to: null, remaining: "7.00", status: "open" } });
    expect(await walletOf(alice)).toEqual({ amount: "10.00", held: "7.00", available: "3.00" });
    problemIn(await alice.withdraw("USD", "3.01", WAIT), 422);
    expect(transactionIn(await alice.post(`holds/${hold.id}/captures`, {}, WAIT), 201)).toMatchObject({
      amount: "7.00",
      refersTo: hold.id,
      transfer: null,
    });
    expect(await walletOf(alice)).toEqual({ amount: "3.00", held: "0.00", available: "3.00" });
    expect(await alice.transaction(hold.id)).toMatchObject({ hold: { remaining: "0.00", status: "captured" } });
    expect(problemIn(await alice.post(`holds/${hold.id}/releases`, {}, WAIT), 422).code).toBe("hold_closed");
  });

  test("promised to a shop is captured twice by the shop, and the rest is released", async () => {
    const [alice, shop] = [await userWith("USD", "10.00"), await userWith("EUR", "1.00")];
    const to = shop.user;
    const hold = transactionIn(await alice.post("holds", { to, currency: "USD", amount: "9.00" }, WAIT), 201);
    const asShop = (path: string, body: object) => shop.post(`holds/${hold.id}/${path}`, body, WAIT, alice.user);
    const seenByShop = async () => promisedIn(await shop.get(`transactions/${hold.id}`, alice.user), 200);
    expect(await seenByShop()).toMatchObject({
      type: "hold",
      amount: "9.00",
      hold: { remaining: "9.00", status: "open" },
    });
    expect(problemIn(await alice.post(`holds/${hold.id}/releases`, {}, WAIT), 403).code).toBe("forbidden");

    const ids: string[] = [];
    for (const amount of ["2.00", "3.00"]) {
      const capture = promisedIn(await asShop("captures", { amount, final: false }), 201);
      expect(capture).toMatchObject({
        type: "capture",
        status: "posted",
        amount,
        transfer: { to, status: "credited" },
      });
      ids.push(capture.id);
    }
    expect(await seenByShop()).toMatchObject({ hold: { remaining: "4.00", status: "open" } });
    expect(problemIn(await asShop("captures", { amount: "4.01" }), 422)).toMatchObject({
      code: "capture_exceeds_hold",
      transaction: { type: "capture", status: "rejected", amount: "4.01" },
    });
    expect(promisedIn(await asShop("releases", {}), 201)).toMatchObject({ type: "release", amount: "4.00" });

    expect(await seenByShop()).toMatchObject({ hold: { remaining: "0.00", status: "released" } });
    expect(await walletOf(alice)).toEqual({ amount: "5.00", held: "0.00", available: "5.00" });
    expect(await shop.balance("USD")).toBe("5.00");
    const { data } = await shop.history({ type: "credit" });
    const sources = data.map((each) => each.type === "credit" && each.source);
    expect(sources).toEqual(
      ids
        .toReversed()
        .map((transactionId) => ({ type: "capture", userId: alice.user, transactionId, refersTo: hold.id })),
    );
  });

  test("is in the list of holds, newest first, while it is open", async () => {
    const alice = await userWith("USD", "10.00");
    const ids: string[] = [];
    for (const amount of ["1.00", "2.00", "3.00", "4.00"]) {
      ids.unshift(transactionIn(await alice.post("holds", { currency: "USD", amount }, WAIT), 201).id);
    }
    const [, released = "", ...open] = ids;
    transactionIn(await alice.post(`holds/${released}/releases`, {}, WAIT), 201);
    const first = await alice.holds({ limit: "2" });
    const next = await alice.holds({ limit: "2", cursor: first.nextCursor ?? "" });
    expect(first.data.map(({ id }) => id)).toEqual([ids[0], open[0]]);
    expect(next.data.map(({ id }) => id)).toEqual(open.slice(1));
    expect(next.nextCursor).toBeNull();
  });
});

describe("a reversal", () => {
  test("of a credit by its receiver is a refund, in parts up to the whole", async () => {
    const [alice, shop] = [await userWith("USD", "10.00"), await userWith("EUR", "1.00")];
    await alice.post("transfers", { to: shop.user, currency: "USD", amount: "8.00" }, WAIT);
    const [credit] = (await shop.history({ type: "credit" })).data;
    const refund = (body: object) => shop.post(`transactions/${credit?.id}/reversals`, body, WAIT);
    expect(transactionIn(await refund({ amount: "3.00" }), 201)).toMatchObject({
      type: "reversal",
      amount: "3.00",
      refersTo: credit?.id,
      transfer: { to: alice.user, status: "credited" },
    });
    expect(await shop.transaction(credit?.id ?? "")).toMatchObject({ reversed: "3.00" });
    expect(problemIn(await refund({ amount: "5.01" }), 422).code).toBe("reversal_exceeds_original");
    expect(transactionIn(await refund({}), 201)).toMatchObject({ amount: "5.00" });
    expect(problemIn(await refund({}), 422).code).toBe("reversal_exceeds_original");
    expect([await alice.balance("USD"), await shop.balance("USD")]).toEqual(["10.00", "0.00"]);
  });

  test("of a deposit is for an admin", async () => {
    const alice = await userWith("USD", "10.00");
    const [deposit] = (await alice.history()).data;
    const path = `transactions/${deposit?.id}/reversals`;
    expect(problemIn(await alice.post(path, {}, WAIT), 403).code).toBe("forbidden");
    expect(transactionIn(await admin.post(path, {}, WAIT, alice.user), 201)).toMatchObject({
      amount: "10.00",
      transfer: null,
    });
    expect(await alice.balance("USD")).toBe("0.00");
  });
});

describe("an exchange", () => {
  test("by an admin sells and buys in one transaction, which a reversal undoes", async () => {
    const alice = await userWith("USD", "10.00");
    const body = { sell: { currency: "USD", amount: "4.00" }, buy: { currency: "JPY", amount: "600" } };
    const exchange = transactionIn(await admin.post("exchanges", body, WAIT, alice.user), 201);
    expect(exchange).toMatchObject({
      ...{ type: "exchange", actor: "admin", currency: "USD", amount: "4.00", buy: body.buy, reversed: "0.00" },
      postings: [
        { currency: "USD", amount: "-4.00", balanceAfter: "6.00" },
        { currency: "JPY", amount: "600", balanceAfter: "600" },
      ],
    });
    for (const currency of ["USD", "JPY"]) {
      const { data } = await alice.history({ currency, type: "exchange" });
      expect(data.map(({ id }) => id)).toEqual([exchange.id]);
    }
    expect((await alice.history({ currency: "EUR" })).data).toEqual([]);

    const reversal = await admin.post(`transactions/${exchange.id}/reversals`, {}, WAIT, alice.user);
    expect(transactionIn(reversal, 201)).toMatchObject({ type: "reversal", refersTo: exchange.id, transfer: null });
    expect([await alice.balance("USD"), await alice.balance("JPY")]).toEqual(["10.00", "0"]);
    expect(await alice.transaction(exchange.id)).toMatchObject({ reversed: "4.00" });
  });
});

describe("a wallet's status", () => {
  const change = (user: Client, status: string) => admin.post("status-changes", { status }, WAIT, user.user);

  test("frozen lets money in, and out only for an admin", async () => {
    const [alice, bob] = [await userWith("USD", "10.00"), await userWith("USD", "5.00")];
    expect(transactionIn(await change(alice, "frozen"), 201)).toMatchObject({
      type: "status_change",
      newStatus: "frozen",
    });
    expect(await alice.balances()).toMatchObject({ status: "frozen" });
    expect(problemIn(await alice.withdraw("USD", "1.00", WAIT), 422).code).toBe("wallet_frozen");
    const transfer = await bob.post("transfers", { to: alice.user, currency: "USD", amount: "5.00" }, WAIT);
    expect(transactionIn(transfer, 201)).toMatchObject({ transfer: { status: "credited" } });
    transactionIn(await admin.post("withdrawals", { currency: "USD", amount: "15.00" }, WAIT, alice.user), 201);
    transactionIn(await change(alice, "active"), 201);
    transactionIn(await alice.deposit("USD", "1.00", WAIT), 201);
  });

  test("closed needs an empty wallet, and rejects all but a change of the status", async () => {
    const [alice, bob] = [await userWith("USD", "10.00"), await userWith("USD", "5.00")];
    expect(problemIn(await change(alice, "closed"), 422).code).toBe("wallet_not_empty");
    await alice.withdraw("USD", "10.00", WAIT);
    transactionIn(await change(alice, "closed"), 201);
    expect(problemIn(await alice.deposit("USD", "1.00", WAIT), 422).code).toBe("wallet_closed");
    const transfer = await bob.post("transfers", { to: alice.user, currency: "USD", amount: "5.00" }, WAIT);
    expect(problemIn(transfer, 422).code).toBe("unknown_receiver");
    transactionIn(await change(alice, "active"), 201);
    transactionIn(await alice.deposit("USD", "1.00", WAIT), 201);
  });
});

describe("a batch", () => {
  const money = (amount: string) => ({ currency: "USD", amount });
  const idsIn = (results: Awaited<ReturnType<Client["batch"]>>) =>
    results.map((result) => ("transaction" in result ? result.transaction.id : `${result.status}`));

  test("moves the money of several users in order, and repeated moves nothing again", async () => {
    const [alice, bob, carol] = [aUser(), aUser(), aUser()];
    for (const user of [bob, carol]) transactionIn(await user.deposit("USD", "1.00", WAIT), 201);
    const keyed = (command: object) => ({ idempotencyKey: randomUUID(), ...command });
    const first = [
      { userId: alice.user, type: "deposit", ...money("100.00") },
      { userId: alice.user, type: "transfer", to: bob.user, ...money("30.00") },
      { userId: carol.user, type: "transfer", to: bob.user, ...money("0.40") },
      { userId: alice.user, type: "hold", ...money("20.00") },
      { userId: alice.user, type: "withdrawal", ...money("50.01") },
      { userId: alice.user, type: "withdrawal", ...money("0.001") },
      { userId: alice.user, type: "withdrawal", ...money("50.00") },
    ].map(keyed);
    const results = await admin.batch(first);
    expect(results.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202, 422, 202]);
    const ids = idsIn(results);
    const outcomes = await Promise.all(
      [0, 1, 3, 4, 6].map(async (index) => {
        const { sequence, status } = await alice.decided(ids[index] ?? "");
        return [sequence, status];
      }),
    );
    expect(outcomes).toEqual([
      [1, "posted"],
      [2, "posted"],
      [3, "posted"],
      [4, "rejected"],
      [5, "posted"],
    ]);

    const second = [{ userId: alice.user, type: "capture", refersTo: ids[3], amount: "15.00" }].map(keyed);
    const [captureId = ""] = idsIn(await admin.batch(second));
    expect(await alice.decided(captureId)).toMatchObject({ sequence: 6, status: "posted", amount: "15.00" });

    const replayed = await admin.batch([...first, ...second]);
    expect(idsIn(replayed)).toEqual([...ids, captureId]);
    expect(replayed.flatMap((result) => ("transaction" in result ? [result.replayed] : []))).toEqual(
      Array(7).fill(true),
    );
    await expect.poll(() => bob.balance("USD"), { timeout: 20_000 }).toBe("31.40");
    expect([await alice.balance("USD"), await carol.balance("USD")]).toEqual(["5.00", "0.60"]);
    expect((await alice.balances()).sequence).toBe(6);
  });

  test("of 100 commands for one wallet is decided in its order", async () => {
    const alice = aUser();
    const ids = idsIn(
      await admin.batch(
        Array.from({ length: 100 }, (_, index) => ({
          userId: alice.user,
          type: "deposit",
          ...money(`${index + 1}.00`),
        })),
      ),
    );
    await alice.sequenceReached(100, 30_000);
    const history = await alice.fullHistory();
    expect(history.map(({ id }) => id).reverse()).toEqual(ids);
    expect(await alice.balance("USD")).toBe("5050.00");
  });

  test("is for operators: a user's own token gets 403, and nothing is stored", async () => {
    const alice = aUser();
    const commands = [{ userId: alice.user, type: "deposit", idempotencyKey: "key-1", ...money("1.00") }];
    const response = await alice.request("POST", "/v1/batches", JSON.stringify({ commands }), {
      "content-type": "application/json",
    });
    expect(problemIn(response, 403).code).toBe("forbidden");
    const [first] = await admin.batch(commands);
    expect(first).toMatchObject({ status: 202 });
    expect(first).not.toHaveProperty("replayed");
  });
});

describe("a race", () => {
  test("of 50 withdrawals of 7.00 from 100.00 posts 14, rejects 36 and leaves 2.00", async () => {
    const alice = aUser();
    await alice.deposit("USD", "100.00", { wait: 10 });
    const accepted = await Promise.all(Array.from({ length: 50 }, () => alice.withdraw("USD", "7.00")));
    const decided = await Promise.all(accepted.map((response) => alice.decided(transactionIn(response, 202).id)));
    const count = (status: string) => decided.filter((transaction) => transaction.status === status).length;
    expect({ posted: count("posted"), rejected: count("rejected") }).toEqual({ posted: 14, rejected: 36 });
    expect(await alice.balances()).toMatchObject({ sequence: 51 });
    expect(await alice.balance("USD")).toBe("2.00");
  });

  test("of captures and releases of one hold takes no more than the hold, and ends it once", async () => {
    const alice = await userWith("USD", "10.00");
    const hold = transactionIn(await alice.post("holds", { currency: "USD", amount: "7.00" }, WAIT), 201);
    const outcomesOf = async (path: string, bodies: readonly object[]) => {
      const sent = await Promise.all(bodies.map((body) => alice.post(`holds/${hold.id}/${path}`, body)));
      const decided = await Promise.all(sent.map((response) => alice.decided(transactionIn(response, 202).id)));
      return decided.map(({ rejection }) => rejection?.code ?? "posted").sort();
    };
    const parts = await outcomesOf(
      "captures",
      Array.from({ length: 5 }, () => ({ amount: "2.00", final: false })),
    );
    expect(parts).toEqual(["capture_exceeds_hold", "capture_exceeds_hold", "posted", "posted", "posted"]);
    const [captures, releases] = await Promise.all([
      outcomesOf("captures", [{}, {}]),
      outcomesOf("releases", [{}, {}]),
    ]);
    expect([...captures, ...releases].sort()).toEqual(["hold_closed", "hold_closed", "hold_closed", "posted"]);
    const takenMinor = captures.includes("posted") ? 700 : 600;
    expect(await alice.balance("USD")).toBe(((1000 - takenMinor) / 100).toFixed(2));
  });

  test("of transfers around a ring of users neither makes nor loses money", async () => {
    const users = await Promise.all(Array.from({ length: 5 }, () => userWith("USD", "10.00")));
    const sent = users.flatMap((user, index) => {
      const to = users[(index + 1) % users.length]?.user;
      return Array.from({ length: 5 }, () => user.post("transfers", { to, currency: "USD", amount: "4.00" }, WAIT));
    });
    for (const { status } of await Promise.all(sent)) expect([201, 422]).toContain(status);
    const balances = await Promise.all(users.map((user) => user.balance("USD")));
    expect(balances.reduce((sum, balance) => sum + Number(balance), 0)).toBe(50);
    for (const balance of balances) expect(Number(balance)).toBeGreaterThanOrEqual(0);
  });

  test("of one Idempotency-Key 20 times at once has one effect", async () => {
    const alice = aUser();
    const key = randomUUID();
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => alice.deposit("USD", "3.00", { key, wait: 10 })),
    );
    const ids = new Set(responses.map((response) => transactionIn(response, 201).id));
    expect(ids.size).toBe(1);
    expect(responses.filter(({ headers }) => headers.get("idempotency-replayed") === "true")).toHaveLength(19);
    expect(await alice.balances()).toMatchObject({ sequence: 1 });
    expect(await alice.balance("USD")).toBe("3.00");
  });

  test("of many users and commands keeps each user's order", async () => {
    const users = Array.from({ length: 5 }, aUser);
    await Promise.all(
      users.map(async (user) => {
        for (const amount of ["1.00", "2.00", "3.00", "4.00"]) transactionIn(await user.deposit("GBP", amount), 202);
        await user.withdraw("GBP", "0.50", { wait: 10 });
      }),
    );
    for (const user of users) {
      const { data } = await user.history();
      expect(data.map(({ amount }) => amount).reverse()).toEqual(["1.00", "2.00", "3.00", "4.00", "0.50"]);
      expect(data.map(({ sequence }) => sequence)).toEqual([5, 4, 3, 2, 1]);
    }
  });
});

describe("an Idempotency-Key", () => {
  test("sent again with the same content gets the transaction", async () => {
    const alice = aUser();
    const key = "the key; 1";
    const first = transactionIn(await alice.deposit("USD", "1.00", { key, wait: 10 }), 201);
    const again = await alice.deposit("USD", "1.0", { key });
    expect(transactionIn(again, 202)).toEqual(first);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await alice.balance("USD")).toBe("1.00");
  });

  test("sent again with other content is refused", async () => {
    const alice = aUser();
    const key = randomUUID();
    await alice.deposit("USD", "1.00", { key, wait: 10 });
    for (const other of [
      await alice.deposit("USD", "1.01", { key }),
      await alice.deposit("EUR", "1.00", { key }),
      await alice.withdraw("USD", "1.00", { key }),
      await alice.deposit("USD", "1.00", { key, reference: "another" }),
      await alice.deposit("USD", "1.00", { key, metadata: { a: "b" } }),
    ]) {
      expect(problemIn(other, 422).code).toBe("idempotency_key_reused");
    }
    expect(await alice.balance("USD")).toBe("1.00");
  });

  test("of another user is independent", async () => {
    const [alice, bob] = [aUser(), aUser()];
    const key = randomUUID();
    await alice.deposit("USD", "1.00", { key, wait: 10 });
    transactionIn(await bob.deposit("USD", "2.00", { key, wait: 10 }), 201);
    expect(await alice.balance("USD")).toBe("1.00");
    expect(await bob.balance("USD")).toBe("2.00");
  });
});

describe("balances", () => {
  test("of a new user are zero in every enabled currency", async () => {
    const alice = aUser();
    const { data } = await alice.currencies();
    const { sequence, hash, balances } = await alice.balances();
    expect({ sequence, hash }).toEqual({ sequence: 0, hash: null });
    const zeros = data.map(({ code, exponent }) => {
      const zero = (0).toFixed(exponent);
      return { currency: code, amount: zero, held: zero, available: zero };
    });
    expect(balances).toEqual(zeros);
    expect(data.length).toBeGreaterThanOrEqual(3);
    expect((await alice.balances({ at: "2020-01-01T00:00:00Z" })).balances).toEqual(zeros);
  });

  test("as of a moment are those after the last decision at or before it", async () => {
    const alice = aUser();
    const first = transactionIn(await alice.deposit("USD", "5.00", { wait: 10 }), 201);
    const second = transactionIn(await alice.withdraw("USD", "2.00", { wait: 10 }), 201);
    const at = first.decidedAt ?? "";
    expect(await alice.balances({ at })).toMatchObject({ sequence: 1, hash: first.hash });
    expect(await alice.balances({ at: second.decidedAt ?? "" })).toMatchObject({ sequence: 2, provisional: true });
    expect((await alice.balances({ at: "2020-01-01T00:00:00Z" })).sequence).toBe(0);
    const future = problemIn(await alice.get("balances?at=2100-01-01T00:00:00Z"), 422);
    expect(future.errors).toEqual([{ parameter: "at", detail: "must not be in the future" }]);
  });
});

describe("a statement", () => {
  test("has pages that add up, as JSON and as CSV", async () => {
    const alice = aUser();
    await alice.deposit("USD", "5.00", { wait: 10, reference: "=1+1" });
    await alice.deposit("EUR", "1.00", { wait: 10 });
    await alice.withdraw("USD", "9.00", { wait: 10 });
    await alice.withdraw("USD", "2.00", { wait: 10 });
    const all = await alice.statement({ currency: "USD" });
    expect(all).toMatchObject({ opening: "0.00", credits: "5.00", debits: "2.00", closing: "3.00", nextCursor: null });
    expect(all.lines.map(({ sequence, balance }) => [sequence, balance])).toEqual([
      [1, "5.00"],
      [4, "3.00"],
    ]);
    const first = await alice.statement({ currency: "USD", to: all.to, limit: "3" });
    expect(first).toMatchObject({ opening: "0.00", closing: "5.00" });
    const next = await alice.statement({ currency: "USD", to: all.to, limit: "3", cursor: first.nextCursor ?? "" });
    expect(next).toMatchObject({ opening: "5.00", debits: "2.00", closing: "3.00", nextCursor: null });

    const path = `/v1/users/${alice.user}/statements`;
    const csv = await alice.request("GET", `${path}?currency=USD&limit=3`, undefined, { accept: "text/csv" });
    expect(csv.headers.get("content-type")).toMatch(/^text\/csv/);
    expect(csv.body).toMatch(
      /^decidedAt,sequence,id,type,reference,credit,debit,balance\r\n[^\n]+,'=1\+1,5\.00,,5\.00\r\n$/,
    );
    const [, link = ""] = /^<(.+)>; rel="next"$/.exec(csv.headers.get("link") ?? "") ?? [];
    const last = await alice.request("GET", `${path}${link}`, undefined, { accept: "text/csv" });
    expect(last.body).toMatch(/,4,\S+,withdrawal,,,2\.00,3\.00\r\n$/);
    expect(last.headers.get("link")).toBeNull();
  });
});

describe("the history", () => {
  test("pages by cursor, newest first, without a gap, and filters by status and currency", async () => {
    const alice = aUser();
    for (let step = 1; step <= 4; step++) await alice.deposit("USD", `${step}.00`, { wait: 10 });
    for (let step = 1; step <= 3; step++) await alice.deposit("EUR", `${step}.00`, { wait: 10 });
    await alice.withdraw("USD", "999.00", { wait: 10 });

    const history = await alice.fullHistory(3);
    expect(history.map(({ sequence }) => sequence)).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);

    const rejected = await alice.history({ status: "rejected" });
    expect(rejected.data.map(({ sequence }) => sequence)).toEqual([8]);
    const euros = await alice.history({ currency: "EUR", limit: "2" });
    expect(euros.data.map(({ sequence }) => sequence)).toEqual([7, 6]);
    const rest = await alice.history({ currency: "EUR", limit: "2", cursor: euros.nextCursor ?? "" });
    expect(rest.data.map(({ sequence }) => sequence)).toEqual([5]);
  });
});
