/**
 * Types of the runtime: its own where it has them (`lib.dom.d.ts`, `@types/node` and others declare them), otherwise the
 * members that this package needs. So the declarations of the package need no other types.
 */

interface SignalLike {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

interface ResponseLike {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
}

interface RequestLike {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly signal: SignalLike;
}

/** `AbortSignal` */
export type Signal = typeof globalThis extends { AbortSignal: { prototype: infer Type } } ? Type : SignalLike;

/** The type of `fetch`. */
export type Fetch = typeof globalThis extends { fetch: infer Type }
  ? Type
  : (url: string, request: RequestLike) => Promise<ResponseLike>;
