import { useId, useRef, useState } from "preact/hooks";

interface Props {
  /** @returns undefined, or a sentence about why the token can't be used */
  readonly onToken: (token: string) => string | undefined;
}

/** Signs in with a pasted token. */
export function TokenForm({ onToken }: Props) {
  const id = useId();
  const input = useRef<HTMLTextAreaElement>(null);
  const [problem, setProblem] = useState<string>();

  function submit(event: Event): void {
    event.preventDefault();
    setProblem(onToken(input.current?.value ?? ""));
    input.current?.focus();
  }

  return (
    <form class="stack" onSubmit={submit}>
      <div class="field">
        <label for={id}>Token</label>
        <textarea
          id={id}
          ref={input}
          rows={4}
          class="code"
          required
          autocomplete="off"
          spellcheck={false}
          aria-invalid={problem !== undefined}
          aria-describedby={`${id}-hint${problem ? ` ${id}-problem` : ""}`}
        />
        <p id={`${id}-hint`} class="hint">
          An access token of your identity provider. It stays in this window and is sent to this ledger only.
        </p>
        {problem && (
          <p id={`${id}-problem`} class="problem" role="alert">
            {problem}
          </p>
        )}
      </div>
      <button type="submit">Sign in with this token</button>
    </form>
  );
}
