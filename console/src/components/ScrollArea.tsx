import type { ComponentChildren } from "preact";

interface Props {
  readonly label: string;
  readonly children: ComponentChildren;
}

/** Scrolls what is too wide for the page. It can have the focus, so that the arrow keys scroll it. */
export function ScrollArea({ label, children }: Props) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without it, only a mouse can scroll
    <section class="card scroll" aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}
