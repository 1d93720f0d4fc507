import { edits, type Mutant, mutant } from "./mutant.ts";

const STORE = "lib/aws/store.ts";
const ITEMS = "lib/aws/items.ts";
const DUE = "lib/aws/dueIndex.ts";
const COMMIT = "lib/ledger/commitBatch.ts";
const SUBMIT = "lib/ledger/submit.ts";
const SWEEP = "lib/ledger/sweep.ts";
const STATUS = "lib/ledger/transferStatus.ts";
const DECIDE = "lib/domain/decide.ts";
const EMITTED = "lib/domain/emitted.ts";
const HASH = "lib/domain/hash.ts";
const PERMISSIONS = "lib/http/permissions.ts";
const MOVEMENTS = "lib/domain/movements";
const TRANSFER = `${MOVEMENTS}/transfer.ts`;
const CREDIT = `${MOVEMENTS}/credit.ts`;
const HOLD = `${MOVEMENTS}/hold.ts`;
const CAPTURE = `${MOVEMENTS}/capture.ts`;
const RELEASE = `${MOVEMENTS}/release.ts`;
const EXPIRY = `${MOVEMENTS}/expiry.ts`;
const EXCHANGE = `${MOVEMENTS}/exchange.ts`;
const REVERSAL = `${MOVEMENTS}/reversal.ts`;

