import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { captureOf, decided, expiryOf, hold, releaseOf, reversalOf } from "../../testkit/commands.ts";
import { commandWith, stateOf, transactionOf } from "../../testkit/storeContract.ts";
import type { Command, CommandOf } from "./command.ts";
import { CURRENCIES_MAX, decide, evolve, fold } from "./decide.ts";
import { hashOf } from "./hash.ts";
import { MINOR_UNITS_MAX } from "./money.ts";
import { availableOf, emptyWallet, type Wallet } from "./state.ts";
import type { Decision } from "./transaction.ts";

const CREATED = "2026-11-23T09:30:00.000Z";
const NOW = "2026-11-23T09:30:00.250Z";

type Payment = CommandOf<"deposit"> | CommandOf<"withdrawal">;

const deposit = (amountMinor: bigint, currency = "USD") => commandWith({ amountMinor, currency, createdAt: CREATED });
const withdrawal = (amountMinor: bigint, currency = "USD") =>
  commandWith({ type: "withdrawal", amountMinor, currency, createdAt: CREATED });

type Balances = Readonly<Record<string, bigint>>;

/** A wallet after seven decisions. */
function walletWith(available: Balances, held: Balances = {}): Wallet {
  return {
    status: "active",
    sequence: 7,
    available: new Map(Object.entries(available)),
    held: new Map(Object.entries(held)),
    decidedAt: CREATED,
    hash: "hash of decision 7",
  };
}

/** This many currencies with one minor unit each. */
const currencies = (count: number): Balances =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`C${index}`, 1n]));

const resultOf = ({ outcome }: Decision) => (outcome.status === "posted" ? outcome.status : outcome.code);
const isPosted = (decision: Decision | undefined) => decision?.outcome.status === "posted";
const changeOf = ({ type, amountMinor }: Payment) => (type === "deposit" ? amountMinor : -amountMinor);

