import { deposit as movement } from "../../domain/movements/deposit.ts";
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
  rejections: movement.rejections,
  operationId: "deposit",
  summary: "Deposit money",
};
