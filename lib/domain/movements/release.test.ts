import { describe, expect, it } from "vitest";
import { captureOf, decided, deposit, hold, releaseOf, statusChange } from "../../../testkit/commands.ts";

const held = hold(7n);
const given = [deposit(10n), held];
const POSTED = ["posted", "posted"];

describe("a release", () => {
  it("makes all that captures left available again, and leaves the balance as it is", () => {
    const part = captureOf(held, { amountMinor: 5n, final: false });
    const { decisions, wallet, emitted, remainderOf } = decided([...given, part, releaseOf(held)]);
    expect(decisions[3]?.postings).toEqual([
      { currency: "USD", exponent: 2, amountMinor: 0n, heldMinor: -2n, balanceAfterMinor: 5n, heldAfterMinor: 0n },
    ]);
    expect([wallet.available, wallet.held]).toEqual([new Map([["USD", 5n]]), new Map()]);
    expect(remainderOf(held)).toEqual({ remainingMinor: 0n, holdStatus: "released" });
    expect(emitted).toEqual([]);
  });

  it.each([
    ["a release", releaseOf(held), "released"],
    ["a final capture", captureOf(held, { amountMinor: 5n }), "captured"],
  ])("after %s is rejected and frees nothing", (_what, first, holdStatus) => {
    const { results, wallet, decisions, remainderOf } = decided([...given, first, releaseOf(held)]);
    expect(results).toEqual([...POSTED, "posted", "hold_closed"]);
    expect(wallet.available).toEqual(decisions[2]?.available);
    expect(remainderOf(held)?.holdStatus).toBe(holdStatus);
  });

  it.each([
    ["pending", [deposit(10n), releaseOf(held), held], ["posted", "hold_closed", "posted"]],
    ["rejected", [held, releaseOf(held)], ["insufficient_funds", "hold_closed"]],
  ])("of a %s hold is rejected", (_what, commands, results) => {
    expect(decided(commands).results).toEqual(results);
  });

  it("of what is no hold is rejected", () => {
    const other = deposit(5n);
    expect(decided([other, releaseOf(other)]).results).toEqual(["posted", "hold_closed"]);
  });

  it("is accepted by a frozen wallet, because it frees money", () => {
    expect(decided([...given, statusChange("frozen"), releaseOf(held)]).results).toEqual([
      ...POSTED,
      "posted",
      "posted",
    ]);
  });
});
