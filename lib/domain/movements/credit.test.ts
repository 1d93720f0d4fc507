import { describe, expect, it } from "vitest";
import { credit, DECIDED_AT, decided, deposit, reversalOf, statusChange } from "../../../testkit/commands.ts";
import { CURRENCIES_MAX } from "../decide.ts";
import { derivedId } from "../id.ts";
import { MINOR_UNITS_MAX } from "../money.ts";
import { emptyWallet } from "../state.ts";
import { SOURCE_TYPES } from "./credit.ts";

const FULL = { ...emptyWallet, available: new Map([["USD", MINOR_UNITS_MAX]]) };
const FIFTY = {
  ...emptyWallet,
  available: new Map(Array.from({ length: CURRENCIES_MAX }, (_, index) => [`C${index}`, 1n])),
};

describe("a credit", () => {
  it("adds its amount to the balance, also in a frozen wallet, and emits nothing", () => {
    const { decisions, emitted } = decided([statusChange("frozen"), credit(12n, "transfer")]);
    expect(decisions[1]?.postings).toEqual([
      { currency: "USD", exponent: 2, amountMinor: 12n, heldMinor: 0n, balanceAfterMinor: 12n, heldAfterMinor: 0n },
    ]);
    expect(emitted).toEqual([]);
  });

  it.each([
    ["transfer", "posted"],
    ["capture", "posted"],
    ["reversal", "not_reversible"],
    ["return", "not_reversible"],
  ] as const)("of a %s can be refunded: its reversal is %s", (type, result) => {
    const command = credit(12n, type);
    const { results, remainderOf } = decided([command, reversalOf(command, { to: "bob", amountMinor: 5n })]);
    expect(results).toEqual(["posted", result]);
    const left = { remainingMinor: 7n, holdStatus: undefined };
    expect(remainderOf(command)).toEqual(result === "posted" ? left : undefined);
  });

  it.each([
    ["a closed wallet", { ...emptyWallet, status: "closed" as const }, "wallet_closed"],
    ["a wallet with 50 other currencies", FIFTY, "currency_limit"],
    ["a full wallet", FULL, "balance_limit"],
  ])("that %s rejects emits its return to the sender, at the time of the rejection", (_what, wallet, code) => {
    const command = credit(12n, "transfer");
    const { results, emitted, remainderOf } = decided([command], wallet);
    expect(results).toEqual([code]);
    expect(emitted).toEqual([
      expect.objectContaining({
        type: "credit",
        id: derivedId("return", "alice", command.id),
        userId: "bob",
        actor: "ledger",
        createdAt: DECIDED_AT,
        currency: "USD",
        exponent: 2,
        amountMinor: 12n,
        source: { type: "return", userId: "alice", transactionId: command.id },
        refersTo: undefined,
      }),
    ]);
    expect(remainderOf(command)).toBeUndefined();
  });

  it("of a refund that is rejected emits a return that refers to the refunded credit", () => {
    const source = { type: "reversal", userId: "bob", transactionId: "tx_refund", refersTo: "tx_refunded" } as const;
    const { emitted } = decided([statusChange("closed"), credit(12n, "reversal", { source })]);
    expect(emitted).toMatchObject([{ userId: "bob", refersTo: "tx_refunded", source: { type: "return" } }]);
  });

  it("of a capture that is rejected emits a return that refers to nothing, because its hold stays closed", () => {
    const source = { type: "capture", userId: "bob", transactionId: "tx_capture", refersTo: "tx_hold" } as const;
    const { emitted } = decided([statusChange("closed"), credit(12n, "capture", { source })]);
    expect(emitted).toMatchObject([{ userId: "bob", refersTo: undefined, source: { type: "return" } }]);
  });
});

describe("a return", () => {
  it.each([
    ["a closed wallet, which then has money", { ...emptyWallet, status: "closed" as const }, 12n],
    ["a frozen wallet", { ...emptyWallet, status: "frozen" as const }, 12n],
    ["a wallet with 50 other currencies", FIFTY, 12n],
    ["a full wallet, beyond the limit", FULL, MINOR_UNITS_MAX + 12n],
  ])("is accepted by %s", (_what, before, afterMinor) => {
    const { results, wallet, emitted } = decided([credit(12n, "return")], before);
    expect(results).toEqual(["posted"]);
    expect(wallet).toMatchObject({
      status: before.status,
      available: new Map([...before.available, ["USD", afterMinor]]),
    });
    expect(emitted).toEqual([]);
  });

  it("is the only credit that a closed wallet accepts", () => {
    for (const type of SOURCE_TYPES) {
      const [, result] = decided([statusChange("closed"), credit(1n, type)]).results;
      expect(result).toBe(type === "return" ? "posted" : "wallet_closed");
    }
  });

  it("of a refund restores what remains of the refunded credit, which can be refunded again and no further", () => {
    const original = credit(10n, "transfer");
    const refund = () => reversalOf(original, { to: "bob", amountMinor: 8n });
    const returned = credit(8n, "return", { refersTo: original.id });
    const { results, wallet, remainderOf } = decided([original, refund(), returned, refund(), refund()]);
    expect(results).toEqual(["posted", "posted", "posted", "posted", "reversal_exceeds_original"]);
    expect(wallet.available).toEqual(new Map([["USD", 2n]]));
    expect(remainderOf(original)).toEqual({ remainingMinor: 2n, holdStatus: undefined });
  });

  it("of a transfer restores nothing but the balance", () => {
    const other = deposit(10n);
    const { wallet, remainderOf } = decided([other, credit(8n, "return")]);
    expect(wallet.available).toEqual(new Map([["USD", 18n]]));
    expect(remainderOf(other)?.remainingMinor).toBe(10n);
  });
});
