import { beforeEach, describe, expect, it } from "vitest";
import { DECIDED_AT, decideIn, hold, statusChange } from "../../testkit/commands.ts";
import { decideAt, timeAt } from "../../testkit/histories.ts";
import { type InMemoryPorts, inMemoryPorts } from "../../testkit/inMemoryPorts.ts";
import { emptyWallet, type Wallet } from "../domain/state.ts";
import { readBalances } from "./balances.ts";

let ports: InMemoryPorts;
beforeEach(() => {
  ports = inMemoryPorts();
});

async function read(at?: string) {
  const { sequence, balances, unknownCurrencies } = await readBalances("alice", at, ports);
  const texts = balances.map(({ currency, amountMinor }) => `${currency.code} ${amountMinor}`);
  return { sequence, balances: texts, unknownCurrencies };
}

function walletWith(available: Readonly<Record<string, bigint>>, change: Partial<Wallet> = {}): Wallet {
  return { ...emptyWallet, sequence: 7, available: new Map(Object.entries(available)), ...change };
}

describe("the balances now", () => {
  it("are zero in every enabled currency for a user without a wallet", async () => {
    expect(await read()).toEqual({ sequence: 0, balances: ["EUR 0", "JPY 0", "USD 0"], unknownCurrencies: [] });
    expect(await readBalances("alice", undefined, ports)).toMatchObject({ hash: undefined, isProvisional: false });
  });

  it("are those of the wallet, and zero in the other enabled currencies", async () => {
    ports.wallets.set("alice", walletWith({ USD: 1234n }, { hash: "head" }));

    expect(await read()).toEqual({ sequence: 7, balances: ["EUR 0", "JPY 0", "USD 1234"], unknownCurrencies: [] });
    expect(await readBalances("alice", undefined, ports)).toMatchObject({ hash: "head", isProvisional: false });
  });

  it("have what is held apart, and it is part of the balance", async () => {
    ports.wallets.set("alice", walletWith({ USD: 5n }, { held: new Map(Object.entries({ USD: 3n, JPY: 2n })) }));

    const { balances } = await readBalances("alice", undefined, ports);
    expect(balances.map(({ currency, amountMinor, heldMinor }) => [currency.code, amountMinor, heldMinor])).toEqual([
      ["EUR", 0n, 0n],
      ["JPY", 2n, 2n],
      ["USD", 8n, 3n],
    ]);
  });

  it("include a disabled currency only while its balance is not zero", async () => {
    ports.wallets.set("alice", walletWith({ XOF: 5n }));
    expect((await read()).balances).toContain("XOF 5");

    ports.wallets.set("alice", walletWith({}));
    expect((await read()).balances).not.toContain("XOF 0");
  });

  it("have a currency that is not in the currencies table apart", async () => {
    ports.wallets.set("alice", walletWith({ DOGE: 5n, USD: 1234n }));

    expect(await read()).toEqual({
      sequence: 7,
      balances: ["EUR 0", "JPY 0", "USD 1234"],
      unknownCurrencies: ["DOGE"],
    });
  });
});

describe("the status of the wallet", () => {
  it("is active for a user without a wallet", async () => {
    expect(await readBalances("alice", undefined, ports)).toMatchObject({ status: "active" });
  });

  it("is that of the last decision, now and as of a moment", async () => {
    decideAt(ports, [100, "+5 USD"]);
    decideIn(ports, hold(2n), statusChange("frozen"));
    decideAt(ports, [300, "+1 USD"]);
    const at = async (moment?: string) => {
      const { status, balances } = await readBalances("alice", moment, ports);
      return [status, balances.find(({ currency }) => currency.code === "USD")?.heldMinor];
    };
    expect(await at()).toEqual(["frozen", 2n]);
    expect(await at(DECIDED_AT)).toEqual(["frozen", 2n]);
    expect(await at(timeAt(100))).toEqual(["active", 0n]);
  });
});

describe("the balances as of a moment", () => {
  it.each([
    [999, 0, ["EUR 0", "JPY 0", "USD 0"]],
    [1000, 1, ["EUR 0", "JPY 0", "USD 5"]],
    [2000, 2, ["EUR 0", "JPY 0", "USD 5", "XOF 2"]],
    [3000, 3, ["EUR 0", "JPY 0", "USD 5"]],
  ])("%i ms are those after decision %i", async (milliseconds, sequence, balances) => {
    decideAt(ports, [1000, "+5 USD"], [2000, "+2 XOF"], [3000, "-2 XOF"]);
    expect(await read(timeAt(milliseconds))).toEqual({ sequence, balances, unknownCurrencies: [] });
  });

  it("have the hash of the last decision until then, and are provisional until they are final", async () => {
    const [first] = decideAt(ports, [1000, "+5 USD"]);
    const at = timeAt(1000);
    expect(await readBalances("alice", at, ports)).toMatchObject({ hash: first?.decision.hash, isProvisional: true });
    decideAt(ports, [1001, "+5 USD"]);
    expect(await readBalances("alice", at, ports)).toMatchObject({ hash: first?.decision.hash, isProvisional: false });
  });
});
