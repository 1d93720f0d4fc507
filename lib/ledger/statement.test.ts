import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { COMMANDS, captureOf, decideIn, deposit, hold } from "../../testkit/commands.ts";
import { decideAt, timeAt } from "../../testkit/histories.ts";
import { type InMemoryPorts, inMemoryPorts } from "../../testkit/inMemoryPorts.ts";
import type { DecidedTransaction } from "../domain/transaction.ts";
import { TransientError } from "./ports.ts";
import { readStatement, type Statement, type StatementQuery } from "./statement.ts";

let ports: InMemoryPorts;
beforeEach(() => {
  ports = inMemoryPorts();
});

/** A statement of dollars from the first decision to 10 s, with something changed. */
const queryWith = (change: Partial<StatementQuery> = {}): StatementQuery => ({
  currency: "USD",
  from: undefined,
  to: timeAt(10_000),
  after: undefined,
  limit: 100,
  ...change,
});
const read = (change: Partial<StatementQuery> = {}) => readStatement("alice", queryWith(change), ports);

/** Every page of a statement. */
async function pagesOf(query: StatementQuery, from: InMemoryPorts): Promise<Statement[]> {
  const pages: Statement[] = [];
  for (let after: StatementQuery["after"]; pages.length === 0 || after; ) {
    const page = await readStatement("alice", { ...query, after }, from);
    if (!page) throw new Error("A page's end is not accepted as a cursor");
    pages.push(page);
    after = page.end;
  }
  return pages;
}

const amountsOf = (statement: Statement | undefined) => statement?.lines.map(({ posting }) => posting.amountMinor);
const sumsOf = (statement: Statement | undefined) =>
  statement && [statement.openingMinor, statement.creditsMinor, statement.debitsMinor, statement.closingMinor];

describe("a statement", () => {
  beforeEach(() => {
    decideAt(ports, [1000, "+5 USD"], [2000, "+9 EUR"], [3000, "-9 USD"], [4000, "-2 USD"], [5000, "+4 USD"]);
    ports.clock.advance(3_600_000);
  });

  it.each([
    ["of all time", {}, [5n, -2n, 4n], [0n, 9n, 2n, 7n]],
    ["from a decision on includes it", { from: timeAt(4000) }, [-2n, 4n], [5n, 4n, 2n, 7n]],
    ["from 1 ms after a decision on excludes it", { from: timeAt(4001) }, [4n], [3n, 4n, 0n, 7n]],
    ["to a decision excludes it", { to: timeAt(4000) }, [5n], [0n, 5n, 0n, 5n]],
    ["to 1 ms after a decision includes it", { to: timeAt(4001) }, [5n, -2n], [0n, 5n, 2n, 3n]],
    ["of a period without decisions has the balance", { from: timeAt(4001), to: timeAt(5000) }, [], [3n, 0n, 0n, 3n]],
    ["of a period without its currency", { from: timeAt(2000), to: timeAt(4000) }, [], [5n, 0n, 0n, 5n]],
    ["of an empty period", { from: timeAt(4500), to: timeAt(4500) }, [], [3n, 0n, 0n, 3n]],
    ["of the time before the first decision", { to: timeAt(1000) }, [], [0n, 0n, 0n, 0n]],
    ["of the time after the last decision", { from: timeAt(5001) }, [], [7n, 0n, 0n, 7n]],
    ["of a currency that the wallet never had", { currency: "JPY" }, [], [0n, 0n, 0n, 0n]],
  ])("%s", async (_which, query, amounts, sums) => {
    const statement = await read(query);
    expect([amountsOf(statement), sumsOf(statement)]).toEqual([amounts, sums]);
    expect(statement).toMatchObject({ isProvisional: false, end: undefined });
  });

  it("of a user without a wallet is all zero", async () => {
    expect(sumsOf(await readStatement("bob", queryWith(), ports))).toEqual([0n, 0n, 0n, 0n]);
  });

  it("has each line's transaction", async () => {
    const [line] = (await read({ from: timeAt(5000) }))?.lines ?? [];
    expect(line?.transaction).toMatchObject({ type: "deposit", decision: { sequence: 5, decidedAt: timeAt(5000) } });
  });

  it("counts the decisions without a line in the size of a page", async () => {
    const pages = await pagesOf(queryWith({ limit: 2 }), ports);
    expect(pages.map((page) => [amountsOf(page), page.end?.sequence])).toEqual([
      [[5n], 2],
      [[-2n], 4],
      [[4n], undefined],
    ]);
  });

  it.each([
    ["before the period", { from: timeAt(2000), after: { decidedAt: timeAt(1000), sequence: 1 } }],
    ["at its excluded end", { to: timeAt(5000), after: { decidedAt: timeAt(5000), sequence: 5 } }],
    ["after it", { to: timeAt(4500), after: { decidedAt: timeAt(5000), sequence: 5 } }],
    ["after it with a forged number", { to: timeAt(4500), after: { decidedAt: timeAt(4500), sequence: 2 } }],
    ["in it with a forged number", { after: { decidedAt: timeAt(3000), sequence: 1 } }],
    ["in it with a forged time", { after: { decidedAt: timeAt(3500), sequence: 2 } }],
    ["after the user's last decision", { after: { decidedAt: timeAt(6000), sequence: 6 } }],
  ])("does not exist behind a cursor %s", async (_where, query) => {
    expect(await read(query)).toBeUndefined();
  });
});

