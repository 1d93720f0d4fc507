const TONES = { good: "success", bad: "problem", open: "notice" } as const;

interface Props {
  readonly tone: keyof typeof TONES;
  readonly children: string;
}

/** A state in a word. The word says it, the colour only repeats it. */
export function Badge({ tone, children }: Props) {
  return <span class={`badge ${TONES[tone]}`}>{children}</span>;
}
