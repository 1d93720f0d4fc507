import { AMOUNT_PROBLEMS } from "../../domain/money.ts";
import { capture as movement } from "../../domain/movements/capture.ts";
import type { MovementSpecification } from "../movement.ts";
import { always, holdOfOwner, promisedHold } from "../permissions.ts";
import { HttpProblem } from "../problem.ts";
import { type CaptureBody, captureBody } from "../schemas.ts";

export const capture: MovementSpecification<CaptureBody> = {
  type: "capture",
  path: "/v1/users/{userId}/holds/{id}/captures",
  refersTo: "hold",
  permissions: { owner: holdOfOwner, counterparty: promisedHold, admin: always },
  body: captureBody,
  toRequest({ amount, final }, referred) {
    if (referred?.type !== "hold") throw new HttpProblem("not_found");
    return { type: "capture", referred, amount, final };
  },
  problems: AMOUNT_PROBLEMS,
  rejections: movement.rejections,
  operationId: "capture",
  summary: "Capture money of a hold",
};
