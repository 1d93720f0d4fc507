import { hash } from "node:crypto";
import canonicalize from "canonicalize";
import type { Command } from "./command.ts";
import { availableOf, currenciesOf, heldOf } from "./state.ts";
import type { Decision, Details } from "./transaction.ts";

/**
 * The hashes of a transaction: SHA-256 in base64url. docs/reference/hash-chain.md has the rule for those who verify a
 * history.
 */

/** Version of the content that {@link hashOf} hashes. */
const HASH_VERSION = 1;

export function sha256(text: string): string {
  return hash("sha256", text, "base64url");
}

/** RFC 8785 */
function canonicalHash(value: unknown): string {
  return sha256(canonicalize(value) ?? "");
}

/** The hash of a client's own data. The data can be erased together with its salt, and the hash chain stays intact. */
export function detailsHashOf({ salt, reference, metadata }: Details): string {
  return canonicalHash({ salt, reference: reference ?? null, metadata: metadata ?? {} });
}

/** The hash of a command as it was accepted. The consumer decides a command only if this is the stored transaction's. */
export function contentHashOf(command: Command): string {
  const { id, userId, type, actor, createdAt, currency, exponent, amountMinor, detailsHash } = command;
  return sha256(
    JSON.stringify([id, userId, type, actor, createdAt, currency, exponent, amountMinor.toString(), detailsHash]),
  );
}

/** The hash of a decision: all that it fixed, and the hash of the user's previous decision. */
export function hashOf(command: Command, decision: Omit<Decision, "hash">): string {
  const { userId, id, type, actor, createdAt, currency, exponent, amountMinor, detailsHash } = command;
  const { sequence, previousHash, decidedAt, outcome, postings } = decision;
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
    currency,
    exponent,
    amount: amountMinor.toString(),
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
    balances: currenciesOf(decision).map((code) => ({
      currency: code,
      available: availableOf(decision, code).toString(),
      held: heldOf(decision, code).toString(),
    })),
    detailsHash,
  });
}
