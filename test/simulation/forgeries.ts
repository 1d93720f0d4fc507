import { unmarshall } from "@aws-sdk/util-dynamodb";
import type { Item } from "./dynamo/model.ts";
import { deduplicationIdOf, derivedIdOf, idOf } from "./ids.ts";
import { MALFORMED_COMMAND, NO_DETAILS_HASH } from "./oracle.ts";
import type { Forgery, Movement, Operation } from "./plan.ts";
import type { Simulation } from "./simulation.ts";

const CREATED_AT = "2030-01-01T00:00:00.000Z";
/** Later than any time that the ledger uses in a run. */
const FAR_FUTURE = "2031-01-01T00:00:00.000Z";
const OTHER_HASH = "x".repeat(43);
const OTHER_ID = `tx_${OTHER_HASH}`;
const FORGED_MINOR = 777_777n;
const COMMAND_FIELDS = [
  ...["type", "id", "userId", "actor", "createdAt", "currency", "exponent", "amountMinor", "detailsHash"],
  ...["to", "source", "refersTo", "expiresAt", "final", "bought", "newStatus"],
];

/** Sends the forged messages of a movement that are due at this moment. */
export function forge(simulation: Simulation, movement: Movement, moment: Forgery["at"]): void {
  const { forgery, id: name } = movement;
  if (forgery?.at !== moment) return;
  const { delayMs, groupIds, takesDeduplicationId, ofCredit = false, isBehindMalformed = false } = forgery;
  const { userId, id } = ofCredit ? creditOf(movement) : { userId: movement.userId, id: idOf(movement) };
  simulation.scheduler.after(delayMs, () => {
    const stored = simulation.oracle.item(userId, id);
    for (const groupId of groupIds) {
      const requestId = `${name} to ${groupId}`;
      const { command, isCopy } = forgedCommand(movement, { userId, id }, stored, forgery);
      const reasons = (group: string): string[] => {
        if (group !== userId) return ["group_mismatch"];
        return [...(stored ? [] : ["unknown_transaction"]), ...(isCopy ? [] : ["content_mismatch"])];
      };
      const deduplicationId = takesDeduplicationId ? deduplicationIdOf([id]) : `forged ${requestId}`;
      const poison = { userId, isCopy, isOfOtherVersion: false, hasMalformed: isBehindMalformed, reasons };
      const commands = [...(isBehindMalformed ? [JSON.parse(MALFORMED_COMMAND)] : []), command];
      simulation.inject(poison, groupId, JSON.stringify({ version: 1, requestId, commands }), deduplicationId);
    }
  });
}

/** The credit that a movement sends to another wallet, or would send. */
function creditOf({ userId, to, callerId, ...movement }: Movement): { readonly userId: string; readonly id: string } {
  const id = idOf({ userId, callerId, ...movement });
  return { userId: to ?? callerId ?? userId, id: derivedIdOf("credit", userId, id) };
}

/** The attacker can read the stored transaction; before it is stored, the attacker can only guess its time and its salt. */
function forgedCommand(
  movement: Movement,
  { userId, id }: { readonly userId: string; readonly id: string },
  stored: Item | undefined,
  { field }: Forgery,
) {
  const command = { ...(stored ? contentOf(stored) : guessed(movement, userId)), userId, id };
  const other = forgedFields(command)[field];
  const isCopy = stored !== undefined && other === undefined;
  return { command: { ...command, ...other }, isCopy };
}

type Command = Readonly<Record<string, unknown>>;

/** The fields of the true command. */
function contentOf(stored: Item): Command {
  const { detailsHash = NO_DETAILS_HASH, ...item } = unmarshall(stored, { wrapNumbers: (digits) => digits });
  const bought = item.bought && { ...item.bought, exponent: Number(item.bought.exponent) };
  const exponent = item.exponent === undefined ? undefined : Number(item.exponent);
  const content: Command = { ...item, detailsHash, bought, exponent };
  return Object.fromEntries(COMMAND_FIELDS.map((field) => [field, content[field]]));
}

/** A deposit in the place of the movement. */
function guessed({ currency, amountMinor, asAdmin }: Movement, userId: string): Command {
  return {
    type: "deposit",
    userId,
    actor: asAdmin ? "admin" : "owner",
    createdAt: CREATED_AT,
    currency,
    exponent: 2,
    amountMinor: String(amountMinor ?? FORGED_MINOR),
    detailsHash: OTHER_HASH,
  };
}

/** What is forged in a command; nothing where it does not have the field. */
function forgedFields(command: Command): Readonly<Record<Forgery["field"], Command | undefined>> {
  const { type, currency, exponent, actor, amountMinor, to, refersTo, source } = command;
  const isOneOf = (...types: string[]) => types.includes(String(type));
  return {
    detailsHash: { detailsHash: OTHER_HASH },
    amountMinor: amountMinor === undefined ? undefined : { amountMinor: String(FORGED_MINOR) },
    type: isOneOf("deposit", "withdrawal") ? { type: type === "deposit" ? "withdrawal" : "deposit" } : undefined,
    currency: currency === undefined ? undefined : { currency: currency === "USD" ? "NONE" : "USD" },
    exponent: exponent === undefined ? undefined : { exponent: Number(exponent) + 1 },
    actor: { actor: actor === "owner" ? "admin" : "owner" },
    createdAt: { createdAt: FAR_FUTURE },
    to: to === undefined ? undefined : { to: "mallory" },
    refersTo:
      source !== undefined
        ? { source: { ...Object(source), transactionId: OTHER_ID } }
        : refersTo === undefined
          ? undefined
          : { refersTo: OTHER_ID },
    nothing: undefined,
  };
}

/** Sends a message that no consumer of this version can decide. */
export function poison(simulation: Simulation, { id, userId, how }: Extract<Operation, { kind: "poison" }>): void {
  const command = {
    type: "deposit",
    id: `tx_${id}`,
    userId,
    actor: "owner",
    createdAt: CREATED_AT,
    currency: "USD",
    exponent: 2,
    amountMinor: "1000000",
    detailsHash: OTHER_HASH,
  };
  const message = { version: how === "other_version" ? 2 : 1, requestId: id, commands: [command] };
  const body = how === "malformed" ? `{"version":1,"poison":"${id}"` : JSON.stringify(message);
  const isOfOtherVersion = how === "other_version";
  const reasons = () => (isOfOtherVersion ? [] : [how]);
  simulation.inject(
    { userId, isCopy: false, isOfOtherVersion, hasMalformed: false, reasons },
    userId,
    body,
    `poison ${id}`,
  );
}
