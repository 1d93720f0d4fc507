import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  captureOf,
  credit,
  DECIDED_AT,
  decided,
  deposit,
  hold,
  releaseOf,
  reversalOf,
  statusChange,
  withdrawal,
} from "../../../testkit/commands.ts";
import { commandWith } from "../../../testkit/storeContract.ts";
import type { Command } from "../command.ts";
import { derivedId } from "../id.ts";
import { MINOR_UNITS_MAX } from "../money.ts";

const funds = deposit(100n);
const held = hold(8n);
const exchange = commandWith({
  type: "exchange",
  amountMinor: 8n,
  bought: { currency: "JPY", exponent: 0, amountMinor: 12n },
});

/** Originals, with the commands before them. */
const ORIGINALS: readonly [string, readonly Command[], Command][] = [
  ["deposit", [funds], deposit(8n)],
  ["withdrawal", [funds], withdrawal(8n)],
  ["capture without a receiver", [funds, held], captureOf(held)],
  ["credit of a transfer", [funds], credit(8n, "transfer")],
  ["credit of a capture", [funds], credit(8n, "capture")],
];

describe("a reversal", () => {
  describe.each(ORIGINALS)("of a %s", (_what, before, original) => {
    it("undoes all of it by default, and then nothing remains", () => {
      const commands = [...before, original, reversalOf(original)];
      const { results, wallet, remainderOf } = decided([...commands, reversalOf(original)]);
      expect(results.slice(-2)).toEqual(["posted", "reversal_exceeds_original"]);
      expect(wallet.available).toEqual(new Map([["USD", 100n]]));
      expect(remainderOf(original)).toEqual({ remainingMinor: 0n, holdStatus: undefined });
    });

    it("undoes a part, then at most what is left, by default all of that", () => {
      const part = (amountMinor: bigint) => reversalOf(original, { amountMinor });
      const commands = [...before, original, part(5n), part(4n), reversalOf(original)];
      const { results, decisions, wallet, remainderOf } = decided(commands);
      expect(results.slice(-3)).toEqual(["posted", "reversal_exceeds_original", "posted"]);
      const [first, , last] = decisions.slice(-3).map(({ postings }) => postings[0]?.amountMinor ?? 0n);
      expect([(first ?? 0n) ** 2n, (last ?? 0n) ** 2n]).toEqual([25n, 9n]);
      expect(wallet.available).toEqual(new Map([["USD", 100n]]));
      expect(remainderOf(original)?.remainingMinor).toBe(0n);
    });

    it("any number of times takes no more than the original", () => {
      fc.assert(
        fc.property(fc.array(fc.option(fc.bigInt({ min: 1n, max: 9n }), { nil: undefined })), (amounts) => {
          const reversals = amounts.map((amountMinor) => reversalOf(original, { amountMinor }));
          const { decisions, remainderOf } = decided([...before, original, ...reversals]);
          const sum = (of: typeof decisions) =>
            of.reduce((total, { postings }) => total + (postings[0]?.amountMinor ?? 0n), 0n);
          const change = sum(decisions.slice(before.length, before.length + 1));
          const reversed = sum(decisions.slice(before.length + 1));
          const leftMinor = change + reversed;
          expect(remainderOf(original)?.remainingMinor).toBe(leftMinor < 0n ? -leftMinor : leftMinor);
          expect(leftMinor === 0n || leftMinor < 0n === change < 0n).toBe(true);
        }),
        { numRuns: 50 },
      );
    });
  });

  it("of an exchange restores both currencies, once", () => {
    const commands = [funds, exchange, reversalOf(exchange), reversalOf(exchange)];
    const { results, decisions, wallet, remainderOf } = decided(commands);
    expect(results).toEqual(["posted", "posted", "posted", "reversal_exceeds_original"]);
    expect(decisions[2]?.postings).toMatchObject([
      { currency: "USD", exponent: 2, amountMinor: 8n, balanceAfterMinor: 100n },
      { currency: "JPY", exponent: 0, amountMinor: -12n, balanceAfterMinor: 0n },
    ]);
    expect(wallet.available).toEqual(new Map([["USD", 100n]]));
    expect(remainderOf(exchange)).toEqual({ remainingMinor: 0n, holdStatus: undefined });
  });

  it("of an exchange is rejected when the bought money is gone, and sells nothing back", () => {
    const spent = withdrawal(1n, { currency: "JPY", exponent: 0 });
    const { results, wallet, remainderOf } = decided([funds, exchange, spent, reversalOf(exchange)]);
    expect(results).toEqual(["posted", "posted", "posted", "insufficient_funds"]);
    expect(wallet.available).toEqual(new Map(Object.entries({ USD: 92n, JPY: 11n })));
    expect(remainderOf(exchange)?.remainingMinor).toBe(8n);
  });

  it("of money that was spent or is held is rejected, and the original keeps its remainder", () => {
    const original = deposit(8n);
    const { results, remainderOf } = decided([original, hold(1n), reversalOf(original)]);
    expect(results).toEqual(["posted", "posted", "insufficient_funds"]);
    expect(remainderOf(original)?.remainingMinor).toBe(8n);
  });

  it("that brings money into a full wallet is rejected", () => {
    const original = withdrawal(8n);
    const commands = [deposit(MINOR_UNITS_MAX), original, deposit(8n), reversalOf(original)];
    expect(decided(commands).results.at(-1)).toBe("balance_limit");
  });

  it("of a credit is a refund: it emits a credit of what it took, for the sender", () => {
    const original = credit(8n, "transfer");
    const refund = reversalOf(original, { actor: "owner", to: "bob", amountMinor: 5n });
    expect(decided([original, refund]).emitted).toEqual([
      expect.objectContaining({
        type: "credit",
        id: derivedId("credit", "alice", refund.id),
        userId: "bob",
        createdAt: DECIDED_AT,
        amountMinor: 5n,
        source: { type: "reversal", userId: "alice", transactionId: refund.id, refersTo: original.id },
      }),
    ]);
  });

  it("without an amount emits a credit of all that remained", () => {
    const original = credit(8n, "transfer");
    const refunds = [reversalOf(original, { to: "bob", amountMinor: 5n }), reversalOf(original, { to: "bob" })];
    expect(decided([original, ...refunds]).emitted.map(({ amountMinor }) => amountMinor)).toEqual([5n, 3n]);
  });

  it("that is rejected emits nothing, nor does one of money that left the ledger", () => {
    const [original, paid] = [credit(8n, "transfer"), withdrawal(8n)];
    expect(decided([original, reversalOf(original, { to: "bob", amountMinor: 9n })]).emitted).toEqual([]);
    expect(decided([funds, paid, reversalOf(paid)]).emitted).toEqual([]);
  });

  const [transfer, promised] = [commandWith({ type: "transfer", to: "bob" }), captureOf(held, { to: "bob" })];
  const [reversed, undone, freed, frozen] = [deposit(1n), reversalOf(funds), releaseOf(held), statusChange("active")];
  it.each<[string, readonly Command[], Command]>([
    ["an unknown transaction", [funds], deposit(8n)],
    ["a rejected one", [withdrawal(1n), withdrawal(8n)], withdrawal(8n)],
    ["a transfer, which is reversed at its credit", [funds, transfer], transfer],
    ["a hold", [funds, held], held],
    ["a capture with a receiver", [funds, held, promised], promised],
    ["a release", [funds, held, freed], freed],
    ["a status change", [funds, frozen], frozen],
    ["another reversal", [reversed, funds, undone], undone],
    ["the credit of a refund", [funds], credit(8n, "reversal")],
  ])("of %s is rejected", (_what, before, original) => {
    const { results, wallet, decisions } = decided([...before, reversalOf(original)]);
    expect(results.at(-1)).toBe("not_reversible");
    expect(wallet.available).toEqual(decisions.at(-2)?.available);
  });

  it("of a pending original is rejected, and the original keeps all its amount", () => {
    const original = deposit(8n);
    const { results, remainderOf } = decided([reversalOf(original), original]);
    expect(results).toEqual(["not_reversible", "posted"]);
    expect(remainderOf(original)?.remainingMinor).toBe(8n);
  });

  describe("in a frozen wallet", () => {
    const owners = (original: Command) => reversalOf(original, { actor: "owner" });

    it.each([...ORIGINALS, ["exchange", [funds], exchange] as const])(
      "is rejected if it takes money out, unless an operator asks: %s",
      (_what, before, original) => {
        const bringsMoney = original.type === "withdrawal" || original.type === "capture";
        const commands = [...before, original, statusChange("frozen"), owners(original)];
        expect(decided(commands).results.at(-1)).toBe(bringsMoney ? "posted" : "wallet_frozen");
        expect(decided([...commands.slice(0, -1), reversalOf(original)]).results.at(-1)).toBe("posted");
      },
    );
  });

  it("is rejected with the first code that applies", () => {
    const original = deposit(8n);
    const tooMuch = reversalOf(original, { amountMinor: 9n });
    expect(decided([original, withdrawal(8n), tooMuch]).results.at(-1)).toBe("reversal_exceeds_original");
    expect(decided([original, withdrawal(8n), statusChange("closed"), tooMuch]).results.at(-1)).toBe("wallet_closed");
  });
});
