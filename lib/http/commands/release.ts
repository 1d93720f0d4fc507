import { release as movement } from "../../domain/movements/release.ts";
import type { MovementSpecification } from "../movement.ts";
import { always, holdOfOwner, promisedHold } from "../permissions.ts";
import { HttpProblem } from "../problem.ts";
import { type Details, detailsBody } from "../schemas.ts";

export const release: MovementSpecification<Details> = {
  type: "release",
  path: "/v1/users/{userId}/holds/{id}/releases",
  refersTo: "hold",
  permissions: { owner: holdOfOwner, counterparty: promisedHold, admin: always },
  body: detailsBody,
  toRequest(_, referred) {
    if (referred?.type !== "hold") throw new HttpProblem("not_found");
    return { type: "release", referred };
  },
  problems: [],
  rejections: movement.rejections,
  operationId: "release",
  summary: "Release what remains of a hold",
};
