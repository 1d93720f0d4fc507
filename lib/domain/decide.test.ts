import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Command } from "./command.ts";
import { MINOR_UNITS_MAX } from "./money.ts";
import { balanceOf, type Decision, decide, deltaOf, emptyWallet, evolve, fold, type Wallet } from "./wallet.ts";

function deposit(amountMinor: bigint, currency = "USD"): Command {
  return { type: "deposit", id: "tx_1", userId: "alice", currency, amountMinor };
}

function withdrawal(amountMinor: bigint, currency = "USD"): Command {
  return { type: "withdrawal", id: "tx_1", userId: "alice", currency, amountMinor };
}

function walletWith(balances: Record<string, bigint>, sequence = 7): Wallet {
  return { sequence, balances: new Map(Object.entries(balances)) };
}

describe("decide", () => {
  const MAX = { USD: MINOR_UNITS_MAX };
  const BELOW_MAX = { USD: MINOR_UNITS_MAX - 1n };

  it("posts a deposit into an empty wallet as its first decision", () => {
    expect(decide(emptyWallet, deposit(100n))).toEqual({
      id: "tx_1",
      currency: "USD",
      sequence: 1,
      balanceAfterMinor: 100n,
      outcome: { status: "posted" },
    });
  });

  it.each([
    ["a withdrawal of the full balance", { USD: 100n }, withdrawal(100n), "posted", 0n],
    ["a withdrawal of one minor unit more than that", { USD: 100n }, withdrawal(101n), "insufficient_funds", 100n],
    ["a withdrawal in a currency that the wallet never held", { EUR: 100n }, withdrawal(1n), "insufficient_funds", 0n],
    ["a withdrawal of more than the wallet can hold", {}, withdrawal(MINOR_UNITS_MAX), "insufficient_funds", 0n],
    ["a deposit that fills the balance to 10^38 - 1", BELOW_MAX, deposit(1n), "posted", MINOR_UNITS_MAX],
    ["a deposit of 10^38 - 1 into an empty wallet", {}, deposit(10n ** 38n - 1n), "posted", MINOR_UNITS_MAX],
    ["a deposit that would take the balance to 10^38", MAX, deposit(1n), "balance_limit", MINOR_UNITS_MAX],
    ["a deposit of 10^38 - 1 into a full wallet", MAX, deposit(MINOR_UNITS_MAX), "balance_limit", MINOR_UNITS_MAX],
    ["a withdrawal of all of a full wallet", MAX, withdrawal(MINOR_UNITS_MAX), "posted", 0n],
  ])("decides %s", (_what, balances, command, result, balanceAfterMinor) => {
    expect(decide(walletWith(balances), command)).toEqual({
      id: "tx_1",
      currency: "USD",
      sequence: 8,
      balanceAfterMinor,
      outcome: result === "posted" ? { status: "posted" } : { status: "rejected", code: result },
    });
  });
});

describe("evolve", () => {
  it("applies a posted decision and leaves the other currencies unchanged", () => {
    const wallet = walletWith({ USD: 100n, EUR: 5n });
    expect(evolve(wallet, decide(wallet, withdrawal(40n)))).toEqual(walletWith({ USD: 60n, EUR: 5n }, 8));
  });

  it("applies the sequence of a rejection and moves no money", () => {
    const wallet = walletWith({ USD: 100n });
    expect(evolve(wallet, decide(wallet, withdrawal(500n)))).toEqual(walletWith({ USD: 100n }, 8));
  });

  it("does not change its argument", () => {
    const wallet = walletWith({ USD: 100n });
    evolve(wallet, decide(wallet, deposit(1n)));
    expect(wallet).toEqual(walletWith({ USD: 100n }));
    expect(emptyWallet).toEqual({ sequence: 0, balances: new Map() });
  });
});

describe("fold", () => {
  it("decides each command against the wallet after the previous one", () => {
    const { wallet, decisions, requiredMinor } = fold(walletWith({ USD: 10n }), [
      withdrawal(11n),
      deposit(1n),
      withdrawal(11n),
      withdrawal(1n),
    ]);
    expect(decisions.map(({ sequence, outcome }) => [sequence, outcome.status])).toEqual([
      [8, "rejected"],
      [9, "posted"],
      [10, "posted"],
      [11, "rejected"],
    ]);
    expect(wallet).toEqual(walletWith({ USD: 0n }, 11));
    expect(requiredMinor).toEqual(new Map([["USD", 10n]]));
  });

  it("requires nothing of a currency that never falls below its initial balance", () => {
    expect(fold(walletWith({ USD: 5n }), [deposit(10n), withdrawal(10n)]).requiredMinor).toEqual(new Map());
    expect(fold(walletWith({ USD: 5n }), [withdrawal(6n)]).requiredMinor).toEqual(new Map());
  });

  it("requires the largest debit below the initial balance, not the sum", () => {
    const commands = [withdrawal(3n), deposit(2n), withdrawal(4n), deposit(9n), withdrawal(1n, "EUR")];
    expect(fold(walletWith({ USD: 50n, EUR: 50n }), commands).requiredMinor).toEqual(
      new Map([
        ["USD", 5n],
        ["EUR", 1n],
      ]),
    );
  });

  it("of no commands returns the wallet unchanged", () => {
    const wallet = walletWith({ USD: 5n });
    expect(fold(wallet, [])).toEqual({ wallet, decisions: [], requiredMinor: new Map() });
  });
});

