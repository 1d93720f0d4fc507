import type { HistoryErrorCode } from "../../../packages/client/src/index.ts";
import type { Verification } from "../logic/verification.ts";
import { CopyText } from "./CopyText.tsx";

/** What each kind of error means. A new code does not compile without its words. */
const MEANINGS: Readonly<Record<HistoryErrorCode, string>> = {
  UNREADABLE: "It is no decided transaction of the API.",
  GAP: "A decision is missing or is there twice.",
  PREVIOUS_MISMATCH: "It does not continue the chain of the one before it.",
  HASH_MISMATCH: "Its content is not that of its hash, so it was changed.",
  WRONG_DECISION: "The ledger can't have decided so.",
  WRONG_BALANCE: "Its balances do not follow from those before it.",
};

/** The result of a verification in words. */
export function VerificationResult({ verification }: { readonly verification: Verification }) {
  switch (verification.outcome) {
    case "valid":
      return <Valid verification={verification} />;
    case "invalid":
      return (
        <div class="problem">
          <p>
            <strong>The history is not valid from decision {verification.sequence} on.</strong>{" "}
            {MEANINGS[verification.code]}
          </p>
          <p class="small">{verification.detail}</p>
          <p>Report this to the operator of the ledger, and do not rely on later balances.</p>
        </div>
      );
    case "wrong_head":
      return (
        <p class="problem">
          <strong>The history does not end where the wallet does.</strong> The wallet has {verification.expected}{" "}
          decisions, and the history {verification.decisions}, or another last one. Verify again; if this remains,
          report it to the operator.
        </p>
      );
    case "kept_hash_missing":
      return (
        <p class="problem">
          <strong>No decision has the hash that you kept.</strong> Check that it is of this wallet. If it is, the
          history was rewritten: report this to the operator of the ledger.
        </p>
      );
  }
}

function Valid({ verification }: { readonly verification: Extract<Verification, { outcome: "valid" }> }) {
  const { decisions, head, keptSequence } = verification;
  if (head === null) return <p class="success">The history is empty, so there is nothing to verify yet.</p>;
  return (
    <>
      <div class="success">
        <p>
          <strong>{decisions === 1 ? "The only decision is" : `All ${decisions} decisions are`} valid.</strong> Every
          hash and every balance follows from what is before it, and the last one is the wallet's.
        </p>
        {keptSequence !== undefined && <p>The hash that you kept is that of decision {keptSequence}.</p>}
      </div>
      <div class="card stack">
        <p>Keep this hash to find out later whether the history was rewritten:</p>
        <CopyText text={head} label="hash of the last decision" />
      </div>
    </>
  );
}
