import { transfer as movement } from "../../domain/movements/transfer.ts";
import { MONEY_PROBLEMS, type MovementSpecification } from "../movement.ts";
import { always, never, selfService } from "../permissions.ts";
import { type TransferBody, transferBody } from "../schemas.ts";

export const transfer: MovementSpecification<TransferBody> = {
  type: "transfer",
  path: "/v1/users/{userId}/transfers",
  permissions: { owner: selfService("transfers"), counterparty: never, admin: always },
  body: transferBody,
  toRequest: ({ to, currency, amount }) => ({ type: "transfer", to, currency, amount }),
  problems: [...MONEY_PROBLEMS, "same_wallet", "unknown_receiver"],
  rejections: movement.rejections,
  operationId: "transfer",
  summary: "Transfer money to another user",
};
