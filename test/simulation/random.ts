/**
 * A seeded random generator (sfc32). Each label has its own stream: a failing history can shrink because removing one
 * operation does not change the others.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number, label: string) {
    let hash = 2166136261 ^ seed;
    for (let index = 0; index < label.length; index++) hash = Math.imul(hash ^ label.charCodeAt(index), 16777619);
    this.#a = hash | 0;
    this.#b = Math.imul(hash ^ (hash >>> 15), 2246822507) | 0;
    this.#c = Math.imul(seed ^ (hash >>> 13), 3266489909) | 0;
    for (let round = 0; round < 12; round++) this.next();
  }

  /** Uniform in [0, 1). */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 4294967296;
  }

  /** Whole number from `low` to `high`, inclusive. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const [item] = items.slice(Math.floor(this.next() * items.length));
    if (items.length === 0) throw new Error("pick() needs at least one item");
    return item as T;
  }

  /** A latency: mostly near `typicalMs`, occasionally many times that. */
  latencyMs(typicalMs: number): number {
    const uniform = this.next();
    const stretch = uniform < 0.9 ? 0.5 + uniform : uniform < 0.99 ? 4 : 12;
    return typicalMs * stretch * (0.5 + this.next());
  }
}
