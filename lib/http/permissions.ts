import type { Actor } from "../domain/command.ts";
import { refundedUser } from "../domain/movements/reversal.ts";
import type { Transaction } from "../domain/transaction.ts";
import { setting } from "../runtime/config.ts";
import { HttpProblem } from "./problem.ts";
import type { Caller } from "./route.ts";

/** The movements that a stage can open to its users; the stage parameter `selfService` lists those that it does. */
export const SELF_SERVICE = ["deposits", "withdrawals", "transfers", "holds"] as const;

/** A condition under which a caller may ask for a movement. */
export interface Rule {
  /** As in SECURITY.md. */
  readonly text: string;
  allows(referred: Transaction | undefined, callerId: string): boolean;
}

/** Who may ask for a movement: the wallet's own user, the other user of a promised hold, an operator. */
export type Permissions = Readonly<Record<Exclude<Actor, "ledger">, Rule>>;

export const always: Rule = { text: "yes", allows: () => true };
export const never: Rule = { text: "no", allows: () => false };

export function selfService(name: (typeof SELF_SERVICE)[number]): Rule {
  return {
    text: `if \`selfService\` lists \`${name}\``,
    allows: () => setting("SELF_SERVICE").split(",").includes(name),
  };
}

export const holdOfOwner: Rule = {
  text: "of a hold without `to`",
  allows: (hold) => hold?.type === "hold" && hold.to === undefined,
};

export const promisedHold: Rule = {
  text: "of a hold whose `to` it is",
  allows: (hold, callerId) => hold?.type === "hold" && hold.to === callerId,
};

export const refund: Rule = {
  text: "of a credit of a transfer or a capture",
  allows: (original) => original !== undefined && refundedUser(original) !== undefined,
};

/**
 * The first role in which the caller may ask for a movement.
 *
 * @param referred what the movement refers to, if it exists
 * @throws HttpProblem `forbidden`
 */
export function actorOf(
  { userId, isOwner, isAdmin }: Caller,
  permissions: Permissions,
  referred: Transaction | undefined,
): Exclude<Actor, "ledger"> {
  if (isOwner && permissions.owner.allows(referred, userId)) return "owner";
  if (!isOwner && permissions.counterparty.allows(referred, userId)) return "counterparty";
  if (isAdmin && permissions.admin.allows(referred, userId)) return "admin";
  throw new HttpProblem("forbidden", isOwner ? { detail: "The token does not allow this movement" } : {});
}
