import { expect, it } from "vitest";
import { commandWith } from "../../../testkit/storeContract.ts";
import { decide } from "../decide.ts";
import { MINOR_UNITS_MAX } from "../money.ts";
import { emptyWallet } from "../state.ts";
import { deposit } from "./deposit.ts";
import { withdrawal } from "./withdrawal.ts";

const FULL = new Map([["USD", MINOR_UNITS_MAX]]);
const FIFTY = new Map(Array.from({ length: 50 }, (_, index) => [`C${index}`, 1n]));

it.each([
  ["deposit", deposit],
  ["withdrawal", withdrawal],
] as const)("a %s ends with the rejections that it names and with no others", (type, { rejections }) => {
  const codes = [new Map(), FULL, FIFTY].flatMap((available) => {
    const { outcome } = decide({ ...emptyWallet, available }, commandWith({ type, amountMinor: MINOR_UNITS_MAX }), "");
    return outcome.status === "rejected" ? [outcome.code] : [];
  });
  expect(new Set(codes)).toEqual(new Set(rejections));
});
