import { deposit as movement } from "../../domain/movements/deposit.ts";
import { MONEY_PROBLEMS, type MovementSpecification } from "../movement.ts";
import { always, never, selfService } from "../permissions.ts";
import { type MovementBody, movementBody } from "../schemas.ts";

export const deposit: MovementSpecification<MovementBody> = {
  type: "deposit",
  path: "/v1/users/{userId}/deposits",
  permissions: { owner: selfService("deposits"), counterparty: never, admin: always },
  body: movementBody,
  toRequest: ({ currency, amount }) => ({ type: "deposit", currency, amount }),
  problems: MONEY_PROBLEMS,
  rejections: movement.rejections,
  operationId: "deposit",
  summary: "Deposit money",
};
