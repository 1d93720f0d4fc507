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
const walletPosition = z.pipe(
  z.object({ sequence: z.object({ N: z.string() }), decidedAt: z.object({ S: z.string() }) }),
  z.transform(({ sequence, decidedAt }, context) => {
    const position = parsePosition(positionText({ decidedAt: decidedAt.S, sequence: Number(sequence.N) }));
    if (position) return position;
    context.issues.push({ code: "custom", message: "its last decision has no valid position", input: sequence });
    return z.NEVER;
  }),
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
  const before = z.safeParse(z.optional(walletPosition), OldImage);
  const after = z.safeParse(walletPosition, NewImage);
  if (before.success && after.success) return { recordId, userId, before: before.data, after: after.data };
  const [issue] = (before.error ?? after.error)?.issues ?? [];
  const problem = [issue?.path.join("."), issue?.message].filter((part) => part).join(": ");
  return { recordId, userId, unreadable: new UnreadableItem(userId, "wallet", problem) };
}
