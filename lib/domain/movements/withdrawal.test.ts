import { expect, it } from "vitest";
import { commandWith } from "../../../testkit/storeContract.ts";
import { changesOf } from "./index.ts";

it("a withdrawal takes its amount from the balance of its currency and frees nothing", () => {
  expect(changesOf(commandWith({ type: "withdrawal", currency: "JPY", exponent: 0, amountMinor: 12n }))).toEqual([
    { currency: "JPY", exponent: 0, amountMinor: -12n, heldMinor: 0n },
  ]);
});
