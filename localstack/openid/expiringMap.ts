/** More entries than a developer makes in their lifetime of seconds. */
const ENTRIES_MAX = 1000;

/** Values by random keys, each for a limited time. The oldest ones make room for new ones. */
export class ExpiringMap<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly expiresAtMs: number }>();
  readonly #lifetimeMs: number;
  readonly #nowMs: () => number;

  constructor(lifetimeSeconds: number, nowMs: () => number) {
    this.#lifetimeMs = lifetimeSeconds * 1000;
    this.#nowMs = nowMs;
  }

  set(key: string, value: Value): void {
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined && this.#entries.size >= ENTRIES_MAX) this.#entries.delete(oldest);
    this.#entries.set(key, { value, expiresAtMs: this.#nowMs() + this.#lifetimeMs });
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    return entry && entry.expiresAtMs > this.#nowMs() ? entry.value : undefined;
  }

  /** Returns a value once. */
  take(key: string): Value | undefined {
    const value = this.get(key);
    this.#entries.delete(key);
    return value;
  }
}
