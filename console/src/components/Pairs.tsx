import type { ComponentChildren } from "preact";

/** Names with their values. */
export function Pairs({ children }: { readonly children: ComponentChildren }) {
  return <dl class="pairs">{children}</dl>;
}

interface PairProps {
  readonly label: ComponentChildren;
  readonly children: ComponentChildren;
}

export function Pair({ label, children }: PairProps) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}
