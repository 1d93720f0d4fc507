import { beforeEach, describe, expect, it } from "vitest";
import { type InMemoryPorts, inMemoryPorts } from "../../testkit/inMemoryPorts.ts";
import { readBalances } from "./balances.ts";

let ports: InMemoryPorts;
beforeEach(() => {
  ports = inMemoryPorts();
});

async function read() {
  const { sequence, balances, unknownCurrencies } = await readBalances("alice", ports);
  const texts = balances.map(({ currency, amountMinor }) => `${currency.code} ${amountMinor}`);
  return { sequence, balances: texts, unknownCurrencies };
}

describe("readBalances", () => {
  it("returns zero in every enabled currency for a user without a wallet", async () => {
    expect(await read()).toEqual({ sequence: 0, balances: ["EUR 0", "JPY 0", "USD 0"], unknownCurrencies: [] });
  });

  it("returns the balances of a wallet, and zero in the other enabled currencies", async () => {
    ports.wallets.set("alice", { sequence: 7, balances: new Map([["USD", 1234n]]) });

    expect(await read()).toEqual({ sequence: 7, balances: ["EUR 0", "JPY 0", "USD 1234"], unknownCurrencies: [] });
  });

  it("returns a disabled currency only while its balance is not zero", async () => {
    ports.wallets.set("alice", { sequence: 1, balances: new Map([["XOF", 5n]]) });
    expect((await read()).balances).toContain("XOF 5");

    ports.wallets.set("alice", { sequence: 2, balances: new Map([["XOF", 0n]]) });
    expect((await read()).balances).not.toContain("XOF 0");
  });

  it("reports a currency that is not in the currencies table apart from the balances", async () => {
    ports.wallets.set("alice", { sequence: 2, balances: new Map(Object.entries({ DOGE: 5n, USD: 1234n })) });

    expect(await read()).toEqual({
      sequence: 2,
      balances: ["EUR 0", "JPY 0", "USD 1234"],
      unknownCurrencies: ["DOGE"],
    });
  });
});
