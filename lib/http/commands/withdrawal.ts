import { withdrawal as movement } from "../../domain/movements/withdrawal.ts";
import type { MovementSpecification } from "../movement.ts";
import { type MovementBody, movementBody } from "../schemas.ts";

export const withdrawal: MovementSpecification<MovementBody> = {
  path: "/v1/users/{userId}/withdrawals",
  callers: ["owner", "admin"],
  body: movementBody,
  toSubmission: ({ currency, amount, reference, metadata }) => ({
    type: "withdrawal",
    currency,
    amount,
    reference,
    metadata,
  }),
  rejections: movement.rejections,
  operationId: "withdraw",
  summary: "Withdraw money",
};
