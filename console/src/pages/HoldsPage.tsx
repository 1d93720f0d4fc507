import { EmptyState } from "../components/EmptyState.tsx";
import { FailureMessage } from "../components/FailureMessage.tsx";
import { HoldEntry } from "../components/HoldEntry.tsx";
import { Loading } from "../components/Loading.tsx";
import { MoreButton } from "../components/MoreButton.tsx";
import { PromisedHoldForm } from "../components/PromisedHoldForm.tsx";
import { WalletNavigation } from "../components/WalletNavigation.tsx";
import { useConsole } from "../context.ts";
import { usePages } from "../hooks/usePages.ts";
import { commandHref } from "../logic/links.ts";
import type { PageProps } from "../page.ts";
import { PageHeading } from "../shell/PageHeading.tsx";

/** The open holds of a wallet, and a form that opens one that another user has promised. */
export function HoldsPage({ params: { userId = "" } }: PageProps) {
  const { client } = useConsole();
  const { pages, failure, isReading, hasMore, readMore, restart } = usePages(
    (signal) => client.wallet(userId).holds({ signal }).pages(),
    [userId],
  );
  const holds = pages.flatMap(({ data }) => data);
  return (
    <div class="stack">
      <PageHeading>Holds – wallet of {userId}</PageHeading>
      <WalletNavigation userId={userId} current="holds" />
      <section class="stack" aria-labelledby="open-holds">
        <h2 id="open-holds">Open holds</h2>
        {holds.length > 0 && (
          <ul class="entries" aria-label="Open holds, newest first">
            {holds.map((hold) => (
              <HoldEntry key={hold.id} hold={hold} />
            ))}
          </ul>
        )}
        {failure && <FailureMessage failure={failure} what="The holds could not be read" onRetry={restart} />}
        {isReading && holds.length === 0 && <Loading what="the holds" />}
        {!isReading && !failure && holds.length === 0 && (
          <EmptyState title="No open holds">
            <p>
              A hold keeps money back until it is captured or released.{" "}
              <a href={commandHref(userId, "hold")}>Make a hold</a>
            </p>
          </EmptyState>
        )}
        {holds.length > 0 && !failure && hasMore && <MoreButton isReading={isReading} onClick={readMore} />}
      </section>
      <PromisedHoldForm />
    </div>
  );
}
