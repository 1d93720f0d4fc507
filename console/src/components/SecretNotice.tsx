import { useEffect, useRef } from "preact/hooks";
import { CopyText } from "./CopyText.tsx";

export interface ShownSecret {
  readonly url: string;
  readonly secret: string;
}

interface Props {
  readonly shown: ShownSecret;
  onClose(): void;
}

/** A new secret of an endpoint. The API shows it once. */
export function SecretNotice({ shown: { url, secret }, onClose }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), [secret]);
  return (
    <section class="card stack" aria-labelledby="secret">
      <h2 id="secret" ref={heading} tabIndex={-1}>
        The secret of {url}
      </h2>
      <p>Copy it now: it is not shown again. Your service verifies the signatures with it.</p>
      <CopyText text={secret} label="secret" />
      <div class="actions">
        <button type="button" onClick={onClose}>
          I have copied it
        </button>
      </div>
    </section>
  );
}
