import { statusChange as movement } from "../../domain/movements/statusChange.ts";
import type { MovementSpecification } from "../movement.ts";
import { always, never } from "../permissions.ts";
import { type StatusChangeBody, statusChangeBody } from "../schemas.ts";

export const statusChange: MovementSpecification<StatusChangeBody> = {
  type: "status_change",
  path: "/v1/users/{userId}/status-changes",
  permissions: { owner: never, counterparty: never, admin: always },
  body: statusChangeBody,
  toRequest: ({ status }) => ({ type: "status_change", newStatus: status }),
  problems: [],
  rejections: movement.rejections,
  operationId: "changeStatus",
  summary: "Freeze, close or reopen a wallet",
};
