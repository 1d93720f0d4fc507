import { useMemo, useState } from "preact/hooks";
import { FailureMessage } from "../components/FailureMessage.tsx";
import { TextField } from "../components/TextField.tsx";
import { VerificationResult } from "../components/VerificationResult.tsx";
import { WalletNavigation } from "../components/WalletNavigation.tsx";
import { useConsole } from "../context.ts";
import { useForm } from "../hooks/useForm.ts";
import { useResource } from "../hooks/useResource.ts";
import { verifyWallet } from "../logic/verification.ts";
import type { PageProps } from "../page.ts";
import { PageHeading } from "../shell/PageHeading.tsx";

/** Verifies the hash chain of a wallet in the browser, and says in words what was found. */
export function VerificationPage({ params: { userId = "" } }: PageProps) {
  const { client } = useConsole();
  const wallet = useMemo(() => client.wallet(userId), [client, userId]);
  const [keptHash, setKeptHash] = useState("");
  const [progress, setProgress] = useState("");
  const form = useForm({ hash: "" });
  const { value, failure, isReading, reload } = useResource(
    (signal) =>
      verifyWallet(wallet, {
        keptHash,
        signal,
        onProgress: (read, total) => setProgress(`${read} of ${total} decisions read`),
        pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      }),
    [userId, keptHash],
  );

  function compare(event: Event) {
    event.preventDefault();
    const hash = (form.fields.hash ?? "").trim();
    const isHash = hash === "" || /^[A-Za-z0-9_-]{43}$/.test(hash);
    form.setErrors(isHash ? {} : { hash: "A hash has 43 letters, digits, - and _. Copy it as a whole." });
    if (!isHash) return;
    if (hash === keptHash) reload();
    else setKeptHash(hash);
  }

  return (
    <div class="stack">
      <PageHeading>Verify – wallet of {userId}</PageHeading>
      <WalletNavigation userId={userId} current="verification" />
      <p>
        Each decision has the hash of the one before it. Your browser reads the history, computes every hash and every
        balance again, and compares them.
      </p>
      <div role="status" class="stack">
        {isReading && <p class="card progress">Verifying… {progress}</p>}
        {!isReading && value && <VerificationResult verification={value} />}
      </div>
      {failure && <FailureMessage failure={failure} what="The history could not be read" onRetry={reload} />}
      <section class="stack" aria-labelledby="kept-hash">
        <h2 id="kept-hash">Compare with a hash that you kept</h2>
        <p>
          A history that was rewritten as a whole has other hashes. If you have kept one, it shows whether this history
          is still the same.
        </p>
        <form ref={form.element} class="card stack" onSubmit={compare} noValidate>
          <TextField form={form} name="hash" label="Hash that you kept" isOptional />
          <div class="actions">
            <button type="submit" class="primary" disabled={isReading}>
              Verify again
            </button>
          </div>
        </form>
      </section>
    </div>
  );
}
