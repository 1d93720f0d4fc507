import type { MovementSpecification } from "../movement.ts";
import { type MovementBody, movementBody } from "../schemas.ts";

export const deposit: MovementSpecification<MovementBody> = {
  path: "/v1/users/{userId}/deposits",
  callers: ["owner", "admin"],
  body: movementBody,
  toSubmission: ({ currency, amount, reference, metadata }) => ({
    type: "deposit",
    currency,
    amount,
    reference,
    metadata,
  }),
  rejections: ["balance_limit"],
  operationId: "deposit",
  summary: "Deposit money",
};
