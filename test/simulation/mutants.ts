import { BATCH_MUTANTS } from "./batchMutants.ts";
import { EVENT_MUTANTS } from "./eventMutants.ts";
import { MOVEMENT_MUTANTS } from "./movementMutants.ts";
import { edits, type Mutant, mutant } from "./mutant.ts";

const STORE = "lib/aws/store.ts";
const BATCH = "lib/ledger/batch.ts";
const COMMIT = "lib/ledger/commitBatch.ts";
const CONSUME = "lib/ledger/consume.ts";
const SUBMIT = "lib/ledger/submit.ts";
const REDRIVE = "lib/ledger/redrive.ts";
const DECIDE = "lib/domain/decide.ts";
const HASH = "lib/domain/hash.ts";
const ITEMS = "lib/aws/items.ts";
const PAST = "lib/ledger/past.ts";
const STATEMENT = "lib/ledger/statement.ts";
const POSITION = "lib/ledger/position.ts";
const ROUTE = "lib/http/route.ts";

/** What the content hash contains. */
const CONTENT = [
  ...["id", "userId", "type", "actor", "createdAt", "currency", "exponent", "amountMinor?.toString()", "detailsHash"],
];

const WITHOUT_SEQUENCE = [
  ['before ? "#sequence = :before" : "attribute_not_exists(userId)"', '"attribute_not_exists(nothing)"'],
  ['...(before && { ":before": number(before.sequence) }),', ""],
] as const;

