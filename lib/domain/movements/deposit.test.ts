import { describe, expect, it } from "vitest";
import { decided, deposit, reversalOf, statusChange } from "../../../testkit/commands.ts";

describe("a deposit", () => {
  it("adds its amount to the balance of its currency and holds nothing", () => {
    const { decisions, emitted } = decided([deposit(12n, { currency: "JPY", exponent: 0 })]);
    expect(decisions[0]?.postings).toEqual([
      { currency: "JPY", exponent: 0, amountMinor: 12n, heldMinor: 0n, balanceAfterMinor: 12n, heldAfterMinor: 0n },
    ]);
    expect(emitted).toEqual([]);
  });

  it("leaves its amount for reversals", () => {
    const command = deposit(12n);
    expect(decided([command]).remainderOf(command)).toEqual({ remainingMinor: 12n, holdStatus: undefined });
  });

  it("that is rejected leaves nothing for reversals", () => {
    const command = deposit(12n);
    const { results, remainderOf } = decided([
      statusChange("closed"),
      command,
      statusChange("active"),
      reversalOf(command),
    ]);
    expect(results).toEqual(["posted", "wallet_closed", "posted", "not_reversible"]);
    expect(remainderOf(command)).toBeUndefined();
  });

  it("is accepted by a frozen wallet", () => {
    expect(decided([statusChange("frozen"), deposit(12n)]).results).toEqual(["posted", "posted"]);
  });
});
