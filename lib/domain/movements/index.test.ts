import { describe, expect, it } from "vitest";
import { COMMANDS, decided, EXPIRES_AT } from "../../../testkit/commands.ts";
import { commandWith } from "../../../testkit/storeContract.ts";
import { COMMAND_TYPES, type Command, refersToOf } from "../command.ts";
import { MINOR_UNITS_MAX } from "../money.ts";
import { REJECTION_CODES } from "../rejection.ts";
import { emptyWallet, type Wallet } from "../state.ts";
import { movementOf } from "./index.ts";

const ONE_EACH = Array.from({ length: 50 }, (_, index) => [`C${index}`, 1n] as const);

const WALLETS: readonly Partial<Wallet>[] = [
  {},
  { available: new Map([["USD", MINOR_UNITS_MAX]]) },
  { available: new Map([...ONE_EACH]) },
  { available: new Map([...ONE_EACH, ["USD", 500n]]) },
  { available: new Map(Object.entries({ USD: 500n, JPY: MINOR_UNITS_MAX })) },
  { status: "frozen" },
  { status: "closed" },
];

/** What a command can find under the id that it refers to, decided on a wallet with money. */
const REFERRED: readonly (readonly Command[])[] = [
  [],
  [commandWith({ type: "hold", expiresAt: EXPIRES_AT })],
  [commandWith({ type: "hold", expiresAt: EXPIRES_AT, amountMinor: 99n })],
  [commandWith({ type: "hold", expiresAt: COMMANDS.capture.createdAt })],
  [commandWith()],
  [commandWith({ amountMinor: 99n })],
  [commandWith({ type: "withdrawal" })],
];

const VARIANTS: readonly Command[] = [
  ...Object.values(COMMANDS),
  commandWith({ type: "credit", source: { type: "transfer", userId: "bob", transactionId: "tx_transfer" } }),
  commandWith({ type: "status_change", newStatus: "closed" }),
];

describe.each(COMMAND_TYPES)("a %s", (type) => {
  it("ends with the rejections that it names, in their order, and with no others", () => {
    const codes = new Set<string>();
    for (const command of VARIANTS.filter((variant) => variant.type === type)) {
      for (const referred of REFERRED) {
        const funds = commandWith({ amountMinor: 1000n });
        const renamed = referred.map((each) => ({ ...each, id: refersToOf(command) ?? each.id }));
        const earlier = decided([funds, ...renamed]).transactions;
        for (const wallet of WALLETS) {
          const [result = ""] = decided([command], { ...emptyWallet, ...wallet }, earlier).results;
          codes.add(result);
        }
      }
    }
    const { rejections } = movementOf(VARIANTS.find((variant) => variant.type === type) ?? COMMANDS.deposit);
    expect(codes.delete("posted")).toBe(true);
    expect(rejections).toEqual(REJECTION_CODES.filter((code) => codes.has(code)));
  });
});
