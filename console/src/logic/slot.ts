import type { Draft } from "./draft.ts";

/** A form: only one of its commands can be without an outcome. */
export type Slot = Pick<Draft, "type" | "userId" | "refersTo">;

export function isSameSlot(a: Slot, b: Slot): boolean {
  return a.type === b.type && a.userId === b.userId && a.refersTo === b.refersTo;
}
