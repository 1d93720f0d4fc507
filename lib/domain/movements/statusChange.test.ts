import { describe, expect, it } from "vitest";
import { COMMANDS, credit, decided, deposit, hold, statusChange } from "../../../testkit/commands.ts";
import { emptyWallet, WALLET_STATUSES } from "../state.ts";

describe("a status change", () => {
  const pairs = WALLET_STATUSES.flatMap((from) => WALLET_STATUSES.map((to) => [from, to] as const));

  it.each(pairs)("from %s to %s is posted without postings", (status, newStatus) => {
    const { results, decisions, wallet, emitted } = decided([statusChange(newStatus)], { ...emptyWallet, status });
    expect(results).toEqual(["posted"]);
    expect(decisions[0]).toMatchObject({ sequence: 1, postings: [], walletStatus: newStatus });
    expect(wallet.status).toBe(newStatus);
    expect(emitted).toEqual([]);
  });

  it.each([
    ["money", { available: new Map([["USD", 1n]]) }],
    ["money of which all is held", { held: new Map([["USD", 1n]]) }],
  ])("can't close a wallet with %s, but can freeze it", (_what, balances) => {
    const before = { ...emptyWallet, ...balances };
    const { results, decisions } = decided([statusChange("closed"), statusChange("frozen")], before);
    expect(results).toEqual(["wallet_not_empty", "posted"]);
    expect(decisions.map(({ walletStatus }) => walletStatus)).toEqual(["active", "frozen"]);
  });

  it("takes effect for the next command of the same fold", () => {
    const { results } = decided([statusChange("closed"), deposit(1n), statusChange("active"), deposit(1n)]);
    expect(results).toEqual(["posted", "wallet_closed", "posted", "posted"]);
  });
});

describe("a closed wallet", () => {
  const closed = { ...emptyWallet, status: "closed" as const };
  const { status_change: _, ...others } = COMMANDS;

  it.each(Object.values({ ...others, credit: credit(1n, "transfer") }))(
    "rejects a $type, also one of an operator, and stays closed",
    (command) => {
      const { results, wallet } = decided([{ ...command, actor: "admin" }], closed);
      expect(results).toEqual(["wallet_closed"]);
      expect(wallet.status).toBe("closed");
    },
  );

  it("with the money of a return can be reopened, and closed again only without the money", () => {
    const back = credit(5n, "return");
    const { results } = decided([back, statusChange("closed"), statusChange("active"), hold(5n)], closed);
    expect(results).toEqual(["posted", "wallet_not_empty", "posted", "posted"]);
  });
});
