import type { Edit } from "./ledger.ts";

/** A version of the ledger with a small bug of the kind that passes a review. */
export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
}

type Change = readonly [search: string, replace: string];

function edits(file: string, changes: readonly Change[]): Edit[] {
  return changes.map(([search, replace]) => ({ file, search, replace }));
}

function mutant(name: string, file: string, ...changes: readonly Change[]): Mutant {
  return { name, edits: edits(file, changes) };
}

const STORE = "lib/aws/store.ts";
const BATCH = "lib/ledger/batch.ts";
const COMMIT = "lib/ledger/commitBatch.ts";
const CONSUME = "lib/ledger/consume.ts";
const MESSAGE = "lib/ledger/message.ts";
const SUBMIT = "lib/ledger/submit.ts";
const REDRIVE = "lib/ledger/redrive.ts";
const WALLET = "lib/domain/wallet.ts";
const ROUTE = "lib/http/route.ts";

const WITHOUT_SEQUENCE = [
  ['before ? "#sequence = :before" : "attribute_not_exists(userId)"', "...[]"],
  ['...(before && { ":before": before.sequence }),', ""],
  ["ConditionExpression: [...[],", 'ConditionExpression: ["attribute_not_exists(nothing)",'],
] as const;

const KEPT_WALLET = [
  [
    "const before = wallets.get(userId);",
    "const before = readBefore.get(userId) ?? wallets.get(userId);\n    if (before) readBefore.set(userId, before);",
  ],
  ["export async function commitBatch(", "const readBefore = new Map();\nexport async function commitBatch("],
] as const;

