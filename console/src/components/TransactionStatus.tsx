import type { PromisedTransaction, Transaction } from "../../../packages/client/src/index.ts";
import { STATUS_NAMES, TRANSFER_NAMES } from "../logic/describe.ts";
import { Badge } from "./Badge.tsx";

/** Whether a transaction is decided, and where its money is. */
export function TransactionStatus({ transaction }: { readonly transaction: Transaction | PromisedTransaction }) {
  const { status } = transaction;
  const transfer = "transfer" in transaction ? transaction.transfer?.status : undefined;
  if (status === "posted" && transfer) {
    return <Badge tone={TRANSFER_TONES[transfer]}>{TRANSFER_NAMES[transfer]}</Badge>;
  }
  return <Badge tone={TONES[status]}>{STATUS_NAMES[status]}</Badge>;
}

const TONES = { pending: "open", posted: "good", rejected: "bad" } as const;
const TRANSFER_TONES = { in_transit: "open", credited: "good", returned: "bad" } as const;