describe("for any commands", () => {
  const currencies = fc.constantFrom("USD", "JPY");
  // Small amounts meet the floor often; huge ones meet the limit.
  const amounts = fc.oneof(
    { weight: 8, arbitrary: fc.bigInt({ min: 1n, max: 20n }) },
    { weight: 1, arbitrary: fc.bigInt({ min: MINOR_UNITS_MAX - 20n, max: MINOR_UNITS_MAX }) },
  );
  const commandLists = fc
    .array(
      fc.record({
        type: fc.constantFrom("deposit" as const, "withdrawal" as const),
        currency: currencies,
        amountMinor: amounts,
      }),
      { maxLength: 40 },
    )
    .map((moves) => moves.map((move, index): Command => ({ ...move, id: `tx_${index}`, userId: "alice" })));
  const starts = fc
    .record({
      sequence: fc.nat(1000),
      usd: fc.oneof(fc.bigInt({ min: 0n, max: 30n }), fc.bigInt({ min: MINOR_UNITS_MAX - 30n, max: MINOR_UNITS_MAX })),
    })
    .map(({ sequence, usd }) => walletWith({ USD: usd }, sequence));

  const isPosted = (decision: Decision | undefined) => decision?.outcome.status === "posted";
  const expectInRange = (balanceMinor: bigint) =>
    expect(balanceMinor >= 0n && balanceMinor <= MINOR_UNITS_MAX).toBe(true);

  it("no balance is negative or above the limit at any step", () => {
    fc.assert(
      fc.property(starts, commandLists, (start, commands) => {
        let wallet = start;
        for (const command of commands) {
          wallet = evolve(wallet, decide(wallet, command));
          for (const balanceMinor of wallet.balances.values()) expectInRange(balanceMinor);
        }
        for (const { balanceAfterMinor } of fold(start, commands).decisions) expectInRange(balanceAfterMinor);
      }),
      { numRuns: 1000 },
    );
  });

  it("the sequence has no gap, and every command has its decision, in order", () => {
    fc.assert(
      fc.property(starts, commandLists, (start, commands) => {
        const { wallet, decisions } = fold(start, commands);
        expect(decisions.map(({ id }) => id)).toEqual(commands.map(({ id }) => id));
        expect(decisions.map(({ sequence }) => sequence)).toEqual(commands.map((_, i) => start.sequence + i + 1));
        expect(wallet.sequence).toBe(start.sequence + commands.length);
      }),
    );
  });

  it("one fold, a fold per command, and folds of any batches have the same wallet and decisions", () => {
    fc.assert(
      fc.property(starts, commandLists, fc.array(fc.nat(40)), (start, commands, cuts) => {
        const whole = fold(start, commands);
        const points = [...new Set([0, ...cuts.map((cut) => Math.min(cut, commands.length)), commands.length])];
        points.sort((a, b) => a - b);
        const batches = points.slice(1).map((end, index) => commands.slice(points[index], end));

        for (const parts of [batches, commands.map((command) => [command])]) {
          let wallet = start;
          const decisions: Decision[] = [];
          for (const part of parts) {
            const folded = fold(wallet, part);
            wallet = folded.wallet;
            decisions.push(...folded.decisions);
          }
          expect(wallet).toEqual(whole.wallet);
          expect(decisions).toEqual(whole.decisions);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("the final balance is the initial balance plus the posted amounts", () => {
    fc.assert(
      fc.property(starts, commandLists, (start, commands) => {
        const { wallet, decisions } = fold(start, commands);
        for (const currency of ["USD", "JPY"]) {
          const movedMinor = commands
            .filter((command, index) => command.currency === currency && isPosted(decisions[index]))
            .reduce((sum, command) => sum + deltaOf(command), 0n);
          expect(balanceOf(wallet, currency)).toBe(balanceOf(start, currency) + movedMinor);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("the required balance is the least with which no posted step goes below zero", () => {
    const pathLow = (balanceMinor: bigint, commands: readonly Command[], decisions: readonly Decision[]) => {
      let low = balanceMinor;
      let now = balanceMinor;
      for (const [index, command] of commands.entries()) {
        if (!isPosted(decisions[index]) || command.currency !== "USD") continue;
        now += deltaOf(command);
        if (now < low) low = now;
      }
      return low;
    };
    fc.assert(
      fc.property(starts, commandLists, fc.bigInt({ min: 0n, max: 1000n }), (start, commands, moreMinor) => {
        const { decisions, requiredMinor } = fold(start, commands);
        const requiredUsd = requiredMinor.get("USD") ?? 0n;

        expect(requiredUsd <= balanceOf(start, "USD")).toBe(true);
        expect(pathLow(requiredUsd, commands, decisions)).toBe(0n);
        expect(pathLow(requiredUsd + moreMinor, commands, decisions)).toBe(moreMinor);

        // What was posted is posted again with no more than the need at the start, and not with one unit less.
        const posted = commands.filter((_, index) => isPosted(decisions[index]));
        const withRequired = fold(walletWith(Object.fromEntries(requiredMinor)), posted);
        expect(withRequired.decisions.every(isPosted)).toBe(true);
        if (requiredUsd > 0n) {
          const withLess = fold(walletWith({ ...Object.fromEntries(requiredMinor), USD: requiredUsd - 1n }), posted);
          const refused = withLess.decisions.findIndex((decision) => !isPosted(decision));
          expect(posted[refused]?.type).toBe("withdrawal");
          expect(withLess.decisions[refused]?.outcome).toEqual({ status: "rejected", code: "insufficient_funds" });
        }
      }),
      { numRuns: 1000 },
    );
  });
});
