import { describe, expect, it } from "vitest";
import {
  captureOf,
  DECIDED_AT,
  decided,
  deposit,
  EXPIRES_AT,
  expiryOf,
  hold,
  releaseOf,
  statusChange,
  withdrawal,
} from "../../../testkit/commands.ts";
import { derivedId } from "../id.ts";

const held = hold(7n);
const given = [deposit(10n), held];
const POSTED = ["posted", "posted"];
const usd = (minor: bigint) => new Map(minor === 0n ? [] : [["USD", minor]]);

describe("a capture", () => {
  it.each([
    ["all that remains by default, which closes the hold", {}, [3n, 0n, 0n, "captured"]],
    ["a part and frees the rest", { amountMinor: 5n }, [5n, 0n, 0n, "captured"]],
    ["a part and leaves the rest held if it is not final", { amountMinor: 5n, final: false }, [3n, 2n, 2n, "open"]],
    ["all, which closes the hold even if it is not final", { amountMinor: 7n, final: false }, [3n, 0n, 0n, "captured"]],
  ] as const)("takes %s", (_what, change, [availableMinor, heldMinor, remainingMinor, holdStatus]) => {
    const { results, wallet, remainderOf } = decided([...given, captureOf(held, change)]);
    expect(results).toEqual([...POSTED, "posted"]);
    expect([wallet.available, wallet.held]).toEqual([usd(availableMinor), usd(heldMinor)]);
    expect(remainderOf(held)).toEqual({ remainingMinor, holdStatus });
  });

  it("has a posting of what it takes and of all that it frees", () => {
    const { decisions } = decided([...given, captureOf(held, { amountMinor: 5n })]);
    expect(decisions[2]?.postings).toEqual([
      { currency: "USD", exponent: 2, amountMinor: -5n, heldMinor: -7n, balanceAfterMinor: 5n, heldAfterMinor: 0n },
    ]);
  });

  it("after several others takes what they left, and no more", () => {
    const part = (amountMinor?: bigint) => captureOf(held, { amountMinor, final: false });
    const { results, wallet } = decided([...given, part(2n), part(3n), part(3n), part(), part(1n)]);
    expect(results).toEqual([...POSTED, "posted", "posted", "capture_exceeds_hold", "posted", "hold_closed"]);
    expect([wallet.available, wallet.held]).toEqual([usd(3n), usd(0n)]);
  });

  it("twice in one fold is posted once", () => {
    const { results, wallet } = decided([...given, captureOf(held), captureOf(held)]);
    expect(results).toEqual([...POSTED, "posted", "hold_closed"]);
    expect(wallet.available).toEqual(usd(3n));
  });

  it.each([
    ["unknown", [captureOf(held)], ["hold_closed"], 0n],
    ["pending", [deposit(10n), captureOf(held), held], ["posted", "hold_closed", "posted"], 3n],
    ["rejected", [held, deposit(10n), captureOf(held)], ["insufficient_funds", "posted", "hold_closed"], 10n],
    ["released", [...given, releaseOf(held), captureOf(held)], [...POSTED, "posted", "hold_closed"], 10n],
    ["expired", [...given, expiryOf(held), captureOf(held)], [...POSTED, "posted", "hold_closed"], 10n],
  ])("of a hold that is %s is rejected, and takes nothing", (_what, commands, results, availableMinor) => {
    const outcome = decided(commands);
    expect(outcome.results).toEqual(results);
    expect(outcome.wallet.available).toEqual(usd(availableMinor));
  });

  it("of what is no hold is rejected", () => {
    const other = withdrawal(5n);
    expect(decided([deposit(10n), other, captureOf(other)]).results).toEqual([...POSTED, "hold_closed"]);
  });

  it.each([
    ["1 ms before expiresAt", "2026-11-30T09:29:59.999Z", "posted"],
    ["at expiresAt", EXPIRES_AT, "hold_expired"],
    ["after expiresAt", "2026-11-30T09:30:00.001Z", "hold_expired"],
  ])("that was accepted %s is decided so, before any expiry", (_when, createdAt, result) => {
    const { results, remainderOf } = decided([...given, captureOf(held, { createdAt })]);
    expect(results).toEqual([...POSTED, result]);
    expect(remainderOf(held)?.holdStatus).toBe(result === "posted" ? "captured" : "open");
  });

  it("is rejected by a frozen wallet unless an operator asks", () => {
    const { results } = decided([
      ...given,
      statusChange("frozen"),
      captureOf(held, { actor: "counterparty" }),
      captureOf(held, { actor: "admin" }),
    ]);
    expect(results).toEqual([...POSTED, "posted", "wallet_frozen", "posted"]);
  });

  it("is rejected with the first code that applies", () => {
    const late = captureOf(held, { createdAt: EXPIRES_AT, amountMinor: 8n });
    const { results } = decided([...given, late, releaseOf(held), late, statusChange("frozen"), late]);
    expect(results).toEqual([...POSTED, "hold_expired", "posted", "hold_closed", "posted", "wallet_frozen"]);
    expect(decided([statusChange("closed"), late]).results).toEqual(["posted", "wallet_closed"]);
  });

  it("without a receiver leaves the ledger, and its amount can be reversed", () => {
    const command = captureOf(held, { amountMinor: 5n });
    const { emitted, remainderOf } = decided([...given, command]);
    expect(emitted).toEqual([]);
    expect(remainderOf(command)).toEqual({ remainingMinor: 5n, holdStatus: undefined });
  });

  it.each([
    ["what it asks for", 5n, 5n],
    ["all that remains", undefined, 7n],
  ])("with a receiver emits a credit of %s, and is reversed there", (_what, amountMinor, creditedMinor) => {
    const command = captureOf(held, { to: "bob", amountMinor });
    const { emitted, remainderOf } = decided([...given, command]);
    expect(emitted).toEqual([
      expect.objectContaining({
        type: "credit",
        id: derivedId("credit", "alice", command.id),
        userId: "bob",
        createdAt: DECIDED_AT,
        amountMinor: creditedMinor,
        source: { type: "capture", userId: "alice", transactionId: command.id, refersTo: held.id },
      }),
    ]);
    expect(remainderOf(command)).toBeUndefined();
  });

  it("with a receiver that is rejected emits nothing", () => {
    expect(decided([...given, captureOf(held, { to: "bob", amountMinor: 8n })]).emitted).toEqual([]);
  });
});
