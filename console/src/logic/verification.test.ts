import { expect, test } from "vitest";
import vectors from "../../../docs/reference/hash-chain-vectors.json" with { type: "json" };
import { createClient } from "../../../packages/client/src/index.ts";
import { fakeFetch, jsonAnswer } from "../../../testkit/fakeFetch.ts";
import { verifyWallet } from "./verification.ts";

const history = vectors.decisions.map(({ transaction }) => transaction).toReversed();
const [newest] = history;

/** Reads of a wallet: first its balances, then the pages of its history. */
async function verify(
  sequence: number,
  hash: string | null | undefined,
  pages: readonly (readonly object[])[],
  keptHash = "",
) {
  const answers = pages.map((data, index) =>
    jsonAnswer(200, { data, nextCursor: index + 1 < pages.length ? "c" : null }),
  );
  const { fetch, requests } = fakeFetch(jsonAnswer(200, { sequence, hash }), ...answers);
  const wallet = createClient({ apiUrl: "https://api.test", token: "t", fetch }).wallet("alice");
  const progress: string[] = [];
  const verification = await verifyWallet(wallet, {
    keptHash,
    signal: new AbortController().signal,
    onProgress: (read, total) => progress.push(`${read}/${total}`),
    pause: async () => {},
  });
  return { verification, progress, requests };
}

test("a valid history that ends where the wallet does is valid", async () => {
  const { verification, progress } = await verify(history.length, newest?.hash, [
    history.slice(0, 3),
    history.slice(3),
  ]);
  expect(verification).toEqual({ outcome: "valid", decisions: history.length, head: newest?.hash });
  expect(progress).toEqual([`3/${history.length}`, `${history.length}/${history.length}`]);
});

test("an empty history is valid", async () => {
  expect((await verify(0, null, [[]])).verification).toEqual({ outcome: "valid", decisions: 0, head: null });
});

test("decisions that arrive while the history is read are not part of it", async () => {
  const later = { ...newest, sequence: history.length + 1 };
  const { verification } = await verify(history.length, newest?.hash, [[later, ...history]]);
  expect(verification).toMatchObject({ outcome: "valid", decisions: history.length });
});

test("a changed decision is invalid", async () => {
  const changed = history.map((each) =>
    each === history.at(-1) ? { ...each, createdAt: "2020-01-01T00:00:00.000Z" } : each,
  );
  const { verification } = await verify(history.length, newest?.hash, [changed]);
  expect(verification).toMatchObject({ outcome: "invalid", sequence: 1 });
});

test("a history without the wallet's last decision is read again, and then is wrong", async () => {
  const { verification, requests } = await verify(history.length, newest?.hash, [history.slice(1)]);
  expect(verification).toEqual({ outcome: "wrong_head", decisions: history.length - 1, expected: history.length });
  expect(requests).toHaveLength(6);
});

test("a hash that was kept is found, or the history was rewritten", async () => {
  const kept = history.at(-2)?.hash;
  expect((await verify(history.length, newest?.hash, [history], kept)).verification).toMatchObject({ keptSequence: 2 });
  expect((await verify(history.length, newest?.hash, [history], "A".repeat(43))).verification).toEqual({
    outcome: "kept_hash_missing",
  });
});
