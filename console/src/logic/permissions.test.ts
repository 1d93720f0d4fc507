import { expect, test } from "vitest";
import { credit, deposit, hold, promisedHold } from "./fixtures.ts";
import { canCapture, canReverse } from "./permissions.ts";

test("an open hold is captured by its holder, or by the user to whom it is promised; an operator captures any", () => {
  expect(canCapture(hold({}), false)).toBe(true);
  expect(canCapture(hold({ to: "shop" }), false)).toBe(false);
  expect(canCapture(hold({ to: "shop" }), true)).toBe(true);
  expect(canCapture(promisedHold("open"), false)).toBe(true);
});

test("a hold that is not open is captured by no one", () => {
  expect(canCapture(hold({ status: "released" }), true)).toBe(false);
  expect(canCapture(hold({ status: null, remaining: null }), true)).toBe(false);
  expect(canCapture(promisedHold("captured"), false)).toBe(false);
  expect(canCapture(deposit("0.00"), true)).toBe(false);
});

test("a user refunds credits, an operator reverses more, as long as something is left", () => {
  expect(canReverse(credit("4.99"), false)).toBe(true);
  expect(canReverse(credit("5.00"), false)).toBe(false);
  expect(canReverse(credit(null), true)).toBe(false);
  expect(canReverse(deposit("0.00"), false)).toBe(false);
  expect(canReverse(deposit("0.00"), true)).toBe(true);
  expect(canReverse({ ...deposit("0.00"), status: "rejected" }, true)).toBe(false);
  expect(canReverse(hold({}), true)).toBe(false);
});
