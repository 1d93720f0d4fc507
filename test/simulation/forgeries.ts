import { transactionId } from "../../lib/ledger/idempotency.ts";
import type { Item } from "./dynamo/model.ts";
import type { Forgery, Movement, Operation } from "./plan.ts";
import type { Simulation } from "./simulation.ts";

const CREATED_AT = "2030-01-01T00:00:00.000Z";
/** Later than any time that the ledger uses in a run. */
const FAR_FUTURE = "2031-01-01T00:00:00.000Z";
const OTHER_HASH = "x".repeat(43);
const FORGED_MINOR = 777_777n;

/** Sends the forged messages of a movement that are due at this moment. */
export function forge(simulation: Simulation, movement: Movement, moment: Forgery["at"]): void {
  const { forgery, id: name, userId } = movement;
  if (forgery?.at !== moment) return;
  const { delayMs, groupIds, takesDeduplicationId, field } = forgery;
  simulation.scheduler.after(delayMs, () => {
    const id = transactionId(userId, movement.key);
    const stored = simulation.dynamo
      .items("transactions")
      .find((item) => item.userId?.S === userId && item.id?.S === id);
    const isCopy = stored !== undefined && field === "nothing";
    const reasons = (groupId: string): string[] => {
      if (groupId !== userId) return ["group_mismatch"];
      return [...(stored ? [] : ["unknown_transaction"]), ...(isCopy ? [] : ["content_mismatch"])];
    };
    for (const groupId of groupIds) {
      const message = forgedMessage(movement, stored, forgery, `${name} to ${groupId}`);
      const deduplicationId = takesDeduplicationId ? id : `forged ${message.requestId}`;
      const poison = { userId, isCopy, isOfOtherVersion: false, reasons };
      simulation.inject(poison, groupId, JSON.stringify(message), deduplicationId);
    }
  });
}

/** The attacker can read the stored transaction; before it is stored, the attacker can only guess its time and its salt. */
function forgedMessage(movement: Movement, stored: Item | undefined, { field }: Forgery, requestId: string) {
  const { userId, key, type, currency, amountMinor, asAdmin } = movement;
  const message = {
    version: 1,
    type: stored?.type?.S ?? type,
    id: transactionId(userId, key),
    userId,
    actor: stored?.actor?.S ?? (asAdmin ? "admin" : "owner"),
    createdAt: stored?.createdAt?.S ?? CREATED_AT,
    currency: stored?.currency?.S ?? currency,
    exponent: Number(stored?.exponent?.N ?? 2),
    amountMinor: stored?.amountMinor?.N ?? String(amountMinor),
    detailsHash: stored?.detailsHash?.S ?? OTHER_HASH,
    requestId,
  };
  const forged = {
    detailsHash: { detailsHash: OTHER_HASH },
    amountMinor: { amountMinor: String(FORGED_MINOR) },
    type: { type: message.type === "deposit" ? "withdrawal" : "deposit" },
    currency: { currency: message.currency === "USD" ? "NONE" : "USD" },
    exponent: { exponent: message.exponent + 1 },
    actor: { actor: message.actor === "owner" ? "admin" : "owner" },
    createdAt: { createdAt: FAR_FUTURE },
    nothing: {},
  };
  return { ...message, ...forged[field] };
}

/** Sends a message that no consumer of this version can decide. */
export function poison(simulation: Simulation, { id, userId, how }: Extract<Operation, { kind: "poison" }>): void {
  const message = {
    version: how === "other_version" ? 2 : 1,
    type: "deposit",
    id: `tx_${id}`,
    userId,
    actor: "owner",
    createdAt: CREATED_AT,
    currency: "USD",
    exponent: 2,
    amountMinor: "1000000",
    detailsHash: OTHER_HASH,
    requestId: id,
  };
  const body = how === "malformed" ? `{"version":1,"poison":"${id}"` : JSON.stringify(message);
  const isOfOtherVersion = how === "other_version";
  const reasons = () => (isOfOtherVersion ? [] : [how]);
  simulation.inject({ userId, isCopy: false, isOfOtherVersion, reasons }, userId, body, `poison ${id}`);
}
