import { describe, expect, it } from "vitest";
import { decided, deposit, hold, statusChange } from "../../../testkit/commands.ts";

describe("a hold", () => {
  it("keeps its amount back and leaves the balance as it is", () => {
    const { decisions, wallet, emitted } = decided([deposit(10n), hold(7n)]);
    expect(decisions[1]?.postings).toEqual([
      { currency: "USD", exponent: 2, amountMinor: 0n, heldMinor: 7n, balanceAfterMinor: 10n, heldAfterMinor: 7n },
    ]);
    expect([wallet.available, wallet.held]).toEqual([new Map([["USD", 3n]]), new Map([["USD", 7n]])]);
    expect(emitted).toEqual([]);
  });

  it("is open, with its amount left for captures", () => {
    const command = hold(7n);
    expect(decided([deposit(10n), command]).remainderOf(command)).toEqual({ remainingMinor: 7n, holdStatus: "open" });
  });

  it("can't hold money that another hold keeps back, and is not open then", () => {
    const second = hold(4n);
    const { results, wallet, remainderOf } = decided([deposit(10n), hold(7n), second, hold(3n)]);
    expect(results).toEqual(["posted", "posted", "insufficient_funds", "posted"]);
    expect(wallet.held).toEqual(new Map([["USD", 10n]]));
    expect(remainderOf(second)).toBeUndefined();
  });

  it("is rejected by a frozen wallet unless an operator asks", () => {
    const { results } = decided([deposit(10n), statusChange("frozen"), hold(1n), hold(1n, { actor: "admin" })]);
    expect(results).toEqual(["posted", "posted", "wallet_frozen", "posted"]);
  });
});