export const MUTANTS: readonly Mutant[] = [
  // The writes and their conditions
  mutant("the wallet's write does not check the sequence", STORE, ...WITHOUT_SEQUENCE),
  {
    name: "the wallet's write does not check the sequence, and the wallet is a cached one",
    edits: [...edits(STORE, WITHOUT_SEQUENCE), ...edits(COMMIT, KEPT_WALLET)],
  },
  mutant("a decision is written over a decision", STORE, ['"#status = :pending",', ""], ['":pending": "pending",', ""]),
  mutant(
    "a decision does not check the fingerprint",
    STORE,
    ['"fingerprint = :fingerprint",', ""],
    ['":fingerprint": message.fingerprint,', ""],
  ),
  mutant(
    "a decision does not check the amount",
    STORE,
    ['"amountMinor = :amountMinor",', ""],
    ['":amountMinor": amountMinor,', ""],
  ),
  mutant(
    "a decision does not check the type",
    STORE,
    ['"#type = :type",', ""],
    ['"#type": "type",', ""],
    ['":type": type,', ""],
  ),
  mutant(
    "a decision does not check the currency",
    STORE,
    ['"currency = :currency",', ""],
    ['":currency": currency,\n        ":amountMinor"', '":amountMinor"'],
  ),
  mutant("a forged message of a decided transaction is dropped", STORE, [
    "!hasContentOf(message, stored)",
    'stored.status?.S === "pending"',
  ]),
  mutant("a stored transaction is put again", STORE, [
    'ConditionExpression: "attribute_not_exists(id)",\n          ReturnValuesOnConditionCheckFailure: "ALL_OLD",',
    "",
  ]),
  mutant("the wallet is written as it was before the decisions", STORE, [
    '":balances": Object.fromEntries(wallet.balances)',
    '":balances": Object.fromEntries(before ? before.balances : wallet.balances)',
  ]),
  mutant("every decision is written as posted", STORE, ['":status": outcome.status,', '":status": "posted",']),
  mutant("a cancelled transaction counts as committed", STORE, [
    '? { kind: "conflict", detail: codes.join(", ") }',
    '? { kind: "committed" }',
  ]),
  mutant("a throttle among the cancellation reasons counts as an invalid write", STORE, [
    'code === "ConditionalCheckFailed" || isTransient(code)',
    'code === "ConditionalCheckFailed"',
  ]),
  mutant("a transaction that was not accepted counts as decided", STORE, [
    '{ kind: "not_accepted", id, reason: "unknown_transaction" }',
    '{ kind: "already_decided", id }',
  ]),
  mutant("a message with other content is dropped", STORE, [
    '{ kind: "not_accepted", id, reason: "content_mismatch" }',
    '{ kind: "already_decided", id }',
  ]),
  mutant("a decided transaction counts as other content", STORE, [
    'return { kind: "already_decided", id };',
    'return { kind: "not_accepted", id, reason: "content_mismatch" };',
  ]),
  mutant("the balances are read eventually", STORE, [
    'TableName: setting("WALLETS_TABLE"), Key: marshall({ userId }), ConsistentRead: true',
    'TableName: setting("WALLETS_TABLE"), Key: marshall({ userId })',
  ]),
  {
    name: "an unprocessed wallet counts as new, and the wallet's write does not check the sequence",
    edits: edits(STORE, [
      ...WITHOUT_SEQUENCE,
      ['if (UnprocessedKeys?.[table]) throw new TransientError("Get wallets: not all of them were read");', ""],
    ]),
  },
  mutant("a cancellation reason is read for the wrong write", STORE, ["reasons[index]", "reasons[index + 1]"]),
  mutant("a transaction is read eventually", STORE, [
    "Key: marshall({ userId, id }), ConsistentRead: true",
    "Key: marshall({ userId, id })",
  ]),
  mutant("the history skips a transaction between two pages", STORE, [
    "before = found.length > wanted ? transactions.at(-1)?.decision?.sequence",
    "before = found.length > wanted ? found.at(-1)?.decision?.sequence",
  ]),
  mutant("the history repeats a transaction between two pages", STORE, [
    '"#sequence < :before"',
    '"#sequence <= :before"',
  ]),
  mutant("the history ends where a page does", STORE, ["|| LastEvaluatedKey !== undefined", ""]),
  mutant(
    "a cursor carries its user along",
    "functions/transactions.ts",
    [
      "page.nextBeforeSequence === undefined ? null : writeCursor(page.nextBeforeSequence)",
      'page.nextBeforeSequence === undefined ? null : writeCursor(page.nextBeforeSequence) + "." + readUserId(event)',
    ],
    ["readCursor(cursor)", 'readCursor(cursor?.split(".")[0])'],
    [
      "ports.store.readHistory(readUserId(event),",
      'ports.store.readHistory(cursor?.split(".").slice(1).join(".") || readUserId(event),',
    ],
  ),

  // The decision
  mutant("money is added as floats", WALLET, [
    "balanceMinor + deltaOf(command)",
    "BigInt(Number(balanceMinor) + Number(deltaOf(command)))",
  ]),
  mutant("the last cent can't be withdrawn", WALLET, ["balanceAfterMinor < 0n)", "balanceAfterMinor <= 0n)"]),
  mutant("a withdrawal may exceed the balance", WALLET, [
    'if (balanceAfterMinor < 0n) return "insufficient_funds";',
    "",
  ]),
  mutant("the limit of a balance is not checked", WALLET, [
    'if (balanceAfterMinor > MINOR_UNITS_MAX) return "balance_limit";',
    "",
  ]),
  mutant("a rejection takes no sequence number", WALLET, [
    "sequence: wallet.sequence + 1,",
    "sequence: wallet.sequence + (rejection ? 0 : 1),",
  ]),
  mutant("a rejection records the balance that it would have had", WALLET, [
    "balanceAfterMinor: rejection ? balanceMinor : balanceAfterMinor",
    "balanceAfterMinor",
  ]),
  mutant(
    "a rejection moves the money",
    WALLET,
    [
      'decision.outcome.status === "posted"\n      ? new Map(wallet.balances).set(decision.currency, decision.balanceAfterMinor)\n      : wallet.balances',
      "new Map(wallet.balances).set(decision.currency, decision.balanceAfterMinor)",
    ],
    ["balanceAfterMinor: rejection ? balanceMinor : balanceAfterMinor", "balanceAfterMinor"],
  ),
  mutant("currencies are mixed up", WALLET, [
    "return wallet.balances.get(currency) ?? 0n;",
    "return wallet.balances.get(currency) ?? [...wallet.balances.values()][0] ?? 0n;",
  ]),
  mutant("commands of one batch are all decided against its start", WALLET, [
    "const decision = decide(wallet, command);",
    "const decision = { ...decide(start, command), sequence: wallet.sequence + 1 };",
  ]),

  // The consumer
  mutant("a failure is acknowledged", CONSUME, ["return recordIds;", "return [];"]),
  mutant("one user's failure fails the whole batch", CONSUME, [
    "return failed.flat();",
    "return failed.flat().length > 0 ? records.map(({ recordId }) => recordId) : [];",
  ]),
  mutant("after a failure the rest of the group is acknowledged", CONSUME, [
    "return recordIds;",
    "return recordIds.slice(0, 1);",
  ]),
  mutant("commands of one user are decided last first", BATCH, [
    "[...users.values()].map((entries) => [...entries.values()])",
    "[...users.values()].map((entries) => [...entries.values()].reverse())",
  ]),
  mutant(
    "users are compared without case",
    BATCH,
    ["users.get(groupId)", "users.get(groupId.toLowerCase())"],
    ["users.set(groupId, entries);", "users.set(groupId.toLowerCase(), entries);"],
  ),
  mutant("users who share a write share its failure", CONSUME, [
    "if (users.length > 1 && (await tryCommitBatch(users, ports))) return [];",
    `if (users.length > 1 && (await tryCommitBatch(users, ports))) return [];
  if (users.length > 1) return users.flat().flatMap(({ records }) => records.map(({ recordId }) => recordId));`,
  ]),
  mutant("a failed shared write counts as committed", CONSUME, [
    'if (result.kind === "committed") return true;',
    'if (result.kind !== "unavailable") return true;',
  ]),
  mutant("only the first of the users that share a write is decided", COMMIT, [
    "const result = await store.commit(commits);",
    "const result = await store.commit(commits.slice(0, 1));",
  ]),
  mutant("a malformed record is reported as failed", CONSUME, [
    'deadLetter([record], reason, "", ports)',
    'Promise.reject(new Error("malformed"))',
  ]),
  mutant("a malformed record is dropped", CONSUME, ['deadLetter([record], reason, "", ports)', "Promise.resolve()"]),
  mutant("a record in another user's group is decided", BATCH, ["message?.command.userId === groupId", "message"]),
  mutant("a message of another version is dead-lettered at once", BATCH, [
    "!message && isOfOtherVersion(body)",
    "false",
  ]),
  mutant("a message is decided before one of another version", BATCH, [
    "unsupported.get(groupId) ?? (!message",
    "(!message",
  ]),
  mutant("a failed precondition is dropped", CONSUME, [
    "if (reason) await deadLetter(",
    "if (!reason) await deadLetter(",
  ]),
  mutant("a forged message counts as a duplicate of the true one", MESSAGE, [
    "[userId, id, type, currency, amountMinor.toString(), fingerprint]",
    "[userId, id]",
  ]),
  mutant("a forged message with the right fingerprint counts as a duplicate of the true one", MESSAGE, [
    "[userId, id, type, currency, amountMinor.toString(), fingerprint]",
    "[userId, id, fingerprint]",
  ]),
  mutant("already decided commands stay in the fold", CONSUME, [
    "!alreadyDecided.has(command.id) && !notAccepted.has(command.id)",
    "!notAccepted.has(command.id)",
  ]),
  mutant("an invalid write dead-letters its neighbours", CONSUME, [
    "if (first && others.length === 0) await deadLetter(first.records",
    "if (first) await deadLetter(invalid.entries.flatMap((entry) => entry.records)",
  ]),
  mutant("a rejection is delivered again", COMMIT, [
    'if (result.kind === "committed") {',
    'if (result.kind === "committed") {\n      if (commits.some(({ decided }) => decided.some(({ decision }) => decision.outcome.status === "rejected"))) throw new Error("rejected");',
  ]),
  mutant("the consumer retries without a limit", CONSUME, [
    "attempt <= ATTEMPTS_MAX && ports.clock.now().getTime() < deadlineMs",
    "attempt > 0",
  ]),
  mutant("the wallet is cached between batches", COMMIT, ...KEPT_WALLET),
  {
    name: "a withdrawal may exceed the balance, and the store does not check either",
    edits: [
      ...edits(WALLET, [['if (balanceAfterMinor < 0n) return "insufficient_funds";', ""]]),
      ...edits(STORE, [["[...requiredMinor].map", "[...requiredMinor].slice(requiredMinor.size).map"]]),
    ],
  },
  mutant("a transient error counts as an invalid write", COMMIT, [
    '{ kind: "unavailable", detail: error.message }',
    '{ kind: "invalid_write", detail: error.message }',
  ]),
  mutant("the consumer does not wait for a dead-letter send", CONSUME, [
    "await queue.sendToDeadLetters(record, reason);",
    "queue.sendToDeadLetters(record, reason).catch(() => {});",
  ]),

  // Accepting
  mutant("the response does not wait for the queue", SUBMIT, ["await ports.queue.send(", "void ports.queue.send("]),
  mutant("the command is sent before it is stored", SUBMIT, [
    "const existing = currency.enabled",
    "await ports.queue.send(messageOf(candidate, requestId));\n  const existing = currency.enabled",
  ]),
  mutant("the response does not wait for the store", SUBMIT, [
    "? await ports.store.putPending(candidate)",
    "? void ports.store.putPending(candidate).catch(() => {})",
  ]),
  mutant("a pending transaction is not sent again", SUBMIT, [
    "if (!transaction.decision) await",
    "if (!existing) await",
  ]),
  mutant("the key's content is not compared", SUBMIT, [
    'if (transaction.fingerprint !== candidate.fingerprint) return { accepted: false, problem: "idempotency_key_reused" };',
    "",
  ]),
  mutant(
    "a disabled currency takes new commands",
    SUBMIT,
    ["const existing = currency.enabled\n", "const existing = currency\n"],
    ["!existing && !currency.enabled", "!existing && !currency"],
  ),
  mutant("a failed send is answered as accepted", "lib/aws/queue.ts", [
    "throw new TransientError(`Send a message:",
    "if (!(error instanceof Error)) throw new TransientError(`Send a message:",
  ]),
  mutant("every command is a group of its own", "lib/aws/queue.ts", ["MessageGroupId: userId,", "MessageGroupId: id,"]),
  mutant("idempotency keys are compared without case", "lib/ledger/idempotency.ts", [
    "JSON.stringify([userId, idempotencyKey])",
    "JSON.stringify([userId, idempotencyKey.toLowerCase()])",
  ]),
  mutant("a transaction's id is a new one every time", "lib/ledger/idempotency.ts", [
    "JSON.stringify([userId, idempotencyKey])",
    "JSON.stringify([userId, idempotencyKey, Math.random()])",
  ]),
  mutant("the fingerprint leaves the amount out", "lib/ledger/idempotency.ts", [
    "JSON.stringify([type, currency, amountMinor.toString(), reference ?? null, pairs])",
    "JSON.stringify([type, currency, reference ?? null, pairs])",
  ]),
  mutant("an amount is parsed as a float", "lib/domain/money.ts", [
    'BigInt(whole + fraction.padEnd(exponent, "0"))',
    "BigInt(Math.round(Number(decimal) * 10 ** exponent))",
  ]),
  mutant("the fraction is not padded", "lib/domain/money.ts", ['fraction.padEnd(exponent, "0")', "fraction"]),

  // The redrive
  mutant("a redrive resends the message's own body", REDRIVE, [
    'return stored ? encodeMessage(messageOf(stored, "redrive")) : body;',
    'return stored && false ? encodeMessage(messageOf(stored, "redrive")) : body;',
  ]),
  mutant("a redrive removes before it resends", REDRIVE, [
    "await queue.resend(message, await bodyToResend(message, store));",
    "const body = await bodyToResend(message, store);\n        await queue.remove(message);\n        await queue.resend(message, body);",
  ]),
  mutant(
    "a redrive is sent under the command's own id",
    "lib/aws/deadLetters.ts",
    ["async resend({ messageId, userId }, body)", "async resend({ messageId, userId, message }, body)"],
    ["MessageDeduplicationId: `redrive-", "MessageDeduplicationId: message?.command.id ?? `redrive-"],
  ),

  // The API
  mutant("a wallet is open to a user whose name is a prefix", ROUTE, [
    "event.pathParameters?.userId === subject",
    "event.pathParameters?.userId?.startsWith(subject) === true",
  ]),
  mutant("a wallet is open to a user whose name differs by case", ROUTE, [
    "event.pathParameters?.userId === subject",
    "event.pathParameters?.userId?.toLowerCase() === subject.toLowerCase()",
  ]),
  mutant("any scope with wallets counts as admin", "lib/http/authenticate.ts", [
    'new Set(typeof scope === "string" ? scope.split(" ") : [])',
    'new Set(typeof scope === "string" && scope.includes("wallets") ? [ADMIN_SCOPE] : [])',
  ]),
  mutant("one route does not authenticate", "functions/transaction.ts", [
    'import { userRoute } from "../lib/http/route.ts"',
    'import { publicRoute as userRoute } from "../lib/http/route.ts"',
  ]),
  mutant("the audience of a token is not checked", "lib/http/authenticate.ts", [
    'audience: setting("JWT_AUDIENCE"),',
    "",
  ]),
  mutant("an expired token is valid", "lib/http/authenticate.ts", [
    "const CLOCK_TOLERANCE_SECONDS = 5;",
    "const CLOCK_TOLERANCE_SECONDS = 5000;",
  ]),
  mutant("an unreadable key set is answered as an invalid token", "lib/http/authenticate.ts", [
    'throw new HttpProblem("unavailable", { headers: { "retry-after": "1" }, cause: error });',
    "throw unauthorized('Bearer realm=\"antler\"', error);",
  ]),
  mutant("a failed read of the currencies is cached", "lib/aws/currencies.ts", [
    "if (cached?.currencies === currencies) cached = undefined;",
    "",
  ]),
  mutant("balances come from the history", "functions/balances.ts", [
    "await readBalances(userId, ports)",
    `await readBalances(userId, { ...ports, store: { ...ports.store, readWallet: async () => {
      const { transactions } = await ports.store.readHistory(userId, { limit: 100, beforeSequence: undefined, currency: undefined, status: undefined });
      const balances = new Map<string, bigint>();
      for (const { currency, decision } of transactions) {
        if (decision && !balances.has(currency)) balances.set(currency, decision.balanceAfterMinor);
      }
      return { sequence: transactions[0]?.decision?.sequence ?? 0, balances };
    } } })`,
  ]),
  mutant("a replay has no Idempotency-Replayed header", "lib/http/movement.ts", [
    '...(submitted.replayed && { "idempotency-replayed": "true" }),',
    "",
  ]),
  mutant("a rejection that was waited for is answered as posted", "lib/http/movement.ts", [
    "if (waitSeconds && view.rejection) {",
    "if (!waitSeconds && view.rejection) {",
  ]),
];
