import { type Mutant, mutant } from "./mutant.ts";

const BATCH = "lib/ledger/batch.ts";
const CONSUME = "lib/ledger/consume.ts";
const MESSAGE = "lib/ledger/message.ts";
const SUBMIT_BATCH = "lib/ledger/submitBatch.ts";
const STORE = "lib/aws/store.ts";
const QUEUE = "lib/aws/queue.ts";
const HTTP = "lib/http/batch.ts";

/** Of batches and of messages with many commands. */
export const BATCH_MUTANTS: readonly Mutant[] = [
  // Accepting
  mutant("every caller may send a batch", "lib/http/route.ts", [
    "if (callerOf(event).isAdmin) return;",
    "if (callerOf(event)) return;",
  ]),
  mutant("a batch's commands are those of the wallets' owners", HTTP, ["caller.userId === userId", "true"]),
  mutant("a batch's results are in another order", HTTP, [
    "results: read.map((submission, index) => {",
    "results: read.toReversed().map((submission, index) => {",
  ]),
  mutant("a batch's commands are sent in another order", MESSAGE, [
    "commands: group.map(({ command }) => command),",
    "commands: group.map(({ command }) => command).reverse(),",
  ]),
  mutant("a batch has one message for all users", MESSAGE, [
    "JSON.stringify([command.userId, requestId])",
    "JSON.stringify([requestId])",
  ]),
  mutant("a batch has a message for each command", MESSAGE, [
    "JSON.stringify([command.userId, requestId])",
    "JSON.stringify([command.id, requestId])",
  ]),
  mutant("a batch's commands that are not stored are sent", STORE, [
    "else if (Code !== undefined) failed.set(id, toStatementError(Code, Message));",
    "",
  ]),
  mutant("a batch whose store fails is sent", STORE, [
    "for (const { id } of chunk) failed.set(id, toError(error));",
    "",
  ]),
  mutant("a batch's taken keys count as new", STORE, [
    'if (Code === "DuplicateItem") taken.push({ userId, id });',
    'if (Code === "DuplicateItem") continue;',
  ]),
  mutant("a batch's taken keys that are not read count as new", STORE, [
    "for (const { id } of taken) failed.set(id, toError(error));",
    "",
  ]),
  mutant("a batch's first 25 commands are stored", STORE, [
    "chunksOf(transactions, STATEMENTS_MAX)",
    "chunksOf(transactions, STATEMENTS_MAX).slice(0, 1)",
  ]),
  mutant("behind a command that fails, a batch's commands are sent", SUBMIT_BATCH, [
    "if (result instanceof Error) blockedUsers.add(userId);",
    "",
  ]),
  mutant("a batch's commands that are not sent are answered as accepted", SUBMIT_BATCH, [
    "if (error && isPending(results.get(submission))) results.set(submission, error);",
    "",
  ]),
  mutant("a batch's replayed commands are not sent again", SUBMIT_BATCH, [
    "if (!isPending(result)) continue;",
    "if (!isPending(result) || result.replayed) continue;",
  ]),
  mutant("messages that SQS did not take count as sent", QUEUE, [
    "return Failed.flatMap(",
    "return Failed.slice(1).flatMap(",
  ]),
  mutant("a failed batch of messages counts as sent", QUEUE, [
    "return messages.map((message) => [message, toTransientError(error)] as const);",
    "return [];",
  ]),
  mutant("messages with the same first command are duplicates", MESSAGE, [
    "JSON.stringify(commands.map(({ id }) => id))",
    "JSON.stringify(commands.slice(0, 1).map(({ id }) => id))",
  ]),

  // The consumer
  mutant("a write has more items than DynamoDB takes", "lib/ledger/ports.ts", [
    "COMMIT_ITEMS_MAX = 100",
    "COMMIT_ITEMS_MAX = 1000",
  ]),
  mutant("the credits of a write are not counted", CONSUME, ["+ (canEmit(command) ? 1 : 0)", ""]),
  mutant("the first write decides a whole message", CONSUME, ["part = parts.shift()) {", "part = undefined) {"]),
  mutant("a message's last commands are written first", CONSUME, [
    "for (part = parts.shift(); part; part = parts.shift()) {",
    "for (part = parts.pop(); part; part = parts.pop()) {",
  ]),
  mutant("after a failure the commands behind it are acknowledged", CONSUME, [
    "[...(part ?? []), ...parts.flat()]",
    "(part ?? []).slice(1)",
  ]),
  mutant("the second half of a rejected write is dropped", CONSUME, [
    "parts.unshift(invalid.entries.slice(0, middle), invalid.entries.slice(middle))",
    "parts.unshift(invalid.entries.slice(0, middle))",
  ]),
  mutant("the halves of a rejected write change places", CONSUME, [
    "parts.unshift(invalid.entries.slice(0, middle), invalid.entries.slice(middle))",
    "parts.unshift(invalid.entries.slice(middle), invalid.entries.slice(0, middle))",
  ]),
  mutant("a command is dead-lettered with the others of its record", CONSUME, [
    "await sendToDeadLetters({ ...record, body }, reason, detail, ports);\n  }",
    "await sendToDeadLetters(record, reason, detail, ports);\n  }",
  ]),
  mutant("the dead-letter messages of one content have the request id of one record", CONSUME, [
    "const body = encodeMessage({ commands: [command], requestId });\n    await",
    "const body = encodeMessage({ commands: [command], requestId: records.at(-1)?.requestId ?? requestId });\n    await",
  ]),
  mutant("a malformed command is dead-lettered with the others of its record", CONSUME, [
    "const body = command ? encodeMessage({ commands: [command], requestId }) : record.body;",
    "const body = record.body;",
  ]),
  mutant("a malformed command makes its whole message malformed", BATCH, [
    'if (!message) undecidable.push({ record, requestId, reason: "malformed" });',
    'if (!isDecoded) {\n      undecidable.push({ record, requestId, reason: "malformed" });\n      continue;\n    }',
  ]),
  mutant("a malformed command is ignored", BATCH, [
    'undecidable.push({ record, command, requestId, reason: "malformed" });',
    "",
  ]),
  mutant("a redelivered forged command of a decided transaction is dropped", CONSUME, [
    "new Set(found.filter(isDecided).map(({ contentHash }) => contentHash))",
    "new Set(found.filter(isDecided).flatMap(({ id, userId }) => users.flat().filter(({ command }) => command.id === id && command.userId === userId).map(({ contentHash }) => contentHash)))",
  ]),
  mutant("redelivered commands count as decided", CONSUME, ["found.filter(isDecided)", "found"]),
  mutant("the dead-letter messages of one record are duplicates", QUEUE, [
    "sha256(JSON.stringify([recordId, body]))",
    "sha256(JSON.stringify([recordId]))",
  ]),

  // The redrive
  mutant("a redrive resends the first command of a message", "lib/ledger/redrive.ts", [
    "for (const command of message.commands) {",
    "for (const command of message.commands.slice(0, 1)) {",
  ]),
];
