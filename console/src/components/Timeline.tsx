import type { ComponentChildren } from "preact";
import type { Transaction } from "../../../packages/client/src/index.ts";
import { isZero } from "../logic/amount.ts";
import { ACTOR_NAMES, HOLD_NAMES } from "../logic/describe.ts";
import { SENTENCES } from "../logic/problem.ts";
import { Amount } from "./Amount.tsx";
import { Time } from "./Time.tsx";

/** What happened to a transaction so far, and what is next. */
export function Timeline({ transaction }: { readonly transaction: Transaction }) {
  const { createdAt, decidedAt, actor, status, rejection, sequence } = transaction;
  return (
    <ol class="timeline">
      <Step title="Accepted" at={createdAt}>
        Requested by {ACTOR_NAMES[actor]}.
      </Step>
      {decidedAt === null ? (
        <Step title="Not decided yet">The ledger decides it in a moment. This page is updated then.</Step>
      ) : (
        <Step title={status === "posted" ? "Posted" : "Rejected"} at={decidedAt}>
          {rejection ? SENTENCES[rejection.code] : `Decision ${sequence} of the wallet.`}
        </Step>
      )}
      <TransferStep transaction={transaction} />
      <HoldStep transaction={transaction} />
      <ReversedStep transaction={transaction} />
    </ol>
  );
}

interface StepProps {
  readonly title: string;
  /** ISO 8601; absent for what is still so. */
  readonly at?: string;
  readonly children: ComponentChildren;
}

function Step({ title, at, children }: StepProps) {
  return (
    <li>
      <strong>{title}</strong>
      {at !== undefined && (
        <>
          {" "}
          <Time at={at} />
        </>
      )}
      <p>{children}</p>
    </li>
  );
}

function TransferStep({ transaction }: { readonly transaction: Transaction }) {
  if (!("transfer" in transaction) || !transaction.transfer?.status) return null;
  const { to, status } = transaction.transfer;
  switch (status) {
    case "in_transit":
      return <Step title="In transit">The money has left this wallet, and {to} does not have it yet.</Step>;
    case "credited":
      return <Step title="Credited">{to} has the money.</Step>;
    case "returned":
      return <Step title="Returned">The wallet of {to} did not accept the money, so it was returned.</Step>;
  }
}

function HoldStep({ transaction }: { readonly transaction: Transaction }) {
  if (transaction.type !== "hold" || !transaction.hold.status) return null;
  const { status, remaining, expiresAt } = transaction.hold;
  return (
    <Step title={HOLD_NAMES[status]}>
      {status === "open" && remaining !== null ? (
        <>
          <Amount amount={remaining} currency={transaction.currency} /> is held until <Time at={expiresAt} />.
        </>
      ) : (
        "Nothing of it is held any more."
      )}
    </Step>
  );
}

function ReversedStep({ transaction }: { readonly transaction: Transaction }) {
  if (!("reversed" in transaction) || transaction.reversed === null || isZero(transaction.reversed)) return null;
  const { reversed, amount, currency } = transaction;
  return (
    <Step title={reversed === amount ? "Reversed" : "Reversed in part"}>
      <Amount amount={reversed} currency={currency} /> was reversed.
    </Step>
  );
}
