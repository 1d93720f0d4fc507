import { expect, it } from "vitest";
import { commandWith } from "../../../testkit/storeContract.ts";
import { changesOf } from "./index.ts";

it("a deposit adds its amount to the balance of its currency and holds nothing", () => {
  expect(changesOf(commandWith({ type: "deposit", currency: "JPY", exponent: 0, amountMinor: 12n }))).toEqual([
    { currency: "JPY", exponent: 0, amountMinor: 12n, heldMinor: 0n },
  ]);
});
