import type { ComponentChildren } from "preact";

interface Props {
  readonly title: string;
  /** The next step. */
  readonly children: ComponentChildren;
}

/** In the place of a list that has nothing. */
export function EmptyState({ title, children }: Props) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      <div>{children}</div>
    </div>
  );
}
