import type { Credit, Deposit, Hold, PromisedTransaction } from "../../../packages/client/src/index.ts";

/** Transactions for the tests. */

const BASE = {
  id: "tx_1",
  userId: "alice",
  status: "posted",
  sequence: 1,
  actor: "owner",
  createdAt: "2026-11-30T10:00:00.000Z",
  decidedAt: "2026-11-30T10:00:01.000Z",
  postings: [],
  rejection: null,
  reference: null,
  metadata: {},
  detailsHash: "d",
  previousHash: null,
  hash: "h",
  currency: "USD",
  amount: "5.00",
} as const;

export function deposit(reversed: string | null): Deposit {
  return { ...BASE, type: "deposit", reversed };
}

export function credit(reversed: string | null): Credit {
  const source = { type: "transfer", userId: "bob", transactionId: "tx_2", refersTo: null } as const;
  return { ...BASE, type: "credit", source, refersTo: null, reversed };
}

export function hold(state: Partial<Hold["hold"]>): Hold {
  const open = { to: null, expiresAt: "2026-12-07T10:00:00.000Z", remaining: "5.00", status: "open" } as const;
  return { ...BASE, type: "hold", hold: { ...open, ...state } };
}

/** A hold as the user sees it to whom it is promised. */
export function promisedHold(status: "open" | "captured"): PromisedTransaction {
  const { expiresAt, remaining } = hold({}).hold;
  const { id, createdAt, decidedAt, currency, amount } = BASE;
  return {
    id,
    type: "hold",
    status: "posted",
    createdAt,
    decidedAt,
    currency,
    amount,
    rejection: null,
    transfer: null,
    hold: { expiresAt, remaining, status },
  };
}
