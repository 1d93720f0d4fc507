import type { FaultKind, Faults, Outage } from "./plan.ts";
import { Random } from "./random.ts";

/** Decides where faults are injected. The same place of the same plan always gets the same answer. */
export class FaultSource {
  readonly faults: Faults;
  readonly injected: string[] = [];
  readonly #seed: number;
  readonly #suppressed: ReadonlySet<string>;
  readonly #crashAt: ReadonlySet<number>;
  readonly #awaits: string[] = [];
  /** Invocations without faults, by label. */
  readonly #faultFree = new Set<string>();
  #stopped = false;

  constructor(seed: number, faults: Faults) {
    this.faults = faults;
    this.#seed = seed;
    this.#suppressed = new Set(faults.suppressed);
    this.#crashAt = new Set(faults.crashAt);
  }

  /** The awaits that the functions reached while faults were enabled, by the names of their places. */
  get awaits(): readonly string[] {
    return this.#awaits;
  }

  /** Injects no faults into an invocation, so that work which many of them have interrupted comes to an end. */
  exempt(label: string): void {
    this.#faultFree.add(label);
  }

  shouldInject(kind: FaultKind, place: string): boolean {
    const rate = this.faults.rates[kind] ?? 0;
    if (rate === 0 || this.#stopped) return false;
    const [label = ""] = place.split(/[ /]/);
    if (this.#faultFree.has(label)) return false;
    const name = `${kind} ${place}`;
    if (!new Random(this.#seed, name).chance(rate) || this.#suppressed.has(name)) return false;
    this.injected.push(name);
    return true;
  }

  /** Whether a function crashes at the await that it has reached. */
  crashesAt(place: string): boolean {
    if (this.#stopped) return false;
    const counted = this.#crashAt.has(this.#awaits.push(place));
    if (counted) this.injected.push(`crash ${place}`);
    return counted || this.shouldInject("crash", place);
  }

  outageFor(userIds: readonly string[], nowMs: number): Outage | undefined {
    if (this.#stopped) return undefined;
    return this.faults.outages.find(
      (outage) =>
        nowMs >= outage.fromMs &&
        nowMs < outage.toMs &&
        (outage.userId === undefined || userIds.includes(outage.userId)),
    );
  }

  keySetUnreachable(nowMs: number): boolean {
    return !this.#stopped && this.faults.keys.unreachable.some(({ fromMs, toMs }) => nowMs >= fromMs && nowMs < toMs);
  }

  /** Injects no more faults from now on. */
  stop(): void {
    this.#stopped = true;
  }
}