describe("decide", () => {
  it("posts a deposit into an empty wallet as its first decision", () => {
    const command = deposit(100n);
    const decision = decide(stateOf(), command, NOW);
    expect(decision).toEqual({
      sequence: 1,
      decidedAt: NOW,
      outcome: { status: "posted" },
      postings: [
        { currency: "USD", exponent: 2, amountMinor: 100n, heldMinor: 0n, balanceAfterMinor: 100n, heldAfterMinor: 0n },
      ],
      walletStatus: "active",
      available: new Map([["USD", 100n]]),
      held: new Map(),
      previousHash: undefined,
      hash: hashOf(command, decision, undefined),
    });
  });

  it("rejects without postings, takes a sequence number and leaves all balances as they were", () => {
    const wallet = walletWith({ USD: 100n, EUR: 5n }, { EUR: 2n });
    const command = withdrawal(101n);
    const decision = decide(stateOf(wallet), command, NOW);
    expect(decision).toEqual({
      sequence: 8,
      decidedAt: NOW,
      outcome: { status: "rejected", code: "insufficient_funds" },
      postings: [],
      walletStatus: "active",
      available: wallet.available,
      held: wallet.held,
      previousHash: "hash of decision 7",
      hash: hashOf(command, decision, undefined),
    });
  });

  const MAX = { USD: MINOR_UNITS_MAX };
  it.each([
    ["a withdrawal of the full balance", { USD: 100n }, withdrawal(100n), "posted"],
    ["a withdrawal of one minor unit more than that", { USD: 100n }, withdrawal(101n), "insufficient_funds"],
    ["a withdrawal in a currency that the wallet never held", { EUR: 100n }, withdrawal(1n), "insufficient_funds"],
    ["a deposit that fills the balance to 10^36 - 1", { USD: 10n ** 36n - 2n }, deposit(1n), "posted"],
    ["a deposit of 10^36 - 1 into an empty wallet", {}, deposit(10n ** 36n - 1n), "posted"],
    ["a deposit that would take the balance to 10^36", MAX, deposit(1n), "balance_limit"],
    ["a withdrawal of all of a full wallet", MAX, withdrawal(MINOR_UNITS_MAX), "posted"],
    ["a withdrawal from a wallet above the limit", { USD: MINOR_UNITS_MAX + 5n }, withdrawal(1n), "posted"],
    ["a deposit of another currency beside a full one", MAX, deposit(1n, "EUR"), "posted"],
    ["a deposit of a 50th currency", currencies(49), deposit(1n), "posted"],
    ["a deposit of a 51st currency", currencies(50), deposit(1n), "currency_limit"],
    ["a deposit into one of 50 currencies", currencies(50), deposit(1n, "C7"), "posted"],
    [
      "a deposit into one of 51 currencies, of which returns added the last",
      currencies(51),
      deposit(1n, "C7"),
      "posted",
    ],
    ["a withdrawal that empties one of 50 currencies", currencies(50), withdrawal(1n, "C7"), "posted"],
    ["a withdrawal in a wallet of 51 currencies", { ...currencies(50), USD: 5n }, withdrawal(1n), "posted"],
    // The codes in their order, where more than one applies.
    ["a deposit above both limits", currencies(50), deposit(MINOR_UNITS_MAX + 1n), "currency_limit"],
    ["a withdrawal of money that a full wallet lacks", currencies(50), withdrawal(1n), "insufficient_funds"],
  ])("decides %s", (_what, available, command, result) => {
    expect(resultOf(decide(stateOf(walletWith(available)), command, NOW))).toBe(result);
  });

  it.each([
    ["rejects a withdrawal of held money", { USD: 3n }, { USD: 7n }, withdrawal(4n), "insufficient_funds"],
    ["posts a withdrawal of all that is not held", { USD: 3n }, { USD: 7n }, withdrawal(3n), "posted"],
    ["counts held money in the balance limit", {}, MAX, deposit(1n), "balance_limit"],
    ["counts a currency of which all is held", currencies(49), { EUR: 1n }, deposit(1n), "currency_limit"],
  ])("%s", (_what, available, held, command, result) => {
    const wallet = walletWith(available, held);
    const decision = decide(stateOf(wallet), command, NOW);
    expect(resultOf(decision)).toBe(result);
    expect(decision.held).toEqual(wallet.held);
  });

  it("states the balance of a posting with what is held of it", () => {
    expect(decide(stateOf(walletWith({ USD: 3n }, { USD: 7n })), withdrawal(3n), NOW)).toMatchObject({
      postings: [{ amountMinor: -3n, heldMinor: 0n, balanceAfterMinor: 7n, heldAfterMinor: 7n }],
      available: new Map(),
      held: new Map([["USD", 7n]]),
    });
  });

  it("keeps 50 as the limit of currencies", () => {
    expect(CURRENCIES_MAX).toBe(50);
  });

  it("does not change the wallet", () => {
    const wallet = walletWith({ USD: 100n });
    decide(stateOf(wallet), deposit(1n), NOW);
    decide(stateOf(), deposit(1n), NOW);
    expect(wallet).toEqual(walletWith({ USD: 100n }));
    expect(emptyWallet.available.size).toBe(0);
  });

  const [T1, T2, T3] = ["2026-11-23T09:30:00.001Z", "2026-11-23T09:30:00.002Z", "2026-11-23T09:30:00.003Z"];
  it.each([
    ["the consumer's clock", { now: T3, decidedAt: T2, createdAt: T1 }],
    ["the previous decision", { now: T2, decidedAt: T3, createdAt: T1 }],
    ["the command", { now: T1, decidedAt: T2, createdAt: T3 }],
    ["the command, if there is no previous decision", { now: T1, decidedAt: undefined, createdAt: T3 }],
    ["the previous decision, for a rejection", { now: T1, decidedAt: T3, createdAt: T2, type: "withdrawal" as const }],
  ])("takes the latest time, here that of %s", (_whose, { now, decidedAt, ...change }) => {
    const decision = decide(stateOf({ ...walletWith({}), decidedAt }), { ...deposit(1n), ...change }, now);
    expect(decision.decidedAt).toBe(T3);
  });
});

