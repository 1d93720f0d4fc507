import { useState } from "preact/hooks";

interface Props {
  readonly text: string;
  /** What the text is, for the name of the button. */
  readonly label: string;
}

/** A long id, hash or secret with a button that copies it. */
export function CopyText({ text, label }: Props) {
  const [copied, setCopied] = useState<string>();
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setCopied("Copied"),
      () => setCopied("Select the text and copy it"),
    );
  return (
    <span class="copy-text">
      <code>{text}</code>
      <button type="button" class="small no-print" onClick={copy}>
        Copy<span class="visually-hidden"> the {label}</span>
      </button>
      <span role="status" class="hint">
        {copied}
      </span>
    </span>
  );
}
