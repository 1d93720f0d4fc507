import { AMOUNT_PROBLEMS } from "../../domain/money.ts";
import { reversal as movement } from "../../domain/movements/reversal.ts";
import type { MovementSpecification } from "../movement.ts";
import { always, never, refund } from "../permissions.ts";
import { HttpProblem } from "../problem.ts";
import { type ReversalBody, reversalBody } from "../schemas.ts";

export const reversal: MovementSpecification<ReversalBody> = {
  type: "reversal",
  path: "/v1/users/{userId}/transactions/{id}/reversals",
  refersTo: "transaction",
  permissions: { owner: refund, counterparty: never, admin: always },
  body: reversalBody,
  toRequest({ amount }, referred) {
    if (!referred) throw new HttpProblem("not_found");
    return { type: "reversal", referred, amount };
  },
  problems: [...AMOUNT_PROBLEMS, "amount_not_allowed"],
  rejections: movement.rejections,
  operationId: "reverse",
  summary: "Reverse a transaction, or refund a credit",
};
