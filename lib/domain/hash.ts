import canonicalize from "canonicalize";
import type { Command } from "./command.ts";
import { movementOf } from "./movements/index.ts";
import { sha256 } from "./sha256.ts";
import { availableOf, currenciesOf, heldOf } from "./state.ts";
import type { Decision, Details } from "./transaction.ts";

/**
 * The hashes of a transaction: SHA-256 in base64url. docs/reference/hash-chain.md has the rule for those who verify a
 * history.
 */

/** Version of the content that {@link hashOf} hashes. */
const HASH_VERSION = 1;

/** RFC 8785 */
function canonicalHash(value: unknown): string {
  return sha256(canonicalize(value) ?? "");
}

/** The hash of a client's own data. The data can be erased together with its salt, and the hash chain stays intact. */
export function detailsHashOf({ salt, reference, metadata }: Details): string {
  return canonicalHash({ salt, reference: reference ?? null, metadata: metadata ?? {} });
}

/** That of a transaction without reference and metadata, which has no salt because it has nothing to hide. */
export const NO_DETAILS_HASH = detailsHashOf({ salt: undefined, reference: undefined, metadata: undefined });

/** The hash of a command as it was accepted. The consumer decides a command only if this is the stored transaction's. */
export function contentHashOf(command: Command): string {
  const { id, userId, type, actor, createdAt, currency, exponent, amountMinor, detailsHash } = command;
  const own = Object.entries(movementOf(command).ownFields(command));
  return sha256(
    JSON.stringify([
      ...[id, userId, type, actor, createdAt, currency, exponent, amountMinor?.toString(), detailsHash],
      ...own,
    ]),
  );
}

/**
 * The hash of a decision: all that it fixed, and the hash of the user's previous decision.
 *
 * @param emits the id of the credit that it causes in another wallet
 */
export function hashOf(command: Command, decision: Omit<Decision, "hash">, emits: string | undefined): string {
  const { userId, id, type, actor, createdAt, currency, exponent, amountMinor, detailsHash } = command;
  const { sequence, previousHash, decidedAt, outcome, postings, walletStatus } = decision;
  return canonicalHash({
    version: HASH_VERSION,
    userId,
    sequence,
    previousHash: previousHash ?? null,
    id,
    type,
    actor,
    createdAt,
    decidedAt,
    currency: currency ?? null,
    // That of the amount. The postings have their own, and without both no answer of the API shows it.
    exponent: amountMinor === undefined ? null : (exponent ?? null),
    amount: amountMinor?.toString() ?? null,
    ...movementOf(command).ownFields(command),
    ...(emits !== undefined && { emits }),
    status: outcome.status,
    rejection: outcome.status === "rejected" ? outcome.code : null,
    postings: postings.map((posting) => ({
      currency: posting.currency,
      exponent: posting.exponent,
      amount: posting.amountMinor.toString(),
      held: posting.heldMinor.toString(),
      balanceAfter: posting.balanceAfterMinor.toString(),
      heldAfter: posting.heldAfterMinor.toString(),
    })),
    walletStatus,
    balances: currenciesOf(decision).map((code) => ({
      currency: code,
      available: availableOf(decision, code).toString(),
      held: heldOf(decision, code).toString(),
    })),
    detailsHash,
  });
}
