import { describe, expect, it } from "vitest";
import { DECIDED_AT, decided, deposit, hold, reversalOf, statusChange } from "../../../testkit/commands.ts";
import { commandWith } from "../../../testkit/storeContract.ts";
import { NO_DETAILS_HASH } from "../hash.ts";
import { derivedId } from "../id.ts";

const transfer = (amountMinor: bigint, actor: "owner" | "admin" = "owner") =>
  commandWith({ type: "transfer", amountMinor, to: "bob", actor });

describe("a transfer", () => {
  it("debits the wallet and emits a credit of the same money for the receiver, at the time of its decision", () => {
    const command = transfer(4n);
    const { decisions, emitted } = decided([deposit(10n), command]);
    expect(decisions[1]?.postings).toEqual([
      { currency: "USD", exponent: 2, amountMinor: -4n, heldMinor: 0n, balanceAfterMinor: 6n, heldAfterMinor: 0n },
    ]);
    expect(emitted).toEqual([
      {
        type: "credit",
        id: derivedId("credit", "alice", command.id),
        userId: "bob",
        actor: "ledger",
        createdAt: DECIDED_AT,
        currency: "USD",
        exponent: 2,
        amountMinor: 4n,
        detailsHash: NO_DETAILS_HASH,
        source: { type: "transfer", userId: "alice", transactionId: command.id },
        refersTo: undefined,
      },
    ]);
  });

  it("that is rejected emits nothing", () => {
    const { results, emitted } = decided([deposit(10n), hold(7n), transfer(4n)]);
    expect(results).toEqual(["posted", "posted", "insufficient_funds"]);
    expect(emitted).toEqual([]);
  });

  it("is not reversed here but at the receiver's credit", () => {
    const command = transfer(4n);
    const { results, remainderOf } = decided([deposit(10n), command, reversalOf(command)]);
    expect(results).toEqual(["posted", "posted", "not_reversible"]);
    expect(remainderOf(command)).toBeUndefined();
  });

  it("is rejected by a frozen wallet unless an operator asks", () => {
    const { results, emitted } = decided([deposit(10n), statusChange("frozen"), transfer(4n), transfer(4n, "admin")]);
    expect(results).toEqual(["posted", "posted", "wallet_frozen", "posted"]);
    expect(emitted).toHaveLength(1);
  });
});
