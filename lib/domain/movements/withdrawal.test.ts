import { describe, expect, it } from "vitest";
import { decided, deposit, hold, statusChange, withdrawal } from "../../../testkit/commands.ts";

describe("a withdrawal", () => {
  it("takes its amount from the balance of its currency and frees nothing", () => {
    const yen = { currency: "JPY", exponent: 0 };
    const { decisions, emitted } = decided([deposit(20n, yen), withdrawal(12n, yen)]);
    expect(decisions[1]?.postings).toEqual([
      { currency: "JPY", exponent: 0, amountMinor: -12n, heldMinor: 0n, balanceAfterMinor: 8n, heldAfterMinor: 0n },
    ]);
    expect(emitted).toEqual([]);
  });

  it("leaves its amount for reversals", () => {
    const command = withdrawal(12n);
    const { remainderOf } = decided([deposit(20n), command]);
    expect(remainderOf(command)).toEqual({ remainingMinor: 12n, holdStatus: undefined });
  });

  it("can't take money that is held", () => {
    const { results, wallet } = decided([deposit(10n), hold(7n), withdrawal(4n), withdrawal(3n)]);
    expect(results).toEqual(["posted", "posted", "insufficient_funds", "posted"]);
    expect([wallet.available, wallet.held]).toEqual([new Map(), new Map([["USD", 7n]])]);
  });

  it("is rejected by a frozen wallet unless an operator asks", () => {
    const { results } = decided([
      deposit(10n),
      statusChange("frozen"),
      withdrawal(1n),
      withdrawal(1n, { actor: "admin" }),
    ]);
    expect(results).toEqual(["posted", "posted", "wallet_frozen", "posted"]);
  });

  it("is rejected by the wallet's status before it is by the balance", () => {
    const { results } = decided([
      statusChange("frozen"),
      withdrawal(1n),
      statusChange("closed"),
      withdrawal(1n, { actor: "admin" }),
    ]);
    expect(results).toEqual(["posted", "wallet_frozen", "posted", "wallet_closed"]);
  });
});
