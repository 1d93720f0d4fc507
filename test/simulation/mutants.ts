import type { Edit } from "./ledger.ts";

/** A small wrong version of the ledger, of the kind that passes a review. */
export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
}

type Change = readonly [search: string, replace: string];

function edits(file: string, changes: readonly Change[]): Edit[] {
  return changes.map(([search, replace]) => ({ file, search, replace }));
}

function bug(name: string, file: string, ...changes: readonly Change[]): Mutant {
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
  bug("the wallet's write does not look at the sequence", STORE, ...WITHOUT_SEQUENCE),
  {
    name: "the wallet's write does not look at the sequence, and the wallet is one that was read before",
    edits: [...edits(STORE, WITHOUT_SEQUENCE), ...edits(COMMIT, KEPT_WALLET)],
  },
  bug("a decision is written over a decision", STORE, ['"#status = :pending",', ""], ['":pending": "pending",', ""]),
  bug(
    "a decision does not look at the fingerprint",
    STORE,
    ['"fingerprint = :fingerprint",', ""],
    ['":fingerprint": message.fingerprint,', ""],
  ),
  bug(
    "a decision does not look at the amount",
    STORE,
    ['"amountMinor = :amountMinor",', ""],
    ['":amountMinor": amountMinor,', ""],
  ),
  bug(
    "a decision does not look at the type",
    STORE,
    ['"#type = :type",', ""],
    ['"#type": "type",', ""],
    ['":type": type,', ""],
  ),
  bug(
    "a decision does not look at the currency",
    STORE,
    ['"currency = :currency",', ""],
    ['":currency": currency,\n        ":amountMinor"', '":amountMinor"'],
  ),
  bug("a forged message of a decided transaction is dropped", STORE, [
    "!hasContentOf(message, stored)",
    'stored.status?.S === "pending"',
  ]),
  bug("a transaction that is there is put again", STORE, [
    'ConditionExpression: "attribute_not_exists(id)",\n          ReturnValuesOnConditionCheckFailure: "ALL_OLD",',
    "",
  ]),
  bug("the wallet is written as it was before the decisions", STORE, [
    '":balances": Object.fromEntries(wallet.balances)',
    '":balances": Object.fromEntries(before ? before.balances : wallet.balances)',
  ]),
  bug("every decision is written as posted", STORE, ['":status": outcome.status,', '":status": "posted",']),
  bug("a cancelled transaction counts as committed", STORE, [
    '? { kind: "conflict", detail: codes.join(", ") }',
    '? { kind: "committed" }',
  ]),
  bug("a throttle among the cancellation reasons counts as a refusal", STORE, [
    'code === "ConditionalCheckFailed" || isTransient(code)',
    'code === "ConditionalCheckFailed"',
  ]),
  bug("a transaction that nobody accepted counts as decided", STORE, [
    '{ kind: "not_accepted", id, reason: "unknown_transaction" }',
    '{ kind: "already_decided", id }',
  ]),
  bug("a record that does not match what was accepted is dropped", STORE, [
    '{ kind: "not_accepted", id, reason: "content_mismatch" }',
    '{ kind: "already_decided", id }',
  ]),
  bug("a decided transaction counts as a mismatch", STORE, [
    'return { kind: "already_decided", id };',
    'return { kind: "not_accepted", id, reason: "content_mismatch" };',
  ]),
  bug("the balances are read eventually", STORE, [
    'TableName: setting("WALLETS_TABLE"), Key: { userId }, ConsistentRead: true',
    'TableName: setting("WALLETS_TABLE"), Key: { userId }',
  ]),
  {
    name: "a wallet that was not read counts as none, and the wallet's write does not look at the sequence",
    edits: edits(STORE, [
      ...WITHOUT_SEQUENCE,
      ['if (UnprocessedKeys?.[table]) throw new TransientError("Get wallets: not all of them were read");', ""],
    ]),
  },
  bug("a reason is taken for that of the write before", STORE, ["reasons[index]", "reasons[index + 1]"]),
  bug("a transaction is read eventually", STORE, ["Key: { userId, id }, ConsistentRead: true", "Key: { userId, id }"]),
  bug("the history skips a transaction between two pages", STORE, [
    "before = found.length > wanted ? transactions.at(-1)?.decision?.sequence",
    "before = found.length > wanted ? found.at(-1)?.decision?.sequence",
  ]),
  bug("the history repeats a transaction between two pages", STORE, [
    '"#sequence < :before"',
    '"#sequence <= :before"',
  ]),
  bug("the history ends where a page does", STORE, ["|| LastEvaluatedKey !== undefined", ""]),
  bug(
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
  bug("money is added as floats", WALLET, [
    "balanceMinor + deltaOf(command)",
    "BigInt(Number(balanceMinor) + Number(deltaOf(command)))",
  ]),
  bug("the last cent can't be withdrawn", WALLET, ["balanceAfterMinor < 0n)", "balanceAfterMinor <= 0n)"]),
  bug("a withdrawal may take more than there is", WALLET, [
    'if (balanceAfterMinor < 0n) return "insufficient_funds";',
    "",
  ]),
  bug("the limit of a balance is not checked", WALLET, [
    'if (balanceAfterMinor > MINOR_UNITS_MAX) return "balance_limit";',
    "",
  ]),
  bug("a rejection takes no sequence number", WALLET, [
    "sequence: wallet.sequence + 1,",
    "sequence: wallet.sequence + (rejection ? 0 : 1),",
  ]),
  bug("a rejection shows the balance that it was denied", WALLET, [
    "balanceAfterMinor: rejection ? balanceMinor : balanceAfterMinor",
    "balanceAfterMinor",
  ]),
  bug(
    "a rejection moves the money",
    WALLET,
    [
      'decision.outcome.status === "posted"\n      ? new Map(wallet.balances).set(decision.currency, decision.balanceAfterMinor)\n      : wallet.balances',
      "new Map(wallet.balances).set(decision.currency, decision.balanceAfterMinor)",
    ],
    ["balanceAfterMinor: rejection ? balanceMinor : balanceAfterMinor", "balanceAfterMinor"],
  ),
  bug("currencies are mixed up", WALLET, [
    "return wallet.balances.get(currency) ?? 0n;",
    "return wallet.balances.get(currency) ?? [...wallet.balances.values()][0] ?? 0n;",
  ]),
  bug("commands of one delivery are all decided against its start", WALLET, [
    "const decision = decide(wallet, command);",
    "const decision = { ...decide(start, command), sequence: wallet.sequence + 1 };",
  ]),

  // The consumer
  bug("a failure is acknowledged", CONSUME, ["return recordIds;", "return [];"]),
  bug("one user's failure fails the whole delivery", CONSUME, [
    "return failed.flat();",
    "return failed.flat().length > 0 ? records.map(({ recordId }) => recordId) : [];",
  ]),
  bug("after a failure the rest of the group goes on", CONSUME, ["return recordIds;", "return recordIds.slice(0, 1);"]),
  bug("commands of one user are decided last first", BATCH, [
    "[...users.values()].map((entries) => [...entries.values()])",
    "[...users.values()].map((entries) => [...entries.values()].reverse())",
  ]),
  bug(
    "users are told apart without their case",
    BATCH,
    ["users.get(groupId)", "users.get(groupId.toLowerCase())"],
    ["users.set(groupId, entries);", "users.set(groupId.toLowerCase(), entries);"],
  ),
  bug("users who share a write share its failure", CONSUME, [
    "if (users.length > 1 && (await tryCommitBatch(users, ports))) return [];",
    `if (users.length > 1 && (await tryCommitBatch(users, ports))) return [];
  if (users.length > 1) return users.flat().flatMap(({ records }) => records.map(({ recordId }) => recordId));`,
  ]),
  bug("a shared write that was turned away counts as made", CONSUME, [
    'if (result.kind === "committed") return true;',
    'if (result.kind !== "unavailable") return true;',
  ]),
  bug("only the first of the users that share a write is decided", COMMIT, [
    "const result = await store.commit(commits);",
    "const result = await store.commit(commits.slice(0, 1));",
  ]),
  bug("a malformed record is reported as failed", CONSUME, [
    'deadLetter([record], reason, "", ports)',
    'Promise.reject(new Error("malformed"))',
  ]),
  bug("a malformed record is dropped", CONSUME, ['deadLetter([record], reason, "", ports)', "Promise.resolve()"]),
  bug("a record in another user's group is decided", BATCH, ["message?.command.userId === groupId", "message"]),
  bug("a message of another version is dead-lettered at once", BATCH, ["!message && isOfOtherVersion(body)", "false"]),
  bug("a message goes ahead of one of another version", BATCH, ["unsupported.get(groupId) ?? (!message", "(!message"]),
  bug("a mismatch is dropped", CONSUME, ["if (reason) await deadLetter(", "if (!reason) await deadLetter("]),
  bug("a forged record takes the right one along", MESSAGE, [
    "[userId, id, type, currency, amountMinor.toString(), fingerprint]",
    "[userId, id]",
  ]),
  bug("a record with the right fingerprint takes the right one along", MESSAGE, [
    "[userId, id, type, currency, amountMinor.toString(), fingerprint]",
    "[userId, id, fingerprint]",
  ]),
  bug("what was decided before stays in the fold", CONSUME, [
    "!alreadyDecided.has(command.id) && !notAccepted.has(command.id)",
    "!notAccepted.has(command.id)",
  ]),
  bug("a refused command takes its neighbours along", CONSUME, [
    "if (first && others.length === 0) await deadLetter(first.records",
    "if (first) await deadLetter(invalid.entries.flatMap((entry) => entry.records)",
  ]),
  bug("a rejection is delivered again", COMMIT, [
    'if (result.kind === "committed") {',
    'if (result.kind === "committed") {\n      if (commits.some(({ decided }) => decided.some(({ decision }) => decision.outcome.status === "rejected"))) throw new Error("rejected");',
  ]),
  bug("the consumer tries for ever", CONSUME, [
    "attempt <= ATTEMPTS_MAX && ports.clock.now().getTime() < deadlineMs",
    "attempt > 0",
  ]),
  bug("the wallet is kept from one delivery to the next", COMMIT, ...KEPT_WALLET),
  {
    name: "a withdrawal may take more than there is, and the store does not look either",
    edits: [
      ...edits(WALLET, [['if (balanceAfterMinor < 0n) return "insufficient_funds";', ""]]),
      ...edits(STORE, [["[...requiredMinor].map", "[...requiredMinor].slice(requiredMinor.size).map"]]),
    ],
  },
  bug("an error that passes is taken for one that stays", COMMIT, [
    '{ kind: "unavailable", detail: error.message }',
    '{ kind: "invalid_write", detail: error.message }',
  ]),
  bug("a dead letter is sent without waiting for it", CONSUME, [
    "await queue.sendToDeadLetters(record, reason);",
    "queue.sendToDeadLetters(record, reason).catch(() => {});",
  ]),

  // Accepting
  bug("the answer does not wait for the queue", SUBMIT, ["await ports.queue.send(", "void ports.queue.send("]),
  bug("the command is sent before it is stored", SUBMIT, [
    "const existing = currency.enabled",
    "await ports.queue.send(messageOf(candidate, requestId));\n  const existing = currency.enabled",
  ]),
  bug("the answer does not wait for the store", SUBMIT, [
    "? await ports.store.putPending(candidate)",
    "? void ports.store.putPending(candidate).catch(() => {})",
  ]),
  bug("a pending transaction is not sent again", SUBMIT, ["if (!transaction.decision) await", "if (!existing) await"]),
  bug("the key's content is not compared", SUBMIT, [
    'if (transaction.fingerprint !== candidate.fingerprint) return { accepted: false, problem: "idempotency_key_reused" };',
    "",
  ]),
  bug(
    "a disabled currency takes new commands",
    SUBMIT,
    ["const existing = currency.enabled\n", "const existing = currency\n"],
    ["!existing && !currency.enabled", "!existing && !currency"],
  ),
  bug("a failed send is answered all the same", "lib/aws/queue.ts", [
    "throw new TransientError(`Send a message:",
    "if (!(error instanceof Error)) throw new TransientError(`Send a message:",
  ]),
  bug("every command is a group of its own", "lib/aws/queue.ts", ["MessageGroupId: userId,", "MessageGroupId: id,"]),
  bug("keys are told apart without their case", "lib/ledger/idempotency.ts", [
    "JSON.stringify([userId, idempotencyKey])",
    "JSON.stringify([userId, idempotencyKey.toLowerCase()])",
  ]),
  bug("a transaction's id is a new one every time", "lib/ledger/idempotency.ts", [
    "JSON.stringify([userId, idempotencyKey])",
    "JSON.stringify([userId, idempotencyKey, Math.random()])",
  ]),
  bug("the fingerprint leaves the amount out", "lib/ledger/idempotency.ts", [
    "JSON.stringify([type, currency, amountMinor.toString(), reference ?? null, pairs])",
    "JSON.stringify([type, currency, reference ?? null, pairs])",
  ]),
  bug("an amount is parsed as a float", "lib/domain/money.ts", [
    'BigInt(whole + fraction.padEnd(exponent, "0"))',
    "BigInt(Math.round(Number(decimal) * 10 ** exponent))",
  ]),
  bug("the digits after the point lose their zeros", "lib/domain/money.ts", [
    'fraction.padEnd(exponent, "0")',
    "fraction",
  ]),

  // The redrive
  bug("a redrive resends what the message says", REDRIVE, [
    'return stored ? encodeMessage(messageOf(stored, "redrive")) : body;',
    'return stored && false ? encodeMessage(messageOf(stored, "redrive")) : body;',
  ]),
  bug("a redrive removes before it resends", REDRIVE, [
    "await queue.resend(message, await bodyToResend(message, store));",
    "const body = await bodyToResend(message, store);\n        await queue.remove(message);\n        await queue.resend(message, body);",
  ]),
  bug(
    "a redrive is sent under the command's own id",
    "lib/aws/deadLetters.ts",
    ["async resend({ messageId, userId }, body)", "async resend({ messageId, userId, message }, body)"],
    ["MessageDeduplicationId: `redrive-", "MessageDeduplicationId: message?.command.id ?? `redrive-"],
  ),

  // The API
  bug("a wallet is open to whose name begins alike", ROUTE, [
    "event.pathParameters?.userId === subject",
    "event.pathParameters?.userId?.startsWith(subject) === true",
  ]),
  bug("a wallet is open to whose name differs by case", ROUTE, [
    "event.pathParameters?.userId === subject",
    "event.pathParameters?.userId?.toLowerCase() === subject.toLowerCase()",
  ]),

  bug("any scope of wallets will do", "lib/http/authenticate.ts", [
    'new Set(typeof scope === "string" ? scope.split(" ") : [])',
    'new Set(typeof scope === "string" && scope.includes("wallets") ? [ADMIN_SCOPE] : [])',
  ]),
  bug("one route does not ask who calls", "functions/transaction.ts", [
    'import { userRoute } from "../lib/http/route.ts"',
    'import { publicRoute as userRoute } from "../lib/http/route.ts"',
  ]),
  bug("the audience of a token is not checked", "lib/http/authenticate.ts", ['audience: setting("JWT_AUDIENCE"),', ""]),
  bug("an expired token is good", "lib/http/authenticate.ts", [
    "const CLOCK_TOLERANCE_SECONDS = 5;",
    "const CLOCK_TOLERANCE_SECONDS = 5000;",
  ]),
  bug("a key set that can't be read is the token's fault", "lib/http/authenticate.ts", [
    'throw new HttpProblem("unavailable", { headers: { "retry-after": "1" }, cause: error });',
    "throw unauthorized('Bearer realm=\"antler\"', error);",
  ]),
  bug("a currency list that could not be read is kept", "lib/aws/currencies.ts", [
    "if (cached?.currencies === currencies) cached = undefined;",
    "",
  ]),
  bug("balances come from the history", "functions/balances.ts", [
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
  bug("a replay does not say that it is one", "lib/http/movement.ts", [
    '...(submitted.replayed && { "idempotency-replayed": "true" }),',
    "",
  ]),
  bug("a rejection that was waited for is answered as posted", "lib/http/movement.ts", [
    "if (waitSeconds && view.rejection) {",
    "if (!waitSeconds && view.rejection) {",
  ]),
];
