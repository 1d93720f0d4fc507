import { beforeEach, describe, expect, it } from "vitest";
import { type InMemoryPorts, inMemoryPorts } from "../../testkit/inMemoryPorts.ts";
import { readBalances } from "./balances.ts";

let ports: InMemoryPorts;
beforeEach(() => {
  ports = inMemoryPorts();
});

async function read(userId: string) {
  const { sequence, balances, unknownCurrencies } = await readBalances(userId, ports);
  expect(unknownCurrencies).toEqual([]);
  return { sequence, balances: balances.map(({ currency, amountMinor }) => [currency.code, amountMinor]) };
}

describe("readBalances", () => {
  it("returns zero in every enabled currency for a user without a wallet", async () => {
    expect(await read("alice")).toEqual({
      sequence: 0,
      balances: [
        ["EUR", 0n],
        ["JPY", 0n],
        ["USD", 0n],
      ],
    });
  });

  it("returns the balances of a wallet, and zero in the other enabled currencies", async () => {
    ports.wallets.set("alice", { sequence: 7, balances: new Map([["USD", 1234n]]) });

    expect(await read("alice")).toEqual({
      sequence: 7,
      balances: [
        ["EUR", 0n],
        ["JPY", 0n],
        ["USD", 1234n],
      ],
    });
  });

  it("returns a disabled currency only while its balance is not zero", async () => {
    ports.wallets.set("alice", { sequence: 1, balances: new Map([["XOF", 5n]]) });
    expect((await read("alice")).balances).toContainEqual(["XOF", 5n]);

    ports.wallets.set("alice", { sequence: 2, balances: new Map([["XOF", 0n]]) });
    expect((await read("alice")).balances).not.toContainEqual(["XOF", 0n]);
  });

  it("reports a currency that is not in the currencies table apart from the balances", async () => {
    ports.wallets.set("alice", { sequence: 2, balances: new Map(Object.entries({ DOGE: 5n, USD: 1234n })) });

    const { balances, unknownCurrencies } = await readBalances("alice", ports);
    expect(unknownCurrencies).toEqual(["DOGE"]);
    expect(balances.map(({ currency, amountMinor }) => [currency.code, amountMinor])).toEqual([
      ["EUR", 0n],
      ["JPY", 0n],
      ["USD", 1234n],
    ]);
  });
});
