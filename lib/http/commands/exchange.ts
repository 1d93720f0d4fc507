import { exchange as movement } from "../../domain/movements/exchange.ts";
import { MONEY_PROBLEMS, type MovementSpecification } from "../movement.ts";
import { always, never } from "../permissions.ts";
import { type ExchangeBody, exchangeBody } from "../schemas.ts";

export const exchange: MovementSpecification<ExchangeBody> = {
  type: "exchange",
  path: "/v1/users/{userId}/exchanges",
  permissions: { owner: never, counterparty: never, admin: always },
  body: exchangeBody,
  toRequest: ({ sell, buy }) => ({ type: "exchange", sell, buy }),
  problems: [...MONEY_PROBLEMS, "same_currency"],
  rejections: movement.rejections,
  operationId: "exchange",
  summary: "Exchange an amount of one currency for an amount of another",
};
