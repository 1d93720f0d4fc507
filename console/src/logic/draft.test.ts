import { expect, test } from "vitest";
import { createClient } from "../../../packages/client/src/index.ts";
import { fakeFetch, jsonAnswer } from "../../../testkit/fakeFetch.ts";
import { type Draft, findAmountError, findFieldErrors, sendDraft } from "./draft.ts";

const CURRENCIES = [
  { code: "USD", name: "US dollar", exponent: 2 },
  { code: "JPY", name: "Japanese yen", exponent: 0 },
  { code: "ETH", name: "Ether", exponent: 18 },
];
const DIGITS = "9".repeat(34);

test.each([
  ["12.34", "USD"],
  ["12.3", "USD"],
  ["1 000", "JPY"],
  [`${DIGITS}.99`, "USD"],
  ["0.000000000000000001", "ETH"],
  ["0012.00", "USD"],
])("%s %s is an amount", (amount, currency) => {
  expect(findAmountError(amount, currency, CURRENCIES)).toBeUndefined();
});

test.each([
  ["", "USD", "Enter an amount."],
  ["12,50", "USD", "Enter digits with a point for the decimals, such as 12.34."],
  ["-1", "USD", "Enter digits with a point for the decimals, such as 12.34."],
  ["1e3", "JPY", "Enter digits with a point for the decimals, such as 12."],
  ["12.345", "USD", "USD has at most 2 decimals."],
  ["12.0", "JPY", "JPY has no decimals."],
  ["0.00", "USD", "Enter an amount that is greater than zero."],
  [`9${DIGITS}`, "USD", "Enter at most 34 digits before the point."],
])("%j %s is refused: %s", (amount, currency, error) => {
  expect(findAmountError(amount, currency, CURRENCIES)).toBe(error);
});

test("a transfer needs another user, and a hold needs none", () => {
  const fields = { currency: "USD", amount: "1.00", to: "alice" };
  expect(findFieldErrors({ type: "transfer", userId: "alice", fields }, CURRENCIES)).toEqual({
    to: "Enter another user than the wallet's own.",
  });
  expect(findFieldErrors({ type: "hold", userId: "alice", fields: { ...fields, to: "" } }, CURRENCIES)).toEqual({});
  expect(findFieldErrors({ type: "transfer", userId: "alice", fields: { ...fields, to: "" } }, CURRENCIES)).toEqual({
    to: "Enter the user id of the receiver.",
  });
});

test("a capture and a reversal need no amount", () => {
  for (const type of ["capture", "reversal"] as const) {
    expect(findFieldErrors({ type, userId: "alice", refersTo: "tx_1", fields: {} }, CURRENCIES)).toEqual({});
  }
});

const EXAMPLES: readonly [draft: Omit<Draft, "userId">, path: string, body: object][] = [
  [
    { type: "deposit", fields: { currency: "USD", amount: " 5.00 ", reference: "", metadata: "" } },
    "deposits",
    { currency: "USD", amount: "5.00" },
  ],
  [
    { type: "withdrawal", fields: { currency: "USD", amount: "5", reference: "cash", metadata: "a = b" } },
    "withdrawals",
    { currency: "USD", amount: "5", reference: "cash", metadata: { a: "b" } },
  ],
  [
    { type: "transfer", fields: { currency: "USD", amount: "5", to: " bob " } },
    "transfers",
    { currency: "USD", amount: "5", to: "bob" },
  ],
  [{ type: "hold", fields: { currency: "USD", amount: "5", to: "" } }, "holds", { currency: "USD", amount: "5" }],
  [
    { type: "hold", fields: { currency: "USD", amount: "5", expiresAt: "2027-01-01T00:00Z" } },
    "holds",
    { currency: "USD", amount: "5", expiresAt: "2027-01-01T00:00:00.000Z" },
  ],
  [
    { type: "capture", refersTo: "tx_1", fields: { amount: "2.00", final: "false" } },
    "holds/tx_1/captures",
    { amount: "2.00", final: false },
  ],
  [{ type: "capture", refersTo: "tx_1", fields: { amount: "" } }, "holds/tx_1/captures", { final: true }],
  [{ type: "release", refersTo: "tx_1", fields: {} }, "holds/tx_1/releases", {}],
  [{ type: "reversal", refersTo: "tx_1", fields: {} }, "transactions/tx_1/reversals", {}],
  [
    {
      type: "exchange",
      fields: { "sell.currency": "USD", "sell.amount": "1", "buy.currency": "JPY", "buy.amount": "150" },
    },
    "exchanges",
    { sell: { currency: "USD", amount: "1" }, buy: { currency: "JPY", amount: "150" } },
  ],
  [{ type: "status_change", fields: { status: "frozen" } }, "status-changes", { status: "frozen" }],
];

test.each(EXAMPLES)("the form %j is sent to %s", async (draft, path, body) => {
  const { fetch, requests } = fakeFetch(jsonAnswer(202, {}));
  const client = createClient({ apiUrl: "https://api.example", token: "t", fetch });
  await sendDraft(client, { userId: "alice", ...draft }, { idempotencyKey: "key-1" });
  const [request] = requests;
  expect([request?.method, request?.url]).toEqual(["POST", `https://api.example/v1/users/alice/${path}`]);
  expect(request?.headers.get("idempotency-key")).toBe("key-1");
  expect(await request?.json()).toEqual(body);
});
