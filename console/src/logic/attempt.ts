import type { PromisedTransaction, Transaction } from "../../../packages/client/src/index.ts";
import type { Draft } from "./draft.ts";
import type { Failure } from "./problem.ts";

/** A command that was sent from this window, and what is known of it. */
export type Attempt = {
  readonly draft: Draft;
  readonly idempotencyKey: string;
} & (
  | {
      /** A request is running, or was when the page was left. */
      readonly state: "sending";
    }
  | {
      /** The ledger has the command. With a failure its outcome could not be read. */
      readonly state: "accepted";
      readonly transactionId: string;
      readonly failure?: Failure | undefined;
    }
  | {
      /** No clear answer arrived, so the ledger may have the command. */
      readonly state: "unknown";
      readonly failure?: Failure | undefined;
    }
  | {
      /** The ledger does not have the command. */
      readonly state: "refused";
      readonly failure: Failure;
    }
  | {
      readonly state: "settled";
      readonly transaction: Transaction | PromisedTransaction;
    }
);
