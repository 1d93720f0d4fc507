import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** Calls `onVisible` when the element comes near the visible part of the page. */
export function useVisible<Type extends Element>(onVisible: () => void): RefObject<Type | null> {
  const element = useRef<Type>(null);
  const latest = useRef(onVisible);
  latest.current = onVisible;
  useEffect(() => {
    if (!element.current) return;
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting) latest.current();
      },
      { rootMargin: "200px" },
    );
    observer.observe(element.current);
    return () => observer.disconnect();
  });
  return element;
}
