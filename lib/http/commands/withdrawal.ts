import { withdrawal as movement } from "../../domain/movements/withdrawal.ts";
import { MONEY_PROBLEMS, type MovementSpecification } from "../movement.ts";
import { always, never, selfService } from "../permissions.ts";
import { type MovementBody, movementBody } from "../schemas.ts";

export const withdrawal: MovementSpecification<MovementBody> = {
  type: "withdrawal",
  path: "/v1/users/{userId}/withdrawals",
  permissions: { owner: selfService("withdrawals"), counterparty: never, admin: always },
  body: movementBody,
  toRequest: ({ currency, amount }) => ({ type: "withdrawal", currency, amount }),
  problems: MONEY_PROBLEMS,
  rejections: movement.rejections,
  operationId: "withdraw",
  summary: "Withdraw money",
};
