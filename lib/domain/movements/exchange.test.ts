import { describe, expect, it } from "vitest";
import { decided, deposit, hold, statusChange } from "../../../testkit/commands.ts";
import { commandWith } from "../../../testkit/storeContract.ts";
import { MINOR_UNITS_MAX } from "../money.ts";

const exchange = (amountMinor: bigint, boughtMinor: bigint, actor: "owner" | "admin" = "owner") =>
  commandWith({
    type: "exchange",
    amountMinor,
    actor,
    bought: { currency: "JPY", exponent: 0, amountMinor: boughtMinor },
  });

describe("an exchange", () => {
  it("sells one currency and buys another with two postings of one decision", () => {
    const command = exchange(4n, 600n);
    const { decisions, wallet, emitted, remainderOf } = decided([deposit(10n), command]);
    expect(decisions[1]?.postings).toEqual([
      { currency: "USD", exponent: 2, amountMinor: -4n, heldMinor: 0n, balanceAfterMinor: 6n, heldAfterMinor: 0n },
      { currency: "JPY", exponent: 0, amountMinor: 600n, heldMinor: 0n, balanceAfterMinor: 600n, heldAfterMinor: 0n },
    ]);
    expect(wallet.available).toEqual(new Map(Object.entries({ USD: 6n, JPY: 600n })));
    expect(emitted).toEqual([]);
    expect(remainderOf(command)).toEqual({ remainingMinor: 4n, holdStatus: undefined });
  });

  it("can't sell money that is held, and then buys nothing", () => {
    const { results, wallet } = decided([deposit(10n), hold(7n), exchange(4n, 600n)]);
    expect(results).toEqual(["posted", "posted", "insufficient_funds"]);
    expect(wallet.available).toEqual(new Map([["USD", 3n]]));
  });

  it("that would exceed the limit of the bought currency sells nothing", () => {
    const yen = deposit(MINOR_UNITS_MAX, { currency: "JPY", exponent: 0 });
    const { results, wallet } = decided([deposit(10n), yen, exchange(4n, 1n)]);
    expect(results).toEqual(["posted", "posted", "balance_limit"]);
    expect(wallet.available.get("USD")).toBe(10n);
  });

  it("is rejected by a frozen wallet unless an operator asks", () => {
    const { results } = decided([deposit(10n), statusChange("frozen"), exchange(4n, 6n), exchange(4n, 6n, "admin")]);
    expect(results).toEqual(["posted", "posted", "wallet_frozen", "posted"]);
  });
});
