import { expect, test } from "vitest";
import { hrefTo, match, parseHash } from "./router.ts";

test.each([
  ["", "/", {}],
  ["#", "/", {}],
  ["#main", "/", {}],
  ["#/wallets/alice", "/wallets/alice", {}],
  ["#/history?type=deposit&note=a?b", "/history", { type: "deposit", note: "a?b" }],
])("the place of %j is %s", (hash, path, query) => {
  const parsed = parseHash(hash);
  expect([parsed.path, Object.fromEntries(parsed.query)]).toEqual([path, query]);
});

test.each(["alice", "a/b", "a?b", "ä b", "a#b", "100%", ".."])(
  "a link to the wallet of %j leads back to it",
  (userId) => {
    const { path, query } = parseHash(hrefTo(["wallets", userId], { currency: "USD", type: undefined, to: "" }));
    expect(match("/wallets/:userId", path)).toEqual({ userId });
    expect([...query]).toEqual([["currency", "USD"]]);
  },
);

test.each([
  ["/", "/", {}],
  ["/wallets/:userId", "/wallets/", undefined],
  ["/wallets/:userId", "/wallets/%E0%A4%A", undefined],
  ["/wallets/:userId", "/wallets/alice/holds", undefined],
  ["/wallets/:userId/holds/:id", "/wallets/alice/holds/tx_1", { userId: "alice", id: "tx_1" }],
  ["/webhooks", "/webhook", undefined],
])("the pattern %s and the path %s give %j", (pattern, path, params) => {
  expect(match(pattern, path)).toEqual(params);
});
