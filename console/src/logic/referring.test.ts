import { expect, test } from "vitest";
import { createClient } from "../../../packages/client/src/index.ts";
import { fakeFetch, jsonAnswer } from "../../../testkit/fakeFetch.ts";
import { deposit, hold } from "./fixtures.ts";
import { findReferring, referringTypes } from "./referring.ts";

test("only what was captured, freed or reversed is searched for", () => {
  expect(referringTypes(deposit("0.00"))).toEqual([]);
  expect(referringTypes(deposit(null))).toEqual([]);
  expect(referringTypes(deposit("0.01"))).toEqual(["reversal"]);
  expect(referringTypes(hold({ status: null, remaining: null }))).toEqual([]);
  expect(referringTypes(hold({ status: "open", remaining: "5.00" }))).toEqual([]);
  expect(referringTypes(hold({ status: "open", remaining: "4.00" }))).toEqual(["capture", "release", "expiry"]);
  expect(referringTypes(hold({ status: "expired", remaining: "0.00" }))).toEqual(["capture", "release", "expiry"]);
});

async function find(pages: number) {
  const page = {
    data: [
      { ...deposit(null), id: "tx_3", refersTo: "tx_1" },
      { ...deposit(null), refersTo: "tx_2" },
    ],
  };
  const answers = Array.from({ length: pages }, (_, index) =>
    jsonAnswer(200, { ...page, nextCursor: index + 1 < pages ? "c" : null }),
  );
  const { fetch, requests } = fakeFetch(...answers);
  const wallet = createClient({ apiUrl: "https://api.test", token: "t", fetch }).wallet("alice");
  const { transactions, isComplete } = await findReferring(wallet, deposit("5.00"), new AbortController().signal);
  return { ids: new Set(transactions.map(({ id }) => id)), isComplete, requests };
}

test("what refers to another transaction is left out", async () => {
  const { ids, isComplete, requests } = await find(1);
  expect(ids).toEqual(new Set(["tx_3"]));
  expect(isComplete).toBe(true);
  expect(requests[0]?.url).toContain("type=reversal&status=posted&from=2026-11-30T10%3A00%3A01.000Z");
});

test("a long history is read in part, and the answer says so", async () => {
  expect((await find(5)).isComplete).toBe(true);
  const { isComplete, requests } = await find(6);
  expect(isComplete).toBe(false);
  expect(requests).toHaveLength(5);
});
