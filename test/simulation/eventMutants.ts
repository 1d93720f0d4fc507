import { type Mutant, mutant } from "./mutant.ts";

const PUBLISH = "lib/ledger/publish.ts";
const STREAM = "lib/aws/walletStream.ts";
const STORE = "lib/aws/store.ts";
const TOPIC = "lib/aws/topic.ts";
const EVENT = "lib/http/cloudEvent.ts";
const DELIVERIES = "lib/aws/deliveries.ts";
const WEBHOOKS = "lib/webhooks/publish.ts";

/** Of the events and their deliveries. */
export const EVENT_MUTANTS: readonly Mutant[] = [
  mutant("a write's last decision alone is published", STREAM, [
    "const change = { recordId, userId, before: before.data, after: after.data, ids: ids.data };",
    "const change = { recordId, userId, before: { ...after.data, sequence: after.data.sequence - 1 }, after: after.data, ids: ids.data.slice(-1) };",
  ]),
  mutant("a write names its decisions in another order", STORE, [
    "decided.map(({ command }) => text(command.id))",
    "decided.map(({ command }) => text(command.id)).reverse()",
  ]),
  mutant("a wallet's first write is not published", STREAM, ['eventName === "REMOVE"', 'eventName !== "MODIFY"']),
  mutant("decisions that the table does not show yet are skipped", PUBLISH, [
    "return ids.map((id, index) => {",
    "return ids.flatMap((id) => stored.get(id) ?? []).filter(isDecided);\n  ids.map((id, index) => {",
  ]),
  mutant("a failure of the publisher counts as published", PUBLISH, [
    "return isReported ? [] : recordIds;",
    "return [];",
  ]),
  mutant("behind a failed write the later ones count as published", PUBLISH, [
    "recordIds: user.changes.slice(index).map(({ recordId }) => recordId)",
    "recordIds: user.changes.slice(index + 1).map(({ recordId }) => recordId)",
  ]),
  mutant("behind a failed event the later ones are published", PUBLISH, [
    "if (failed.has(event.id)) {",
    "if (failed.has(event.id)) {\n        user.pending.shift();\n        user.error = new TransientError(event.id);\n        continue;",
  ]),
  mutant("all events of a user are published at once", PUBLISH, [
    "user.pending.slice(0, 1).map(",
    "user.pending.toReversed().slice(0, 10).map(",
  ]),
  mutant("the response does not wait for the topic", PUBLISH, [
    "await Promise.allSettled(publishers.map((publisher) => publisher.publish(events)));",
    "await Promise.allSettled(publishers.map(async (publisher) => {\n    void publisher.publish(events).catch(() => {});\n    return new Set();\n  }));",
  ]),
  mutant("events that SNS did not take count as published", TOPIC, [
    "return Failed.flatMap(",
    "return Failed.slice(1).flatMap(",
  ]),
  mutant("an event is in another user's group", TOPIC, [
    "MessageGroupId: userId,",
    "MessageGroupId: userId.toLowerCase(),",
  ]),
  mutant("all events of a user are duplicates", TOPIC, ['hash("sha256", id)', 'hash("sha256", id.split("/")[0])']),
  mutant("an event is a new one every time", TOPIC, ['hash("sha256", id)', 'hash("sha256", id + Math.random())']),
  mutant("an event has no currency to filter by", TOPIC, [
    "filter(([, value]) => value !== undefined)",
    'filter(([name]) => name !== "currency")',
  ]),
  mutant("an event shows what later transactions left", EVENT, [
    "transactionView({ ...transaction, remainder }, ",
    "transactionView(transaction, ",
  ]),
  mutant("an event shows money as credited that is in transit", EVENT, ['? "in_transit" :', '? "credited" :']),
  mutant("every event says posted", EVENT, [
    "const { status } = decision.outcome;",
    'const status: string = "posted";',
  ]),
  mutant("an event's subject is not its transaction", EVENT, ["subject: transaction.id,", "subject: id,"]),
  mutant("deliveries that SQS did not take count as sent", DELIVERIES, [
    "if (failed) unsent.add(failed.delivery);",
    "",
  ]),
  mutant("an event is delivered to its first endpoint alone", WEBHOOKS, [
    ".filter((endpoint) => wants(endpoint, attributes.type))",
    ".filter((endpoint) => wants(endpoint, attributes.type)).slice(0, 1)",
  ]),
  mutant("every endpoint gets every event", WEBHOOKS, ["wants(endpoint, attributes.type)", "endpoint !== undefined"]),
  mutant("a failed delivery counts as published", WEBHOOKS, [
    "return new Set([...unsent].map(({ eventId }) => eventId));",
    "return new Set();",
  ]),
];
