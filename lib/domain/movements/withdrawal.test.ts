import { expect, it } from "vitest";
import { commandWith } from "../../../testkit/storeContract.ts";
import { withdrawal } from "./withdrawal.ts";

it("a withdrawal takes its amount from the balance of its currency and frees nothing", () => {
  const command = commandWith({ type: "withdrawal", currency: "JPY", exponent: 0, amountMinor: 12n });
  expect(withdrawal.changes(command, undefined)).toEqual([
    { currency: "JPY", exponent: 0, amountMinor: -12n, heldMinor: 0n },
  ]);
});
