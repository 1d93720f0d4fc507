import { expect, test } from "vitest";
import { AntlerError } from "../../../packages/client/src/index.ts";
import { failureOf, fieldOf, isFinal, SENTENCES } from "./problem.ts";

test("each sentence starts with a capital letter and ends with a full stop", () => {
  for (const sentence of Object.values(SENTENCES)) expect(sentence).toMatch(/^[A-Z].*\.$/);
});

test("a pointer of the API names the field of the form", () => {
  expect(fieldOf({ pointer: "/to", detail: "" })).toBe("to");
  expect(fieldOf({ pointer: "/sell/amount", detail: "" })).toBe("sell.amount");
  expect(fieldOf({ pointer: "/metadata/orderId", detail: "" })).toBe("metadata");
  expect(fieldOf({ parameter: "userId", detail: "" })).toBe("userId");
});

test.each([
  ["validation_failed", 422, true],
  ["forbidden", 403, true],
  ["invalid_argument", undefined, true],
  ["unauthorized", 401, false],
  ["unauthorized", undefined, false],
  ["too_many_requests", 429, false],
  ["unavailable", 503, false],
  ["connection_failed", undefined, false],
  ["timeout", undefined, false],
  ["unexpected_response", 403, false],
] as const)(
  "after %s with the status %s, it is %s that the ledger does not have the command",
  (code, status, final) => {
    expect(isFinal(new AntlerError(code, "", { status }))).toBe(final);
  },
);

test("what is no error of the client is not final", () => {
  expect(isFinal(new TypeError("bug"))).toBe(false);
  expect(failureOf(new TypeError("bug")).code).toBe("unexpected_response");
});
