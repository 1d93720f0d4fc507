import { fingerprintOf, transactionId } from "../../lib/ledger/idempotency.ts";
import type { Forgery, Movement, Operation } from "./plan.ts";
import type { Simulation } from "./simulation.ts";

const ACCEPTED_AT = "2030-01-01T00:00:00.000Z";
const FORGED_MINOR = 777_777n;

/** Sends the forged messages of a movement that are due at this moment. */
export function forge(simulation: Simulation, movement: Movement, moment: Forgery["at"]): void {
  const { forgery, id: name, userId } = movement;
  if (forgery?.at !== moment) return;
  const { delayMs, groupIds, takesDeduplicationId, field } = forgery;
  const reasons = (groupId: string): string[] => {
    if (groupId !== userId) return ["group_mismatch"];
    // If a key is used with two contents, either can be the stored one.
    const differs = field !== "nothing" || simulation.oracle.contentsOf(movement).length > 1;
    return [...(moment === "beforeStored" ? ["unknown_transaction"] : []), ...(differs ? ["content_mismatch"] : [])];
  };
  simulation.scheduler.after(delayMs, () => {
    for (const groupId of groupIds) {
      const message = forgedMessage(movement, forgery, `${name} to ${groupId}`);
      const deduplicationId = takesDeduplicationId ? message.id : `forged ${message.requestId}`;
      simulation.inject(
        { userId, isCopy: field === "nothing", isOfOtherVersion: false, reasons },
        groupId,
        JSON.stringify(message),
        deduplicationId,
      );
    }
  });
}

/** The attacker can compute every field from the request. */
function forgedMessage({ userId, key, type, currency, amountMinor }: Movement, { field }: Forgery, requestId: string) {
  const content = { type, currency, amountMinor, reference: key, metadata: undefined };
  return {
    version: 1,
    type: field !== "type" ? type : type === "deposit" ? "withdrawal" : "deposit",
    id: transactionId(userId, key),
    userId,
    currency: field !== "currency" ? currency : currency === "USD" ? "NONE" : "USD",
    amountMinor: String(field === "amountMinor" ? FORGED_MINOR : amountMinor),
    fingerprint: field === "fingerprint" ? "forged" : fingerprintOf(content),
    acceptedAt: ACCEPTED_AT,
    requestId,
  };
}

/** Sends a message that no consumer of this version can decide. */
export function poison(simulation: Simulation, { id, userId, how }: Extract<Operation, { kind: "poison" }>): void {
  const message = {
    version: how === "other_version" ? 2 : 1,
    type: "deposit",
    id: `tx_${id}`,
    userId,
    currency: "USD",
    amountMinor: "1000000",
    fingerprint: "forged",
    acceptedAt: ACCEPTED_AT,
    requestId: id,
  };
  const body = how === "malformed" ? `{"version":1,"poison":"${id}"` : JSON.stringify(message);
  const isOfOtherVersion = how === "other_version";
  const reasons = () => (isOfOtherVersion ? [] : [how]);
  simulation.inject({ userId, isCopy: false, isOfOtherVersion, reasons }, userId, body, `poison ${id}`);
}
