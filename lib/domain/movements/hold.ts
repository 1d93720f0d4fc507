import type { AmountCommand } from "../command.ts";
import type { Movement } from "./movement.ts";

/** Keeps money back for captures. */
export interface Hold extends AmountCommand {
  readonly type: "hold";
  /** The user to whom the money is promised. Absent if captures leave the ledger. */
  readonly to?: string | undefined;
  /** From then on no capture is accepted. ISO 8601 with milliseconds, UTC. */
  readonly expiresAt: string;
}

export const hold: Movement<Hold> = {
  changes: ({ currency, exponent, amountMinor }) => [{ currency, exponent, amountMinor: 0n, heldMinor: amountMinor }],
  takesMoney: () => true,
  remainder: ({ amountMinor }) => ({ remainingMinor: amountMinor, holdStatus: "open" }),
  ownFields: ({ to, expiresAt }) => ({ ...(to !== undefined && { to }), expiresAt }),
  rejections: ["wallet_closed", "wallet_frozen", "insufficient_funds"],
};
