interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * The virtual clock and the one queue of everything that is going to happen. Between two events all that the first one
 * set going runs to its next wait, so a run depends on the seed only.
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
   * Runs events in the order of their time until none is left, or until `stop` says so.
   *
   * @throws Error after `stepsMax` events, because a history that never ends is a failure of its own
   */
  async run(stepsMax: number, stop: () => boolean): Promise<void> {
    await quiet();
    while (!stop()) {
      const entry = this.#pop();
      if (!entry) return;
      if (++this.steps > stepsMax) throw new Error(`Still not at rest after ${stepsMax} events`);
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

/** Resolves when every promise that can go on has gone on. */
function quiet(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
