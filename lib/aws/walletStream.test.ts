import { describe, expect, it } from "vitest";
import { streamEvent } from "../../testkit/events.ts";
import { UnreadableItem } from "../ledger/ports.ts";
import { walletChanges } from "./walletStream.ts";

const at = (sequence: number) => ({ decidedAt: "2026-11-23T09:30:00.000Z", sequence });
const [first, second] = [
  { recordId: "1", userId: "alice", before: undefined, after: at(2), ids: ["tx_1", "tx_2"] },
  { recordId: "2", userId: "alice", before: at(2), after: at(3), ids: ["tx_3"] },
];

/** The record of a write, with another image after it. */
function recordWith(image: object, eventName = "MODIFY") {
  const [record] = streamEvent([second]).Records;
  return {
    ...record,
    eventName,
    dynamodb: { ...record?.dynamodb, NewImage: { ...record?.dynamodb?.NewImage, ...image } },
  };
}

describe("the records of the stream", () => {
  it("say which decisions a write made", () => {
    expect(walletChanges(streamEvent([first, second]).Records)).toEqual([first, second]);
  });

  it("of a removed wallet say nothing", () => {
    expect(walletChanges([recordWith({}, "REMOVE")])).toEqual([]);
  });

  it.each([
    [{ sequence: { S: "3" } }, "has an unreadable item, wallet: sequence.N: Invalid input"],
    [{ sequence: { N: "1.5" } }, "has an unreadable item, wallet: its last decision has no valid position"],
    [{ decidedAt: { S: "yesterday" } }, "has an unreadable item, wallet: its last decision has no valid position"],
    [{ decidedIds: undefined }, "has an unreadable item, wallet: decidedIds: Invalid input"],
    [{ decidedIds: { L: [{ S: "" }] } }, "has an unreadable item, wallet: decidedIds.L.0.S: "],
    [{ decidedIds: { L: [] } }, "has an unreadable item, wallet: it names 0 of 1 decisions"],
  ])("with %j are unreadable, and name their user", (image, message) => {
    const [change] = walletChanges([recordWith(image)]);
    expect(change).toEqual({ recordId: "2", userId: "alice", unreadable: expect.any(UnreadableItem) });
    expect(change && "unreadable" in change && change.unreadable.message).toContain(message);
  });

  it("of another table are an error", () => {
    expect(() =>
      walletChanges([{ eventName: "INSERT", dynamodb: { SequenceNumber: "1", Keys: { code: { S: "USD" } } } }]),
    ).toThrow("userId");
  });
});
