import { expect, test } from "vitest";
import { deposit } from "./fixtures.ts";
import { findNew, mergeHistory } from "./history.ts";

const decision = (sequence: number, reference: string | null = null) => ({
  ...deposit(null),
  id: `tx_${sequence}`,
  sequence,
  reference,
});

test("pages that overlap have each transaction once, newest first, as it was read last", () => {
  const merged = mergeHistory([decision(3), decision(2)], [decision(4), decision(3, "read again"), decision(1)]);
  expect(merged.map(({ sequence, reference }) => [sequence, reference])).toEqual([
    [4, null],
    [3, "read again"],
    [2, null],
    [1, null],
  ]);
});

test("only what is not known yet is new", () => {
  expect(findNew([decision(1)], [decision(2), decision(1)]).map(({ id }) => id)).toEqual(["tx_2"]);
});
