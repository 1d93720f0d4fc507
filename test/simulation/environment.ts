import { type JsonWebKey, type KeyObject, verify, type webcrypto } from "node:crypto";
import { signingKeys } from "./identity.ts";
import { currentInvocation } from "./invocation.ts";
import { START_MS } from "./oracle.ts";

/** The clock of the simulation that runs in this thread; one runs at a time. */
let virtualNowMs: (() => number) | undefined;

/**
 * Replaces the clock, the key set's server and `crypto.subtle` of this thread by deterministic ones, permanently. Signatures
 * are still verified, but not on the thread pool, because its timing does not depend on the seed.
 */
export async function virtualizeThread(): Promise<void> {
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    constructor(value?: string | number | Date) {
      super(value ?? nowMs());
    }
    static override now(): number {
      return nowMs();
    }
  } as DateConstructor;

  function nowMs(): number {
    if (!virtualNowMs) return RealDate.now();
    return Math.floor(START_MS + virtualNowMs() + (currentInvocation.getStore()?.skewMs ?? 0));
  }

  globalThis.fetch = async () => {
    const invocation = currentInvocation.getStore();
    if (!invocation) throw new Error("Only a function reads the key set");
    return invocation.simulation.fetchKeySet(invocation);
  };
  AbortSignal.timeout = () => new AbortController().signal;
  Math.random = () => currentInvocation.getStore()?.random.next() ?? 0.5;
  await virtualizeSubtle();
}

async function virtualizeSubtle(): Promise<void> {
  const keys = new Map<webcrypto.CryptoKey, { readonly x: string; readonly publicKey: KeyObject }>();
  const imported = new Map<string, webcrypto.CryptoKey>();
  for (const { jwk, publicKey } of Object.values(signingKeys)) {
    const key = await crypto.subtle.importKey("jwk", jwk, { name: "Ed25519" }, false, ["verify"]);
    const x = String(jwk.x);
    keys.set(key, { x, publicKey });
    imported.set(x, key);
  }
  const verified = new Map<string, boolean>();
  Object.defineProperties(crypto.subtle, {
    importKey: {
      value: async (_format: string, jwk: JsonWebKey) => imported.get(String(jwk.x)),
    },
    verify: {
      value: async (_algorithm: unknown, key: webcrypto.CryptoKey, signature: Uint8Array, data: Uint8Array) => {
        const { x, publicKey } = keys.get(key) ?? {};
        if (!publicKey) throw new Error("The simulator has no such key");
        const memo = `${x}.${Buffer.from(signature).toString("base64")}.${Buffer.from(data).toString("base64")}`;
        const known = verified.get(memo);
        if (known !== undefined) return known;
        const right = verify(null, data, publicKey, signature);
        if (verified.size > 5000) verified.clear();
        verified.set(memo, right);
        return right;
      },
    },
  });
}

/** Sets the clock of this thread, or with `undefined` the real one. */
export function useClock(nowMs: (() => number) | undefined): void {
  virtualNowMs = nowMs;
}