/** Mutants of transfers, holds, exchanges, reversals and status changes. */
export const MOVEMENT_MUTANTS: readonly Mutant[] = [
  // Transfers, credits and returns
  mutant("a transfer debits nothing", TRANSFER, ["-amountMinor)]", "0n)]"]),
  mutant("a transfer emits no credit", TRANSFER, ["isPosted ? { userId: to", "isPosted && !userId ? { userId: to"]),
  mutant("a rejected transfer emits a credit too", TRANSFER, ["isPosted ? { userId: to", "userId ? { userId: to"]),
  mutant("a credit adds nothing", CREDIT, [
    "balanceChange(currency, exponent, amountMinor)",
    "balanceChange(currency, exponent, 0n)",
  ]),
  mutant("a rejected credit is not returned", CREDIT, [
    "isPosted\n      ? undefined",
    "isPosted || !isPosted\n      ? undefined",
  ]),
  mutant("a posted credit is returned too", CREDIT, ["isPosted\n      ? undefined", "!isPosted\n      ? undefined"]),
  mutant("a return goes to the receiver", CREDIT, ["{ userId: source.userId, source", "{ userId, source"]),
  mutant("a closed wallet rejects returns", CREDIT, ["isForClosedWallet: isReturn,", ""]),
  mutant("a closed wallet accepts every credit", CREDIT, [
    "isForClosedWallet: isReturn,",
    "isForClosedWallet: () => true,",
  ]),
  mutant("a return is rejected at the limit of a balance", DECIDE, [
    'if (command.type === "credit" && isReturn(command)) return undefined;',
    "",
  ]),
  mutant("no credit is rejected at the limit of a balance", DECIDE, [
    'command.type === "credit" && isReturn(command)',
    'command.type === "credit"',
  ]),
  mutant(
    "the credit is put in a write of its own",
    COMMIT,
    [
      "const result = await store.commit(commits);",
      "const result = await store.commit(commits.map((each) => ({ ...each, decided: each.decided.map((one) => ({ ...one, emitted: undefined })) })));\n    for (const { emitted } of commits.flatMap(({ decided }) => decided)) if (emitted) await store.putPending(pendingTransaction(emitted));",
    ],
    ["import { isDecided,", "import { isDecided, pendingTransaction,"],
  ),
  mutant("the credit is not put", STORE, ["(emitted ? [emittedWrite(emitted)] : [])", "(emitted && [])"]),
  mutant("an emitted credit is not sent, and not in the index of what is due", STORE, [
    "Item: { ...toPendingItem(pendingTransaction(credit)), ...dueAttributes(credit.id, dueAfter(credit.createdAt)) },",
    "Item: toPendingItem(pendingTransaction(credit)),",
  ]),
  mutant("a failed send of a credit fails the sender's record", COMMIT, [
    "for (const [{ commands }, error] of unsent) observer.unsent(commands, error);",
    "for (const error of unsent.values()) throw new Error(String(error));",
  ]),
  mutant("a credit is sent before it is stored", COMMIT, [
    "const result = await store.commit(commits);",
    "await sendEmitted(commits, ports);\n    const result = await store.commit(commits);",
  ]),
  mutant("a credit has the id of its transfer", EMITTED, [
    'derivedId(isReturn ? "return" : "credit", source.userId, source.transactionId)',
    "source.transactionId",
  ]),
  mutant("a credit and its return derive their ids alike", EMITTED, ['isReturn ? "return" : "credit"', '"credit"']),
  mutant("derived ids can be those of a counterparty's key", "lib/domain/id.ts", [
    'JSON.stringify(["", type, userId, transactionId])',
    "JSON.stringify([type, userId, transactionId])",
  ]),
  mutant("a credit was created when its transfer was", EMITTED, [
    "createdAt: decidedAt,",
    "createdAt: command.createdAt,",
  ]),
  mutant("a credit counts as asked by its sender", EMITTED, ['actor: "ledger",', "actor: command.actor,"]),
  mutant("a credit of the requested amount, not of the moved one", EMITTED, [
    "postings[0] ? -postings[0].amountMinor : command.amountMinor",
    "command.amountMinor ?? 1n",
  ]),
  mutant("a decided credit stays in the index of what is due", STORE, [
    'command.type === "credit" || command.type === "expiry" ? DUE_ATTRIBUTES : []',
    "[]",
  ]),
  mutant("a transfer to a wallet that does not exist is accepted", SUBMIT, [
    'return wallet && wallet.status !== "closed" ? undefined',
    "return wallet !== null ? undefined",
  ]),
  mutant("a transfer to a closed wallet is accepted", SUBMIT, [
    'return wallet && wallet.status !== "closed" ? undefined',
    "return wallet ? undefined",
  ]),
  mutant("a replay is refused after the receiver was closed", SUBMIT, [
    "return existing ? { candidate, existing } : { refusal };",
    "return { refusal };",
  ]),
  mutant("a replay may have another receiver", "lib/ledger/idempotency.ts", [
    "reference ?? null, pairs, own])",
    "reference ?? null, pairs])",
  ]),
  mutant("a rejected credit is shown as credited", STATUS, [
    'if (statusOf(credit) === "posted") return [id, "credited"];',
    'if (statusOf(credit) !== "pending") return [id, "credited"];',
  ]),
  mutant("a return in transit is shown as returned", STATUS, [
    'back && statusOf(back) === "posted" ? "returned"',
    'back ? "returned"',
  ]),
  mutant("a wait ends when the transfer is posted", SUBMIT, [
    'transferStatus !== undefined && transferStatus !== "in_transit"',
    "transferStatus !== undefined",
  ]),
  mutant("the content hash leaves out the type's own fields", HASH, ["detailsHash],\n      ...own,", "detailsHash],"]),
  mutant("the hash leaves out the type's own fields", HASH, [
    "...movementOf(command).ownFields(command),\n    ...(emits",
    "...(emits",
  ]),
  mutant("the hash leaves out the emitted credit", HASH, ["...(emits !== undefined && { emits }),", ""]),
  mutant("the hash leaves out the wallet's status", HASH, ["walletStatus,\n    balances:", "balances:"]),

  // The sweep
  mutant("the sweep skips a shard", DUE, ["let shard = 0;", "let shard = 1;"]),
  mutant("the sweep postpones what it does not send", SWEEP, [
    "if (pending.decision === undefined) await queue.send(",
    "if (pending.decision === undefined && isCredit === isOpenHold) await queue.send(",
  ]),
  mutant("a hold expires at its time and not a minute later", STORE, ["dueAfter(expiresAt)", "expiresAt"]),
  mutant("an expiry has a new id at every sweep", SWEEP, [
    'derivedId("expiry", userId, id)',
    'derivedId("expiry", userId, id + nowMs)',
  ]),
  mutant("the sweep stores an expiry again", SWEEP, [
    "return (await store.putPending(expiry, dueAfter(expiry.createdAt))) ?? expiry;",
    "await store.putPending(expiry, dueAfter(expiry.createdAt));\n    return expiry;",
  ]),
  mutant("an expiry is not due by itself", SWEEP, [
    "store.putPending(expiry, dueAfter(expiry.createdAt))",
    "store.putPending(expiry)",
  ]),
  mutant("a postponed credit comes back to the index after its decision", DUE, [
    'ConditionExpression: "attribute_exists(dueAt)",',
    "",
  ]),

  // Holds
  mutant("held money is available", HOLD, [
    "amountMinor: 0n, heldMinor: amountMinor",
    "amountMinor, heldMinor: amountMinor",
  ]),
  mutant("a hold does not check the balance", DECIDE, [
    "if (currencies.some((currency) => availableOf(after, currency) < 0n))",
    'if (command.type !== "hold" && currencies.some((currency) => availableOf(after, currency) < 0n))',
  ]),
  mutant("a capture takes its amount from the available money", CAPTURE, [
    "heldMinor: -(final ? remainingMinor : takenMinor)",
    "heldMinor: 0n",
  ]),
  mutant("a final capture leaves the rest held", CAPTURE, ["final ? remainingMinor : takenMinor", "takenMinor"]),
  mutant("every capture is final", CAPTURE, ["final ? remainingMinor : takenMinor", "remainingMinor"]),
  mutant("a capture without an amount takes nothing", CAPTURE, ["amountMinor ?? remainingMinor", "amountMinor ?? 0n"]),
  mutant("a capture may exceed its hold", CAPTURE, [
    "amountMinor !== undefined && amountMinor > hold.remainder.remainingMinor",
    "amountMinor !== undefined && amountMinor > hold.amountMinor",
  ]),
  mutant("a closed hold can be captured", CAPTURE, [
    'if (hold?.type !== "hold" || hold.remainder?.holdStatus !== "open") return "hold_closed";',
    'if (hold?.type !== "hold" || !hold.remainder) return "hold_closed";',
  ]),
  mutant("a hold can be captured at its expiry", CAPTURE, [
    "createdAt >= hold.expiresAt",
    "createdAt > hold.expiresAt",
  ]),
  mutant("a hold can be captured after its expiry", CAPTURE, [
    'if (createdAt >= hold.expiresAt) return "hold_expired";',
    "",
  ]),
  mutant("a hold that is captured whole stays open", CAPTURE, [
    'remainingMinor === 0n ? "captured" : "open"',
    '"open"',
  ]),
  mutant("a partial capture closes its hold", CAPTURE, ['remainingMinor === 0n ? "captured" : "open"', '"captured"']),
  mutant("a capture does not lower what remains of the hold", CAPTURE, [
    "before.remainingMinor + (change?.heldMinor ?? 0n)",
    "before.remainingMinor",
  ]),
  mutant("a promised capture leaves the ledger", CAPTURE, ["isPosted && to !== undefined", "isPosted && to === null"]),
  mutant("a closed hold is released again", RELEASE, [
    'return hold?.remainder?.holdStatus === "open" ? undefined : "hold_closed";',
    'return hold?.remainder ? undefined : "hold_closed";',
  ]),
  mutant("a release frees the whole hold", RELEASE, ["-remainingOf(hold)", "-(hold?.amountMinor ?? 0n)"]),
  mutant("an expired hold stays open", EXPIRY, ['holdStatus: "expired"', 'holdStatus: "open"']),
  mutant("a released hold counts as captured", RELEASE, ['holdStatus: "released"', 'holdStatus: "captured"']),
  mutant("what remains of a hold is not written", STORE, ["...commit.referred.map(referredWrite),", ""]),
  mutant("a hold that is captured in its own batch is written as open", COMMIT, [
    "own ? own.remainder : initialRemainder(command, decision)",
    "initialRemainder(command, decision)",
  ]),
  mutant("a closed hold stays among the open ones", STORE, ["...(isClosed ? OPEN_HOLD_ATTRIBUTES : []),", ""]),
  mutant("captures of one batch are decided on the hold at its start", DECIDE, [
    "state = evolve(state, command, decision);",
    "state = { ...evolve(state, command, decision), referred: start.referred };",
  ]),
  mutant(
    "changes that depend on a hold are not stored",
    ITEMS,
    ["...(hasStoredChanges(command, outcome) && { changes: { L: postings.map(changeAttribute) } }),", ""],
    ["const changes = hasStoredChanges(command, outcome) ? item.changes : movementOf", "const changes = movementOf"],
  ),
  mutant("a hold may expire before it is accepted", SUBMIT, [
    "return expiresAt > createdAt && expiresAt <= last ? undefined",
    "return expiresAt <= last ? undefined",
  ]),

  // Reversals
  mutant("a reversal goes in the direction of its original", REVERSAL, [
    "minor > 0n ? -reversedMinor : reversedMinor",
    "minor < 0n ? -reversedMinor : reversedMinor",
  ]),
  mutant("reversals may exceed their original together", REVERSAL, [
    "if (remainingMinor === 0n || (amountMinor ?? 0n) > remainingMinor)",
    "if ((amountMinor ?? 0n) > (original.amountMinor ?? 0n))",
  ]),
  mutant("a reversal does not lower what remains of its original", REVERSAL, [
    "reversible(remainingMinor - (amountMinor ?? remainingMinor))",
    "reversible(remainingMinor)",
  ]),
  mutant("a reversal without an amount takes the whole original", REVERSAL, [
    "const reversedMinor = amountMinor ?? remainingOf(original);",
    "const reversedMinor = amountMinor ?? original?.amountMinor ?? 0n;",
  ]),
  mutant("a hold can be reversed", REVERSAL, [
    '!original?.remainder || original.type === "hold"',
    "!original?.remainder",
  ]),
  mutant("a pending original counts as reversed", REVERSAL, [
    'return "not_reversible";',
    'return "reversal_exceeds_original";',
  ]),
  mutant("a refund stays in the ledger's hands", REVERSAL, ["isPosted && to !== undefined", "isPosted && to === null"]),
  mutant("a refund's return does not restore the original", EMITTED, [
    'isReturn && command.type === "credit" ? refundedBy(command) : undefined',
    "undefined",
  ]),
  mutant("every return restores an original", EMITTED, [
    'return source.type === "reversal" ? source.refersTo : undefined;',
    "return source.refersTo ?? source.transactionId;",
  ]),
  mutant("a returned refund restores too much", CREDIT, [
    "reversible(remainingMinor + amountMinor)",
    "reversible(remainingMinor + 2n * amountMinor)",
  ]),
  mutant("a reversal of an exchange reverses what was sold alone", REVERSAL, [
    "return postings.map(",
    "return postings.slice(0, 1).map(",
  ]),
  mutant("an exchange credits what it sells", EXCHANGE, [
    "balanceChange(bought.currency, bought.exponent, bought.amountMinor),",
    "balanceChange(bought.currency, bought.exponent, amountMinor),",
  ]),
  mutant("an exchange debits nothing", EXCHANGE, ["balanceChange(currency, exponent, -amountMinor),", ""]),

  // Frozen and closed wallets
  mutant("a frozen wallet is as an active one", DECIDE, ['status === "frozen" &&', 'status === "closed" &&']),
  mutant("a frozen wallet stops operators too", DECIDE, ['command.actor !== "admin" && takesMoney', "takesMoney"]),
  mutant("a frozen wallet can make holds", HOLD, ["takesMoney: () => true,", "takesMoney: () => false,"]),
  mutant("a frozen wallet can be captured from", CAPTURE, ["takesMoney: () => true,", "takesMoney: () => false,"]),
  mutant("a frozen wallet takes no deposits", `${MOVEMENTS}/deposit.ts`, [
    "takesMoney: () => false,",
    "takesMoney: () => true,",
  ]),
  mutant("a closed wallet takes deposits", DECIDE, [
    'if (status === "closed" && !isForClosedWallet?.(command)) return "wallet_closed";',
    "",
  ]),
  mutant("a wallet with money can be closed", `${MOVEMENTS}/statusChange.ts`, [
    'newStatus === "closed" && currenciesOf(wallet).length > 0 ? "wallet_not_empty" : undefined',
    "undefined",
  ]),
  mutant("a wallet with holds can be closed", `${MOVEMENTS}/statusChange.ts`, [
    "currenciesOf(wallet).length > 0",
    "wallet.available.size > 0",
  ]),
  mutant("a wallet's status is lost with its next decision", DECIDE, ["?? wallet.status,", '?? "active",']),
  mutant("a wallet's status is not written", ITEMS, ["return {\n    status: text(status),", "return {"]),
  mutant("a past wallet is always active", DECIDE, [
    "return { status: walletStatus, sequence",
    'return { status: "active", sequence',
  ]),
  mutant("a closed wallet is refused before a frozen hold", CAPTURE, [
    'if (createdAt >= hold.expiresAt) return "hold_expired";',
    'if (createdAt >= hold.expiresAt) return "hold_closed";',
  ]),

  // Who may do what
  mutant("anyone may capture a hold", PERMISSIONS, [
    'hold?.type === "hold" && hold.to === callerId',
    'hold?.type === "hold" && callerId !== ""',
  ]),
  mutant("a user may capture its own promised hold", PERMISSIONS, [
    'hold?.type === "hold" && hold.to === undefined',
    'hold?.type === "hold"',
  ]),
  mutant("a user may exchange at any rate", "lib/http/commands/exchange.ts", ["owner: never", "owner: always"]),
  mutant("a user may reopen its own wallet", "lib/http/commands/statusChange.ts", ["owner: never", "owner: always"]),
  mutant("a user may reverse its own deposit", PERMISSIONS, [
    "original !== undefined && refundedUser(original) !== undefined",
    "original !== undefined",
  ]),
  mutant("a counterparty's keys are the owner's", "lib/ledger/idempotency.ts", [
    "counterpartyId === undefined ? [userId, idempotencyKey] : [userId, counterpartyId, idempotencyKey]",
    "[userId, idempotencyKey]",
  ]),
  mutant("a counterparty sees the owner's transaction whole", "lib/http/movement.ts", [
    '(actor === "counterparty" ? promisedView : transactionView)',
    "(actor ? transactionView : promisedView)",
  ]),
  mutant("a counterparty reads a hold whole", "functions/transaction.ts", [
    "isOwner || isAdmin ? transactionView : promisedView",
    "transactionView",
  ]),
  mutant("a stranger reads a promised hold", "functions/transaction.ts", [
    "if (!isOwner && !isAdmin && !(await isPromised(transaction, callerId)))",
    "if (!isOwner && !isAdmin && !transaction)",
  ]),
  {
    name: "a transfer may exceed the balance, and the store does not check either",
    edits: [
      ...edits(DECIDE, [
        [
          "if (currencies.some((currency) => availableOf(after, currency) < 0n))",
          'if (command.type !== "transfer" && currencies.some((currency) => availableOf(after, currency) < 0n))',
        ],
      ]),
      ...edits(STORE, [["...[...requiredAvailableMinor].map", "...[...requiredHeldMinor].map"]]),
    ],
  },
  mutant("the history ignores what an exchange bought", STORE, ['name === "currency" ?', 'name === "nothing" ?']),
  mutant("open holds repeat between two pages", STORE, [
    "userId = :userId AND openHold < :before",
    "userId = :userId AND openHold <= :before",
  ]),
];
