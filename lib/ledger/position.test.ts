import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Position, parsePosition, positionText } from "./position.ts";

const TIME = "2026-11-23T09:30:00.000Z";

const positions: fc.Arbitrary<Position> = fc.record({
  // Few times, so that many positions share one.
  decidedAt: fc.integer({ min: 0, max: 3 }).map((ms) => new Date(Date.parse(TIME) + ms * 999).toISOString()),
  sequence: fc.oneof(fc.nat(20), fc.nat(999_999_999_999_999)),
});

describe("a position's text", () => {
  it("sorts by time, then by sequence number", () => {
    fc.assert(
      fc.property(positions, positions, (a, b) => {
        const isBefore = a.decidedAt === b.decidedAt ? a.sequence < b.sequence : a.decidedAt < b.decidedAt;
        expect(positionText(a) < positionText(b)).toBe(isBefore);
      }),
    );
  });

  it("sorts after its time alone, and before the next time", () => {
    const text = positionText({ decidedAt: TIME, sequence: 0 });
    expect([text, "2026-11-23T09:30:00.001Z", TIME].sort()).toEqual([TIME, text, "2026-11-23T09:30:00.001Z"]);
  });

  it("is parsed as it was made", () => {
    fc.assert(
      fc.property(positions, (position) => {
        expect(parsePosition(positionText(position))).toEqual(position);
      }),
    );
  });

  it.each([
    ...["", TIME, "#", `${TIME}#`, `${TIME}#1`, `${TIME}#0000000000000001`, `${TIME}#00000000000000x`],
    ...[` ${TIME}#000000000000001`, `${TIME}#000000000000001\n`, `${TIME}#000000000000001#`, `${TIME}#+00000000000001`],
    ...["2026-11-23T09:30:00Z#000000000000001", "2026-11-23 09:30:00.000Z#000000000000001", "~#000000000000001"],
  ])("is not parsed from %j", (text) => {
    expect(parsePosition(text)).toBeUndefined();
  });
});
