import { commandHref } from "../logic/links.ts";

interface Props {
  /** The holder. */
  readonly userId: string;
  readonly holdId: string;
}

/** Links to the forms that capture and release a hold. */
export function HoldActions({ userId, holdId }: Props) {
  return (
    <>
      <a class="button" href={commandHref(userId, "capture", holdId)}>
        Capture
      </a>
      <a class="button" href={commandHref(userId, "release", holdId)}>
        Release
      </a>
    </>
  );
}