describe("fold", () => {
  it("decides each command against the wallet after the previous one", () => {
    const commands = [withdrawal(11n), deposit(1n), withdrawal(11n), withdrawal(1n)];
    const { state, decisions, ...required } = fold(stateOf(walletWith({ USD: 10n })), commands, NOW);
    expect(decisions.map((decision) => [decision.sequence, resultOf(decision)])).toEqual([
      [8, "insufficient_funds"],
      [9, "posted"],
      [10, "posted"],
      [11, "insufficient_funds"],
    ]);
    const hash = decisions.at(-1)?.hash;
    const emptied = { status: "active", sequence: 11, available: new Map(), held: new Map(), decidedAt: NOW, hash };
    expect(state.wallet).toEqual(emptied);
    expect(required).toEqual({ requiredAvailableMinor: new Map([["USD", 10n]]), requiredHeldMinor: new Map() });
  });

  it.each([
    ["nothing for a debit after a credit", [deposit(10n), withdrawal(10n)], {}],
    ["nothing for a rejected debit", [withdrawal(51n)], {}],
    ["the largest debit below the start, not the sum", [withdrawal(3n), deposit(2n), withdrawal(4n)], { USD: 5n }],
    ["each debited currency", [withdrawal(3n), withdrawal(1n, "EUR"), deposit(9n, "JPY")], { USD: 3n, EUR: 1n }],
  ])("requires %s", (_what, commands, required) => {
    const { requiredAvailableMinor } = fold(stateOf(walletWith({ USD: 50n, EUR: 50n })), commands, NOW);
    expect(requiredAvailableMinor).toEqual(new Map(Object.entries(required)));
  });

  it.each<[string, (held: Command, more: Command) => readonly Command[], Balances]>([
    ["nothing for a capture after its hold", (_, more) => [more, captureOf(more)], {}],
    ["what captures free, also if they do not take it", (held) => [captureOf(held, { amountMinor: 1n })], { USD: 7n }],
    ["what releases free", (held) => [releaseOf(held)], { USD: 7n }],
    ["the largest difference, not the sum", (held, more) => [more, captureOf(held), releaseOf(more)], { USD: 7n }],
    ["nothing for what is rejected", (held) => [captureOf(held, { amountMinor: 8n })], {}],
  ])("requires of the held balance %s", (_what, commandsOf, required) => {
    const [held, more] = [hold(7n), hold(3n)];
    const { wallet, transactions } = decided([deposit(10n), held]);
    const commands = commandsOf(held, more);
    const start = stateOf(wallet, [...transactions, ...commands.map((command) => transactionOf(command))]);
    expect(fold(start, commands, NOW).requiredHeldMinor).toEqual(new Map(Object.entries(required)));
  });

  it("requires the available balance that a hold keeps back", () => {
    const commands = [hold(7n), hold(2n)];
    const { requiredAvailableMinor } = fold(stateOf(walletWith({ USD: 10n })), commands, NOW);
    expect(requiredAvailableMinor).toEqual(new Map([["USD", 9n]]));
  });

  it("of no commands returns the state unchanged", () => {
    const state = stateOf(walletWith({ USD: 5n }));
    const required = { requiredAvailableMinor: new Map(), requiredHeldMinor: new Map() };
    expect(fold(state, [], NOW)).toEqual({ state, decisions: [], ...required });
  });
});

