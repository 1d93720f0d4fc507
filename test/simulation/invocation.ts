import { AsyncLocalStorage } from "node:async_hooks";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

/** One run of a function. Everything that it asks for carries it along, so that it can be struck down at any await. */
export interface Invocation {
  readonly world: World;
  readonly label: string;
  readonly random: Random;
  readonly skewMs: number;
  awaits: number;
  /** A fault was planted in it: its answer may be an error. */
  harmed: boolean;
  /** An answer took longer than any answer in good times. */
  slowed: boolean;
  /** Users whose items or messages a planted fault touched; undefined stands for all. */
  readonly harmedUsers: Set<string | undefined>;
  /** Once dead nothing that it waits for ever comes. */
  dead: boolean;
  /** Ends it without an answer. */
  die(how: "crash" | "timeout"): void;
}

export const currentInvocation = new AsyncLocalStorage<Invocation>();