describe("a statement with holds and exchanges", () => {
  const held = hold(7n);
  beforeEach(() => {
    const exchange = { ...COMMANDS.exchange, amountMinor: 2n };
    decideIn(ports, deposit(20n), held, captureOf(held, { amountMinor: 3n }), hold(1n), exchange);
    ports.clock.advance(3_600_000);
  });

  it("has lines only for what changes the balance: a capture, not its hold", async () => {
    const statement = await read();
    expect(statement?.lines.map(({ transaction }) => transaction.type)).toEqual(["deposit", "capture", "exchange"]);
    expect([amountsOf(statement), sumsOf(statement)]).toEqual([
      [20n, -3n, -2n],
      [0n, 20n, 5n, 15n],
    ]);
  });

  it("has an exchange in the statement of each of its currencies", async () => {
    const statement = await read({ currency: "JPY" });
    expect([amountsOf(statement), sumsOf(statement)]).toEqual([[150n], [0n, 150n, 0n, 150n]]);
  });

  it("follows from page to page, also where a page has no line", async () => {
    const pages = await pagesOf(queryWith({ limit: 1 }), ports);
    expect(pages.map(amountsOf)).toEqual([[20n], [], [-3n], [], [-2n]]);
    expect(pages.map(({ closingMinor }) => closingMinor)).toEqual([20n, 20n, 17n, 17n, 15n]);
  });
});

describe("for any history", () => {
  const steps = fc.array(
    fc.record({
      // Many decisions share a time.
      gapMs: fc.integer({ min: 0, max: 2 }),
      sign: fc.constantFrom("+" as const, "-" as const),
      amount: fc.integer({ min: 1, max: 20 }),
      currency: fc.constantFrom("USD", "EUR"),
    }),
    { maxLength: 25 },
  );

  /** A user's balance after some decisions, added up. */
  const balanceMinor = (transactions: readonly DecidedTransaction[]) =>
    transactions
      .flatMap(({ decision }) => decision.postings)
      .filter(({ currency }) => currency === "USD")
      .reduce((sum, { amountMinor }) => sum + amountMinor, 0n);

  it("the pages of any size follow each other, and opening + credits - debits = closing on each", async () => {
    const moments = fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined });
    const limits = fc.integer({ min: 1, max: 8 });
    await fc.assert(
      fc.asyncProperty(steps, moments, moments, limits, async (history, fromMs, toMs = 100, limit) => {
        fc.pre(fromMs === undefined || fromMs <= toMs);
        const own = inMemoryPorts();
        let milliseconds = 0;
        const transactions = history.flatMap(({ gapMs, sign, amount, currency }) => {
          milliseconds += gapMs;
          return decideAt(own, [milliseconds, `${sign}${amount} ${currency}`]);
        });
        const from = fromMs === undefined ? undefined : timeAt(fromMs);
        const to = timeAt(toMs);
        const pages = await pagesOf(queryWith({ from, to, limit }), own);

        const until = (time: string) => transactions.filter(({ decision }) => decision.decidedAt < time);
        const before = from === undefined ? [] : until(from);
        const inPeriod = until(to).slice(before.length);
        let expectedOpening = balanceMinor(before);
        for (const { openingMinor, creditsMinor, debitsMinor, closingMinor, lines } of pages) {
          expect(openingMinor).toBe(expectedOpening);
          expect(openingMinor + creditsMinor - debitsMinor).toBe(closingMinor);
          expect(lines.at(-1)?.posting.balanceAfterMinor ?? closingMinor).toBe(closingMinor);
          expect(lines.length).toBeLessThanOrEqual(limit);
          expectedOpening = closingMinor;
        }
        expect(expectedOpening).toBe(balanceMinor(until(to)));
        expect(pages.flatMap(({ lines }) => lines.map(({ transaction }) => transaction.id))).toEqual(
          inPeriod
            .filter(({ decision }) => decision.postings.some(({ currency }) => currency === "USD"))
            .map(({ id }) => id),
        );
        expect(pages).toHaveLength(Math.max(1, Math.ceil(inPeriod.length / limit)));
        expect(own.clock.sleeps).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

describe("a statement up to now", () => {
  const toNow = { to: timeAt(2001) };

  it("is provisional on its last page until its end is 30 s old", async () => {
    decideAt(ports, [1000, "+5 USD"], [2000, "+2 USD"]);
    expect(await read({ ...toNow, limit: 1 })).toMatchObject({ isProvisional: false });
    expect(await read(toNow)).toMatchObject({ isProvisional: true });
    ports.clock.advance(31_999);
    expect(await read(toNow)).toMatchObject({ isProvisional: true });
    ports.clock.advance(1);
    expect(await read(toNow)).toMatchObject({ isProvisional: false });
  });

  it("is final at once if there is a later decision", async () => {
    decideAt(ports, [1000, "+5 USD"], [2001, "+2 USD"]);
    expect(await read(toNow)).toMatchObject({ isProvisional: false, closingMinor: 5n });
  });
});

describe("an index that lags", () => {
  it.each([
    ["first", 0],
    ["middle", 1],
    ["last", 2],
  ])("by the %s decision of a page is read again until it has caught up", async (_which, index) => {
    const history = decideAt(ports, [1000, "+5 USD"], [2000, "+2 USD"], [3000, "+1 USD"], [4000, "+9 USD"]);
    ports.hiddenIds.add(history[index]?.id ?? "");
    ports.clock.in(150, () => ports.hiddenIds.clear());
    // The decision behind the page must not take the place of the missing one.
    expect(amountsOf(await read({ limit: 3 }))).toEqual([5n, 2n, 1n]);
    expect(ports.clock.sleeps).toEqual([50, 100]);
  });

  it("for longer than the reader waits gives no statement", async () => {
    const history = decideAt(ports, [1000, "+5 USD"], [2000, "+2 USD"]);
    ports.hiddenIds.add(history[0]?.id ?? "");
    await expect(read()).rejects.toBeInstanceOf(TransientError);
  });
});
