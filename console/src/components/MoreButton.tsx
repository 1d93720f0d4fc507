import type { RefObject } from "preact";

interface Props {
  readonly isReading: boolean;
  onClick(): void;
  /** To be read when it comes near the visible part of the page. */
  readonly box?: RefObject<HTMLDivElement | null>;
}

/** Reads the next page of a list. It stays while it reads, so that it keeps the focus. */
export function MoreButton({ isReading, onClick, box }: Props) {
  return (
    <div {...(box && { ref: box })} class="more no-print">
      <button type="button" aria-disabled={isReading} onClick={() => isReading || onClick()}>
        {isReading ? "Reading…" : "Show more"}
      </button>
    </div>
  );
}
