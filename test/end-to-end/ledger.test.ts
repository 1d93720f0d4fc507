import { randomUUID } from "node:crypto";
import { describe, expect, inject, test } from "vitest";
import { type ApiResponse, Client, newUser, problemIn, transactionIn } from "../../testkit/client.ts";

const apiUrl = inject("apiUrl");
const aUser = () => new Client(apiUrl, newUser());

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
