import * as z from "zod/mini";
import { UnreadableItem } from "../ledger/ports.ts";
import { parsePosition, positionText } from "../ledger/position.ts";
import type { UnreadableChange, WalletChange } from "../ledger/publish.ts";

/** A record of the wallets table's stream, as Lambda delivers it and as the stream's API returns it. */
const streamRecord = z.object({
  eventName: z.enum(["INSERT", "MODIFY", "REMOVE"]),
  dynamodb: z.object({
    SequenceNumber: z.string(),
    Keys: z.object({ userId: z.object({ S: z.string() }) }),
    OldImage: z.optional(z.unknown()),
    NewImage: z.optional(z.unknown()),
  }),
});

/** The position of the last decision, in the image of a wallet. */
const position = z.pipe(
  z.object({ sequence: z.object({ N: z.string() }), decidedAt: z.object({ S: z.string() }) }),
  z.transform(({ sequence, decidedAt }, context) => {
    const position = parsePosition(positionText({ decidedAt: decidedAt.S, sequence: Number(sequence.N) }));
    if (position) return position;
    context.issues.push({ code: "custom", message: "its last decision has no valid position", input: sequence });
    return z.NEVER;
  }),
);

/** The ids of the transactions that the last write decided, in the image of a wallet. */
const decidedIds = z.pipe(
  z.object({ decidedIds: z.object({ L: z.array(z.object({ S: z.string().check(z.minLength(1)) })) }) }),
  z.transform(({ decidedIds }) => decidedIds.L.map(({ S }) => S)),
);

/**
 * The writes of wallets in records of the stream, in their order. Removed wallets are not among them.
 *
 * @throws Error for a record of another stream
 */
export function walletChanges(records: readonly unknown[]): (WalletChange | UnreadableChange)[] {
  return records.flatMap((record) => {
    const { eventName, dynamodb } = streamRecord.parse(record);
    return eventName === "REMOVE" ? [] : [walletChange(dynamodb)];
  });
}

function walletChange({
  SequenceNumber: recordId,
  Keys,
  OldImage,
  NewImage,
}: z.output<typeof streamRecord>["dynamodb"]): WalletChange | UnreadableChange {
  const userId = Keys.userId.S;
  const before = z.safeParse(z.optional(position), OldImage);
  const after = z.safeParse(position, NewImage);
  const ids = z.safeParse(decidedIds, NewImage);
  if (!(before.success && after.success && ids.success)) {
    const [issue] = (before.error ?? after.error ?? ids.error)?.issues ?? [];
    return unreadable([issue?.path.join("."), issue?.message].filter((part) => part).join(": "));
  }
  const change = { recordId, userId, before: before.data, after: after.data, ids: ids.data };
  const decisions = after.data.sequence - (before.data?.sequence ?? 0);
  return decisions === 0 || decisions === ids.data.length
    ? change
    : unreadable(`it names ${ids.data.length} of ${decisions} decisions`);

  function unreadable(problem: string): UnreadableChange {
    return { recordId, userId, unreadable: new UnreadableItem(userId, "wallet", problem) };
  }
}
