/**
 * Nearest rank: the smallest sample that at least `percent` of all samples do not exceed. The 99th percentile of 100 samples is
 * therefore the second largest. NaN without samples.
 */
export function percentile(samples: readonly number[], percent: number): number {
  const ascending = samples.toSorted((a, b) => a - b);
  return ascending[Math.max(Math.ceil((ascending.length * percent) / 100), 1) - 1] ?? Number.NaN;
}

/** The 50th {@link percentile}. */
export function median(samples: readonly number[]): number {
  return percentile(samples, 50);
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
