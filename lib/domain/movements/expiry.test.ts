import { describe, expect, it } from "vitest";
import { captureOf, decided, deposit, expiryOf, hold, releaseOf, statusChange } from "../../../testkit/commands.ts";

const held = hold(7n);
const given = [deposit(10n), held];
const POSTED = ["posted", "posted"];

describe("an expiry", () => {
  it("makes all that captures left available again, also in a frozen wallet", () => {
    const part = captureOf(held, { amountMinor: 5n, final: false });
    const { results, decisions, wallet, remainderOf } = decided([
      ...given,
      part,
      statusChange("frozen"),
      expiryOf(held),
    ]);
    expect(results).toEqual([...POSTED, "posted", "posted", "posted"]);
    expect(decisions[4]?.postings).toEqual([
      { currency: "USD", exponent: 2, amountMinor: 0n, heldMinor: -2n, balanceAfterMinor: 5n, heldAfterMinor: 0n },
    ]);
    expect([wallet.available, wallet.held]).toEqual([new Map([["USD", 5n]]), new Map()]);
    expect(remainderOf(held)).toEqual({ remainingMinor: 0n, holdStatus: "expired" });
  });

  it.each([
    ["a final capture", captureOf(held)],
    ["a release", releaseOf(held)],
    ["an expiry", expiryOf(held)],
  ])("after %s is rejected and frees nothing", (_what, first) => {
    const { results, wallet, decisions } = decided([...given, first, expiryOf(held)]);
    expect(results).toEqual([...POSTED, "posted", "hold_closed"]);
    expect([wallet.available, wallet.held]).toEqual([decisions[2]?.available, new Map()]);
  });

  it("ends the hold once, whatever follows", () => {
    const { results } = decided([...given, expiryOf(held), captureOf(held), releaseOf(held)]);
    expect(results).toEqual([...POSTED, "posted", "hold_closed", "hold_closed"]);
  });
});
