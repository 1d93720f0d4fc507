import { hold as movement } from "../../domain/movements/hold.ts";
import { MONEY_PROBLEMS, type MovementSpecification } from "../movement.ts";
import { always, never, selfService } from "../permissions.ts";
import { type HoldBody, holdBody } from "../schemas.ts";

export const hold: MovementSpecification<HoldBody> = {
  type: "hold",
  path: "/v1/users/{userId}/holds",
  permissions: { owner: selfService("holds"), counterparty: never, admin: always },
  body: holdBody,
  toRequest: ({ to, expiresAt, currency, amount }) => ({ type: "hold", to, expiresAt, currency, amount }),
  problems: [...MONEY_PROBLEMS, "same_wallet", "unknown_receiver", "expires_at_invalid"],
  rejections: movement.rejections,
  operationId: "hold",
  summary: "Hold money for captures",
};
