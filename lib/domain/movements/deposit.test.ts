import { expect, it } from "vitest";
import { commandWith } from "../../../testkit/storeContract.ts";
import { deposit } from "./deposit.ts";

it("a deposit adds its amount to the balance of its currency and holds nothing", () => {
  expect(deposit.changes(commandWith({ currency: "JPY", exponent: 0, amountMinor: 12n }), undefined)).toEqual([
    { currency: "JPY", exponent: 0, amountMinor: 12n, heldMinor: 0n },
  ]);
});
