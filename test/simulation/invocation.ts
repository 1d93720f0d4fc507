import { AsyncLocalStorage } from "node:async_hooks";
import type { Random } from "./random.ts";

/** What an invocation calls. */
export interface Host {
  send(invocation: Invocation, command: object): Promise<object>;
  sleep(invocation: Invocation, delayMs: number): Promise<void>;
  fetchKeySet(invocation: Invocation): Promise<Response>;
}

/** One run of a function. Every call carries it, so that it can crash at any await. */
export interface Invocation {
  readonly simulation: Host;
  readonly label: string;
  readonly random: Random;
  readonly skewMs: number;
  awaits: number;
  /** A fault was injected: the response can be an error. */
  faulted: boolean;
  /** A call took longer than any call without faults. */
  slowed: boolean;
  /** Users whose items or messages an injected fault affected; undefined stands for all users. */
  readonly faultedUsers: Set<string | undefined>;
  /** After a crash or a timeout: none of its calls ever returns. */
  dead: boolean;
  /** Ends it without a response. */
  die(how: "crash" | "timeout"): void;
}

export const currentInvocation = new AsyncLocalStorage<Invocation>();

/** How an invocation ended, as its caller sees it. */
export type Invoked<T> =
  | {
      readonly kind: "answered";
      readonly value: T;
      readonly invocation: Invocation;
      /** Users whose wallets other invocations wrote meanwhile. */
      readonly touched: ReadonlySet<string>;
    }
  | { readonly kind: "failed"; readonly error: unknown; readonly invocation: Invocation }
  | { readonly kind: "lost"; readonly how: "crash" | "timeout"; readonly invocation: Invocation };
