import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

let isFirstPage = true;

/** The heading of a page and its title in the browser. It takes the focus when the user has come from another page. */
export function PageHeading({ children }: { readonly children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!isFirstPage) heading.current?.focus();
    isFirstPage = false;
  }, []);
  useEffect(() => {
    document.title = `${heading.current?.textContent} · Antler`;
  });
  return (
    <h1 ref={heading} tabIndex={-1}>
      {children}
    </h1>
  );
}
