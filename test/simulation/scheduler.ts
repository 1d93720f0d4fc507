interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * The virtual clock and the queue of all future events. Before the next event every promise runs to its next wait, so that
 * a run depends only on the seed.
 */
export class Scheduler {
  nowMs = 0;
  steps = 0;
  readonly #heap: Entry[] = [];
  #order = 0;

  /** Runs something after `delayMs` of virtual time. */
  after(delayMs: number, run: () => void): void {
    this.#push({ atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, run });
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  /**
   * Runs events in order of time until none is left or `stop` returns true.
   *
   * @throws Error after `stepsMax` events, because every history must end
   */
  async run(stepsMax: number, stop: () => boolean): Promise<void> {
    await quiet();
    while (!stop()) {
      const entry = this.#pop();
      if (!entry) return;
      if (++this.steps > stepsMax) throw new Error(`Events are left after ${stepsMax} events`);
      this.nowMs = entry.atMs;
      entry.run();
      await quiet();
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (!above || !isBefore(entry, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      const left = heap[child];
      if (!left) break;
      const right = heap[child + 1];
      if (right && isBefore(right, left)) child++;
      const smaller = heap[child];
      if (!smaller || !isBefore(smaller, last)) break;
      heap[index] = smaller;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** Resolves once every promise has run to its next wait. */
function quiet(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