const KEPT_WALLET = [
  [
    "const before = wallets.get(userIdOf(entries));",
    "const userId = userIdOf(entries);\n      const before = readBefore.get(userId) ?? wallets.get(userId);\n      if (before) readBefore.set(userId, before);",
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
  mutant(
    "a decision is written over a decision",
    STORE,
    ['"#status = :pending AND contentHash = :contentHash"', '"contentHash = :contentHash"'],
    ['":pending": text("pending"),\n        ":contentHash"', '":contentHash"'],
  ),
  mutant(
    "a decision does not check the content hash",
    STORE,
    ['"#status = :pending AND contentHash = :contentHash"', '"#status = :pending"'],
    ['":contentHash": text(contentHash),', ""],
  ),
  ...["type", "actor", "createdAt", "currency", "exponent", "amountMinor?.toString()", "detailsHash"].map((field) =>
    mutant(`the content hash leaves out ${field}`, HASH, [
      `[${CONTENT.join(", ")}]`,
      `[${CONTENT.filter((name) => name !== field).join(", ")}]`,
    ]),
  ),
  mutant("a forged message of a decided transaction is dropped", STORE, [
    "stored.contentHash?.S !== contentHash",
    'stored.status?.S === "pending"',
  ]),
  mutant("a stored transaction is put again", STORE, [
    'ConditionExpression: "attribute_not_exists(id)",\n          ReturnValuesOnConditionCheckFailure: "ALL_OLD",',
    "",
  ]),
  mutant("the wallet is written with the balances before the decisions", STORE, [
    "toWalletAttributes(wallet)",
    "toWalletAttributes({ ...wallet, available: before?.available ?? wallet.available })",
  ]),
  mutant("every decision is written as posted", ITEMS, ["status: text(outcome.status),", 'status: text("posted"),']),
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
    'TableName: setting("WALLETS_TABLE"), Key: { userId: text(userId) }, ConsistentRead: true',
    'TableName: setting("WALLETS_TABLE"), Key: { userId: text(userId) }',
  ]),
  {
    name: "an unprocessed wallet counts as new, and the wallet's write does not check the sequence",
    edits: edits(STORE, [...WITHOUT_SEQUENCE, ["if (UnprocessedKeys?.[table]) throw", "if (false) throw"]]),
  },
  mutant("a cancellation reason is read for the wrong write", STORE, ["reasons[index]", "reasons[index + 1]"]),
  mutant("a transaction is read eventually", STORE, [
    "Key: { userId: text(userId), id: text(id) }, ConsistentRead: true",
    "Key: { userId: text(userId), id: text(id) }",
  ]),
  mutant("the history skips a transaction between two pages", STORE, [
    "after = found.length > wanted ? transactions.at(-1)?.decision",
    "after = found.length > wanted ? found.at(-1)?.decision",
  ]),
  mutant("the history repeats a transaction between two pages", STORE, [
    'order === "oldest first" ? 1 : -1',
    'order === "oldest first" ? 1 : 0',
  ]),
  mutant("the history ends where a page does", STORE, [
    "found.length <= wanted && !LastEvaluatedKey",
    "found.length <= wanted",
  ]),
  mutant(
    "a cursor carries its user along",
    "functions/transactions.ts",
    ["writeCursor(page.end) : null", 'writeCursor(page.end) + "." + readUserId(event) : null'],
    ["readCursor(cursor)", 'readCursor(cursor?.split(".")[0])'],
    [
      "ports.store.readHistory(readUserId(event),",
      'ports.store.readHistory(cursor?.split(".").slice(1).join(".") || readUserId(event),',
    ],
  ),

  // The decision
  mutant("money is added as floats", DECIDE, [
    "(minor.get(currency) ?? 0n) + changeMinor",
    "BigInt(Number(minor.get(currency) ?? 0n) + Number(changeMinor))",
  ]),
  mutant("the last cent can't be withdrawn", DECIDE, [
    "if (currencies.some((currency) => availableOf(after, currency) < 0n))",
    "if (changes.some(({ currency, amountMinor }) => availableOf(after, currency) < (amountMinor < 0n ? 1n : 0n)))",
  ]),
  mutant("a withdrawal may exceed the balance", DECIDE, [
    'if (currencies.some((currency) => availableOf(after, currency) < 0n)) return "insufficient_funds";',
    "",
  ]),
  mutant("the limit of a balance is not checked", DECIDE, [
    'if (credited.some((currency) => balanceOf(after, currency) > MINOR_UNITS_MAX)) return "balance_limit";',
    "",
  ]),
  mutant("the limit of a balance is that of the database", "lib/domain/money.ts", [
    "10n ** 36n - 1n",
    "10n ** 38n - 1n",
  ]),
  mutant("a rejection takes no sequence number", DECIDE, [
    "sequence: wallet.sequence + 1,",
    "sequence: wallet.sequence + (code ? 0 : 1),",
  ]),
  mutant("a rejection has the postings that it would have had", DECIDE, [
    "postings: code ? [] : postingsOf(changes, changed),",
    "postings: postingsOf(changes, changed),",
  ]),
  mutant("a rejection moves the money", DECIDE, ["= code ? wallet : changed;", "= changed;"]),
  mutant("currencies are mixed up", DECIDE, [
    "const afterMinor = (minor.get(currency) ?? 0n) + changeMinor;",
    "const afterMinor = (minor.get(currency) ?? [...minor.values()][0] ?? 0n) + changeMinor;",
  ]),
  mutant("commands of one batch are all decided against its start", DECIDE, [
    "const decision = decide(state, command, now);",
    "const decision = { ...decide(start, command, now), sequence: state.wallet.sequence + 1 };",
  ]),
  mutant("a balance of zero stays in the wallet", DECIDE, [
    "if (afterMinor === 0n) after.delete(currency);\n  else after.set(currency, afterMinor);",
    "after.set(currency, afterMinor);",
  ]),
  mutant("a decision has the balances before it", DECIDE, [
    "available, held, previousHash: wallet.hash,",
    "available: wallet.available, held, previousHash: wallet.hash,",
  ]),
  mutant("a posting has the balance before it", DECIDE, [
    "balanceAfterMinor: balanceOf(after, change.currency),",
    "balanceAfterMinor: balanceOf(after, change.currency) - change.amountMinor,",
  ]),
  mutant("a rejection is read with postings", ITEMS, [
    'outcome.status === "posted" ? postingsOf(changes, { available, held }) : []',
    "postingsOf(changes, { available, held })",
  ]),

  // Times and the hash chain
  mutant("a decision has the time of the clock alone", DECIDE, [
    "decidedAt: latest(now, earliestDecision(wallet, command)),",
    "decidedAt: now,",
  ]),
  mutant("a decision can be earlier than its command", DECIDE, [
    "return latest(decidedAt, createdAt);",
    "return createdAt > decidedAt ? decidedAt : decidedAt;",
  ]),
  mutant("a decision can be earlier than the previous one", DECIDE, [
    "return latest(decidedAt, createdAt);",
    "return createdAt || decidedAt;",
  ]),
  mutant("a decision has the time of its command", DECIDE, [
    "decidedAt: latest(now, earliestDecision(wallet, command)),",
    "decidedAt: earliestDecision(wallet, command) || now,",
  ]),
  mutant(
    "the time of a batch is taken before its wallets are read",
    COMMIT,
    ["const now = clock.now();", ""],
    [
      "const wallets = await store.readWallets(",
      "const now = clock.now();\n    const wallets = await store.readWallets(",
    ],
  ),
  mutant("a consumer waits for no clock, and a wallet's time is lost", COMMIT, [
    "if (ahead) return",
    "if (ahead && before) before.decidedAt = undefined;\n      if (ahead && !before) return",
  ]),
  mutant("a forged time blocks the user's commands", CONSUME, [
    "const notAccepted = await findNotAccepted(remaining, ports);",
    "const notAccepted = new Map<string, DeadLetterReason>();",
  ]),
  mutant("a command that is ahead of the clock counts as forged", CONSUME, [
    "else if (stored.contentHash !== contentHash)",
    "else",
  ]),
  mutant("the chain skips rejections", DECIDE, [
    "export function walletAfter({ walletStatus, sequence, available, held, decidedAt, hash }: Decision): Wallet {",
    'export function walletAfter({ walletStatus, sequence, available, held, decidedAt, hash: own, outcome, previousHash }: Decision): Wallet {\n  const hash = outcome.status === "posted" ? own : previousHash;',
  ]),
  mutant("a decision is not chained to the previous one", DECIDE, [
    "previousHash: wallet.hash,",
    "previousHash: undefined,",
  ]),
  mutant("the commands of a batch are chained to its start", DECIDE, [
    "const decision = decide(state, command, now);",
    "const decision = decide({ ...state, wallet: { ...state.wallet, hash: start.wallet.hash } }, command, now);",
  ]),
  mutant(
    "the hash leaves the balances out",
    HASH,
    ["balances: currenciesOf(decision).map(", "balances: [].map("],
    [
      "(code) => ({\n      currency: code,\n      available: availableOf(decision, code).toString(),\n      held: heldOf(decision, code).toString(),\n    })",
      "(code) => code",
    ],
  ),
  mutant("the hash has the balances in the order of their last change", "lib/domain/state.ts", [
    "return [...new Set([...available.keys(), ...held.keys()])].sort();",
    "return [...new Set([...available.keys(), ...held.keys()])];",
  ]),
  mutant("the hash leaves the time of the decision out", HASH, [
    "createdAt,\n    decidedAt,\n    currency: currency ?? null,",
    "createdAt,\n    currency: currency ?? null,",
  ]),
  mutant("the hash leaves the rejection out", HASH, [
    'rejection: outcome.status === "rejected" ? outcome.code : null,',
    "rejection: null,",
  ]),
  mutant("the hash is not of the canonical form", HASH, [
    'sha256(canonicalize(value) ?? "")',
    "sha256(JSON.stringify(value))",
  ]),
  mutant("the hash leaves the user out", HASH, ["version: HASH_VERSION,\n    userId,", "version: HASH_VERSION,"]),
  mutant("the hash leaves the previous hash out", HASH, ["previousHash: previousHash ?? null,", ""]),
  mutant("the hash leaves the actor out", HASH, [
    "type,\n    actor,\n    createdAt,\n    decidedAt,",
    "type,\n    createdAt,\n    decidedAt,",
  ]),
  mutant("the hash has the amount of a rejection as zero", HASH, [
    "amount: amountMinor?.toString() ?? null,",
    'amount: outcome.status === "rejected" ? "0" : (amountMinor?.toString() ?? null),',
  ]),
  mutant("the salt is not stored", ITEMS, [
    "attributesOf({ ...command, salt, reference,",
    "attributesOf({ ...command, reference,",
  ]),
  mutant("the details are hashed without the salt", HASH, [
    "canonicalHash({ salt, reference:",
    "canonicalHash({ reference:",
  ]),
  mutant("the head of the chain is not written", ITEMS, [
    "decidedAt: text(decidedAt),\n    hash: text(hash),\n  };",
    'decidedAt: text(decidedAt),\n    hash: text(sequence > 1 ? "" : hash),\n  };',
  ]),

  // Reads of the past
  mutant("positions are not padded", POSITION, ['String(sequence).padStart(SEQUENCE_DIGITS, "0")', "String(sequence)"]),
  mutant("balances as of a moment leave out the decisions of that moment", PAST, [
    "const behind = momentAfter(at);",
    "const behind = at;",
  ]),
  mutant("balances as of a moment contain the decisions of the next one", PAST, [
    "const behind = momentAfter(at);",
    "const behind = momentAfter(momentAfter(at));",
  ]),
  mutant("a lagging index is believed", PAST, [
    "const isProved = next === end || next === (await nextSequence());",
    "const isProved = end > 0 || next === (await nextSequence());",
  ]),
  mutant("the wallet's last decision is its state at any moment", PAST, [
    "if (decidedAt === undefined || decidedAt <= at)",
    "if (decidedAt === undefined || decidedAt <= at || isOld)",
  ]),
  mutant("every answer about the past is final", PAST, [
    "return { wallet, isFinal: isOld };",
    "return { wallet, isFinal: true };",
  ]),
  mutant("an answer is final after a second", PAST, ["const FINAL_AFTER_MS = 30_000;", "const FINAL_AFTER_MS = 1000;"]),
  mutant("the age of a moment is taken after the wallet is read, by the index", PAST, [
    "const wallet = (await store.readWallet(userId)) ?? emptyWallet;",
    'const newest = await store.readHistory(userId, { limit: 1, order: "newest first" });\n  const wallet = newest.transactions[0] ? evolve(newest.transactions[0].decision) : emptyWallet;',
  ]),
  mutant("a statement opens with its closing balance", STATEMENT, [
    "openingMinor: closingMinor - creditsMinor + debitsMinor,",
    "openingMinor: closingMinor,",
  ]),
  mutant("a page of a statement closes with the period", STATEMENT, [
    "balanceOf(last?.decision ?? end.wallet, currency)",
    "balanceOf(end.wallet, currency)",
  ]),
  mutant("a statement mixes currencies", STATEMENT, ["posting.currency === currency &&", ""]),
  mutant("a line of a statement has the balance before it", "functions/statements.ts", [
    "formatAmount(balanceAfterMinor, exponent)",
    "formatAmount(balanceAfterMinor - amountMinor, exponent)",
  ]),
  mutant("each page of a statement starts with the period", STATEMENT, [
    "after?.sequence ?? (from === undefined ? 0 : await sequenceBefore(from))",
    "from === undefined ? 0 : await sequenceBefore(from)",
  ]),
  mutant("a statement can lack a decision", STATEMENT, [
    "return isComplete ? transactions : undefined;",
    "return isComplete || transactions.length > 0 ? transactions : undefined;",
  ]),
  mutant(
    "a statement contains the end of its period",
    STATEMENT,
    ["readAsOf(userId, momentBefore(to), ports);\n", "readAsOf(userId, to, ports);\n"],
    ['order: "oldest first", from, to, after }', 'order: "oldest first", from, to: undefined, after }'],
  ),
  mutant("a statement leaves out the start of its period", STATEMENT, [
    "readAsOf(userId, momentBefore(time), ports)",
    "readAsOf(userId, time, ports)",
  ]),
  mutant(
    "the history contains the end of a period",
    STORE,
    ["to = LAST_POSITION }", "to: end }"],
    [
      "const next = after && positionText(",
      "const to = end === undefined ? LAST_POSITION : end + LAST_POSITION;\n  const next = after && positionText(",
    ],
  ),
  mutant("the history leaves out the start of a period", STORE, [
    "if (!next) return { first: from, last: to };",
    "if (!next) return { first: from + LAST_POSITION, last: to };",
  ]),
  mutant(
    "the history ignores the type",
    STORE,
    ["Object.entries({ type, currency, status })", "Object.entries({ currency, status })"],
    [
      "function filtersOf({ type, currency, status }: HistoryQuery)",
      "function filtersOf({ currency, status }: HistoryQuery)",
    ],
  ),
  mutant("a cursor of another query widens the period", STORE, ["last: next < to ? next : to", "last: next"]),

  // The consumer
  mutant("a failure is acknowledged", CONSUME, ["return recordIds;", "return [];"]),
  mutant("one user's failure fails the whole batch", CONSUME, [
    "return [...new Set(failed.flat())];",
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
    "if (users.length > 1 && items <= COMMIT_ITEMS_MAX && (await tryCommitBatch(users, ports))) return [];",
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
    'await sendToDeadLetters({ ...record, body }, reason, "", ports);',
    'throw new Error("malformed");',
  ]),
  mutant("a malformed record is dropped", CONSUME, [
    'await sendToDeadLetters({ ...record, body }, reason, "", ports);',
    "",
  ]),
  mutant("a record in another user's group is decided", BATCH, ["command.userId !== groupId", "false"]),
  mutant("a message of another version is dead-lettered at once", BATCH, [
    "!isDecoded && isOfOtherVersion(body)",
    "false",
  ]),
  mutant("a message is decided before one of another version", BATCH, [
    "unsupported.get(groupId) ?? (!isDecoded",
    "(!isDecoded",
  ]),
  mutant("a failed precondition is dropped", CONSUME, [
    "if (reason) await deadLetter(",
    "if (!reason) await deadLetter(",
  ]),
  mutant(
    "a forged message counts as a duplicate of the true one",
    BATCH,
    ["entries.set(received.contentHash, {", "entries.set(command.id, {"],
    ["entries.get(received.contentHash)", "entries.get(command.id)"],
  ),
  mutant("already decided commands stay in the fold", CONSUME, [
    "!result.alreadyDecided.has(command.id) && !result.notAccepted.has(command.id)",
    "!result.notAccepted.has(command.id)",
  ]),
  mutant("an invalid write dead-letters its neighbours", CONSUME, [
    'if (others.length === 0) await deadLetter(first, "invalid_write", invalid.detail, ports);',
    'if (true) for (const each of invalid.entries) await deadLetter(each, "invalid_write", invalid.detail, ports);',
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
      ...edits(DECIDE, [
        ['if (currencies.some((currency) => availableOf(after, currency) < 0n)) return "insufficient_funds";', ""],
      ]),
      ...edits(STORE, [["...[...requiredAvailableMinor].map", "...[...requiredHeldMinor].map"]]),
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
    "const submitted = answer(",
    'if (!existing) await ports.queue.send({ commands: [commandOf(candidate)], requestId: "" });\n  const submitted = answer(',
  ]),
  mutant("the response does not wait for the store", SUBMIT, [
    "existing ?? (await ports.store.putPending(candidate))",
    "existing ?? void ports.store.putPending(candidate).catch(() => {})",
  ]),
  mutant("a pending transaction is not sent again", SUBMIT, [
    "submitted.accepted && !submitted.transaction.decision",
    "submitted.accepted && !submitted.replayed",
  ]),
  mutant("the key's content is not compared", SUBMIT, [
    "if (!isReplayOf(transaction, withDefaultsOf(transaction, candidate, submission.request)))",
    "if (false)",
  ]),
  mutant("a disabled currency takes new commands", SUBMIT, [
    "return { money, refusal: enabled ? undefined : unknown };",
    "return { money };",
  ]),
  mutant("a failed send is answered as accepted", "lib/aws/queue.ts", [
    "throw toTransientError(error);",
    "if (!(error instanceof Error)) throw toTransientError(error);",
  ]),
  mutant("every command is a group of its own", "lib/aws/queue.ts", [
    "MessageGroupId: userIdOf(message),",
    "MessageGroupId: deduplicationIdOf(message),",
  ]),
  mutant("idempotency keys are compared without case", "lib/ledger/idempotency.ts", [
    "[userId, idempotencyKey] : [userId",
    "[userId, idempotencyKey.toLowerCase()] : [userId",
  ]),
  mutant("a transaction's id is a new one every time", "lib/ledger/idempotency.ts", [
    "sha256(JSON.stringify(parts))",
    "sha256(JSON.stringify([...parts, Math.random()]))",
  ]),
  mutant("a replay may have another amount", "lib/ledger/idempotency.ts", [
    "JSON.stringify([type, currency, amountMinor?.toString(), reference ?? null, pairs, own])",
    "JSON.stringify([type, currency, reference ?? null, pairs, own])",
  ]),
  mutant("an amount is parsed as a float", "lib/domain/money.ts", [
    'BigInt(whole + fraction.padEnd(exponent, "0"))',
    "BigInt(Math.round(Number(decimal) * 10 ** exponent))",
  ]),
  mutant("the fraction is not padded", "lib/domain/money.ts", ['fraction.padEnd(exponent, "0")', "fraction"]),

  ...BATCH_MUTANTS,
  ...MOVEMENT_MUTANTS,
  ...EVENT_MUTANTS,

  // The redrive
  mutant("a redrive resends the message's own body", REDRIVE, [
    "commands.push(stored ? commandOf(stored) : command);",
    "commands.push(command);",
  ]),
  mutant("a redrive removes before it resends", REDRIVE, [
    "await queue.resend(message, body);",
    "await queue.remove(message);\n        await queue.resend(message, body);",
  ]),
  mutant(
    "a redrive is sent under the command's own id",
    "lib/aws/deadLetters.ts",
    ["async resend({ messageId, userId }, body)", "async resend({ messageId, userId, message }, body)"],
    [
      "MessageDeduplicationId: `redrive-",
      "MessageDeduplicationId: message ? deduplicationIdOf({ ...message, commands: commandsIn(message) }) : `redrive-",
    ],
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
  mutant("one route does not authenticate", "functions/balances.ts", [
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
  mutant("a failed read of the currencies is cached", "lib/aws/cache.ts", [
    "if (last?.value === value) last = undefined;",
    "",
  ]),
  mutant("balances come from the history", "lib/ledger/balances.ts", [
    "return { wallet: (await store.readWallet(userId)) ?? emptyWallet, isFinal: true };",
    `const { transactions } = await store.readHistory(userId, { limit: 1, order: "newest first" });
  return { wallet: transactions[0] ? { ...emptyWallet, ...transactions[0].decision } : emptyWallet, isFinal: true };`,
  ]),
  mutant("an operator's command counts as the owner's", "lib/http/movement.ts", [
    "userId,\n    actor,\n    ...(actor",
    'userId,\n    actor: actor === "admin" ? "owner" : actor,\n    ...(actor',
  ]),
  mutant("a replay has no Idempotency-Replayed header", "lib/http/movement.ts", [
    '...(submitted.replayed && { "idempotency-replayed": "true" }),',
    "",
  ]),
  mutant("a rejection that was waited for is answered as posted", "lib/http/movement.ts", [
    "if (view.rejection) throw",
    "if (!view) throw",
  ]),
];