describe("for any commands", () => {
  // Small amounts meet the floor often; huge ones meet the limit.
  const amounts = fc.oneof(
    { weight: 8, arbitrary: fc.bigInt({ min: 1n, max: 20n }) },
    { weight: 1, arbitrary: fc.bigInt({ min: MINOR_UNITS_MAX - 20n, max: MINOR_UNITS_MAX }) },
  );
  const commandLists = fc.array(
    fc
      .record({
        type: fc.constantFrom("deposit" as const, "withdrawal" as const),
        currency: fc.constantFrom("USD", "JPY"),
        amountMinor: amounts,
      })
      .map((change): Payment => commandWith(change)),
    { maxLength: 40 },
  );
  const starts = fc
    .oneof(fc.bigInt({ min: 1n, max: 30n }), fc.bigInt({ min: MINOR_UNITS_MAX - 30n, max: MINOR_UNITS_MAX }))
    .map((usd) => walletWith({ USD: usd }));

  it("each decision has the postings, the balances and the place in the chain that follow from those before it", () => {
    fc.assert(
      fc.property(starts, commandLists, (start, commands) => {
        const { state, decisions } = fold(stateOf(start), commands, NOW);
        expect(decisions).toHaveLength(commands.length);
        const balancesMinor = new Map(start.available);
        let before = stateOf(start);
        for (const [index, command] of commands.entries()) {
          const { currency } = command;
          const decision = decisions[index] ?? decide(before, command, NOW);
          const amountMinor = changeOf(command);
          const afterMinor = (balancesMinor.get(currency) ?? 0n) + amountMinor;
          const isPossible = afterMinor >= 0n && afterMinor <= MINOR_UNITS_MAX;
          if (isPossible) balancesMinor.set(currency, afterMinor);

          expect(isPosted(decision)).toBe(isPossible);
          expect(decision.postings).toEqual(
            isPossible
              ? [
                  {
                    currency,
                    exponent: 2,
                    amountMinor,
                    heldMinor: 0n,
                    balanceAfterMinor: afterMinor,
                    heldAfterMinor: 0n,
                  },
                ]
              : [],
          );
          expect(decision.available).toEqual(new Map([...balancesMinor].filter(([, minor]) => minor !== 0n)));
          expect(decision.sequence).toBe(start.sequence + index + 1);
          expect(decision.previousHash).toBe(before.wallet.hash);
          expect(decision.hash).toBe(hashOf(command, decision, undefined));
          before = evolve(before, command, decision);
        }
        expect(state).toEqual(before);
      }),
      { numRuns: 500 },
    );
  });

  it("no balance is negative or above the limit at any step, and none is stored as zero", () => {
    fc.assert(
      fc.property(starts, commandLists, (start, commands) => {
        for (const { available, postings } of fold(stateOf(start), commands, NOW).decisions) {
          for (const minor of available.values()) expect(minor > 0n && minor <= MINOR_UNITS_MAX).toBe(true);
          for (const { balanceAfterMinor } of postings) expect(balanceAfterMinor >= 0n).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  /** Movements of dollars, each of which can refer to any other one by its index. */
  const movements = fc
    .array(
      fc.record({
        type: fc.constantFrom("deposit", "withdrawal", "hold", "capture", "release", "expiry", "reversal", "status"),
        amountMinor: fc.bigInt({ min: 1n, max: 9n }),
        index: fc.nat(20),
        isFinal: fc.boolean(),
        isWhole: fc.boolean(),
      }),
      { maxLength: 30 },
    )
    .map((steps) => {
      const ids = steps.map((_, index) => `tx_${index}`);
      return steps.map(({ type, amountMinor, index, isFinal, isWhole }, own): Command => {
        const id = `tx_${own}`;
        const referred = { ...deposit(1n), id: ids[index % ids.length] ?? "" };
        const part = { amountMinor: isWhole ? undefined : amountMinor, actor: "owner" } as const;
        if (type === "deposit") return { ...deposit(amountMinor), id };
        if (type === "withdrawal") return { ...withdrawal(amountMinor), id };
        if (type === "hold") return { ...hold(amountMinor), id };
        if (type === "capture") return { ...captureOf(referred, { ...part, final: isFinal }), id };
        if (type === "release") return { ...releaseOf(referred), id };
        if (type === "expiry") return { ...expiryOf(referred), id };
        if (type === "reversal") return { ...reversalOf(referred, part), id };
        return commandWith({ type: "status_change", id, newStatus: isFinal ? "frozen" : "active" });
      });
    });

  it("what is held is what the open holds have left, and nothing goes below zero or above its original", () => {
    fc.assert(
      fc.property(movements, (commands) => {
        const { decisions, wallet, transactions } = decided(commands);
        for (const { available, held } of decisions) {
          for (const minor of [...available.values(), ...held.values()]) expect(minor > 0n).toBe(true);
        }
        const remainders = transactions.flatMap(({ remainder, amountMinor, type, decision }) => {
          if (!remainder) return [];
          const original = decision?.postings[0];
          const wholeMinor = type === "hold" ? (amountMinor ?? 0n) : (original?.amountMinor ?? 0n);
          expect(remainder.remainingMinor >= 0n).toBe(true);
          expect(remainder.remainingMinor ** 2n <= wholeMinor ** 2n).toBe(true);
          return [remainder];
        });
        const open = remainders.filter(({ holdStatus }) => holdStatus === "open");
        expect(wallet.held.get("USD") ?? 0n).toBe(open.reduce((sum, { remainingMinor }) => sum + remainingMinor, 0n));
        for (const { remainingMinor, holdStatus } of remainders) {
          if (holdStatus !== undefined) expect(remainingMinor > 0n).toBe(holdStatus === "open");
        }
      }),
      { numRuns: 500 },
    );
  });

  it("one fold and folds of one command each leave the same of every transaction", () => {
    fc.assert(
      fc.property(movements, (commands) => {
        const start = stateOf(
          emptyWallet,
          commands.map((command) => transactionOf(command)),
        );
        let state = start;
        for (const command of commands) state = fold(state, [command], NOW).state;
        expect(state).toEqual(fold(start, commands, NOW).state);
      }),
      { numRuns: 200 },
    );
  });

  it("the times never decrease, whatever the clocks of the consumers and of the API say", () => {
    const times = fc.integer({ min: 0, max: 50 }).map((ms) => new Date(Date.parse(CREATED) + ms).toISOString());
    fc.assert(
      fc.property(fc.array(fc.record({ now: times, createdAt: times }), { maxLength: 20 }), (steps) => {
        let state = stateOf();
        for (const { now, createdAt } of steps) {
          const command = { ...withdrawal(1n), createdAt };
          const decision = decide(state, command, now);
          expect([now, createdAt, state.wallet.decidedAt ?? ""].sort().at(-1)).toBe(decision.decidedAt);
          state = evolve(state, command, decision);
        }
      }),
    );
  });

  it("one fold, a fold per command, and folds of any batches have the same state and decisions", () => {
    fc.assert(
      fc.property(starts, commandLists, fc.array(fc.nat(40)), (start, commands, cuts) => {
        const whole = fold(stateOf(start), commands, NOW);
        const points = [...new Set([0, ...cuts.map((cut) => Math.min(cut, commands.length)), commands.length])];
        points.sort((a, b) => a - b);
        const batches = points.slice(1).map((end, index) => commands.slice(points[index], end));

        for (const parts of [batches, commands.map((command) => [command])]) {
          let state = stateOf(start);
          const decisions: Decision[] = [];
          for (const part of parts) {
            const folded = fold(state, part, NOW);
            state = folded.state;
            decisions.push(...folded.decisions);
          }
          expect(state).toEqual(whole.state);
          expect(decisions).toEqual(whole.decisions);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("the required balance is the least with which no posted step goes below zero", () => {
    /** The lowest balance that the posted commands pass, from a balance at the start. */
    const lowestMinor = (startMinor: bigint, posted: readonly Payment[]) => {
      let [lowest, now] = [startMinor, startMinor];
      for (const command of posted) {
        now += changeOf(command);
        if (now < lowest) lowest = now;
      }
      return lowest;
    };
    fc.assert(
      fc.property(starts, commandLists, (start, commands) => {
        const { decisions, requiredAvailableMinor } = fold(stateOf(start), commands, NOW);
        const posted = commands.filter((_, index) => isPosted(decisions[index]));
        for (const currency of ["USD", "JPY"]) {
          const requiredMinor = requiredAvailableMinor.get(currency) ?? 0n;
          const steps = posted.filter((command) => command.currency === currency);
          expect(requiredMinor <= availableOf(start, currency)).toBe(true);
          expect(lowestMinor(requiredMinor, steps)).toBe(0n);
        }
      }),
      { numRuns: 500 },
    );
  });
});
