import { expect, test } from "vitest";
import { nextPauseMs } from "./polling.ts";

test("the pause starts at 1 s, grows while nothing changes up to 8 s, and a change makes it short again", () => {
  expect(nextPauseMs(0, false)).toBe(1000);
  expect(nextPauseMs(1000, false)).toBe(1250);
  expect(nextPauseMs(7000, false)).toBe(8000);
  expect(nextPauseMs(8000, true)).toBe(1000);
});
