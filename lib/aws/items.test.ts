import { expect, it } from "vitest";
import { toStatus, toTransaction, toWallet } from "./items.ts";

it.each([
  [toWallet, { balances: {} }, "wallet: sequence: Invalid input: expected bigint, received undefined"],
  [
    toWallet,
    { sequence: 1n, balances: { USD: "1.5" } },
    "wallet: balances.USD: Invalid input: expected bigint, received string",
  ],
  [
    toStatus,
    { id: "tx_1", status: "lost" },
    'transaction tx_1: status: Invalid option: expected one of "pending"|"posted"|"rejected"',
  ],
  [toTransaction, { id: "tx_1" }, "transaction tx_1: type: Invalid option: expected one of "],
])("%o of an unreadable item reports its first invalid field", (read, fields, message) => {
  expect(() => read({ userId: "alice", ...fields })).toThrow(`has an unreadable item, ${message}`);
});
