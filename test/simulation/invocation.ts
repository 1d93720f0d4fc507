import { AsyncLocalStorage } from "node:async_hooks";
import type { Random } from "./random.ts";

/** What a function finds outside of itself. */
export interface Host {
  send(invocation: Invocation, command: object): Promise<object>;
  sleep(invocation: Invocation, delayMs: number): Promise<void>;
  fetchKeySet(invocation: Invocation): Promise<Response>;
}

/** One run of a function. Everything that it asks for carries it along, so that it can be struck down at any await. */
export interface Invocation {
  readonly simulation: Host;
  readonly label: string;
  readonly random: Random;
  readonly skewMs: number;
  awaits: number;
  /** A fault was planted in it: its answer may be an error. */
  faulted: boolean;
  /** An answer took longer than any answer in good times. */
  slowed: boolean;
  /** Users whose items or messages a planted fault touched; undefined stands for all. */
  readonly faultedUsers: Set<string | undefined>;
  /** Once dead nothing that it waits for ever comes. */
  dead: boolean;
  /** Ends it without an answer. */
  die(how: "crash" | "timeout"): void;
}

export const currentInvocation = new AsyncLocalStorage<Invocation>();

/** How an invocation ended, as its caller sees it. */
export type Invoked<T> =
  | {
      readonly kind: "answered";
      readonly value: T;
      readonly invocation: Invocation;
      /** Users whose wallets others wrote in the meantime. */
      readonly touched: ReadonlySet<string>;
    }
  | { readonly kind: "failed"; readonly error: unknown; readonly invocation: Invocation }
  | { readonly kind: "lost"; readonly how: "crash" | "timeout"; readonly invocation: Invocation };
