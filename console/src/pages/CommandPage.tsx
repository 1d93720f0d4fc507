import { useEffect, useState } from "preact/hooks";
import type { Balance, Currency, PromisedTransaction, Transaction } from "../../../packages/client/src/index.ts";
import { AttemptPanel } from "../components/AttemptPanel.tsx";
import { CommandForm } from "../components/CommandForm.tsx";
import { FailureMessage } from "../components/FailureMessage.tsx";
import { Loading } from "../components/Loading.tsx";
import { ReferredTransaction } from "../components/ReferredTransaction.tsx";
import { useConsole } from "../context.ts";
import { useAttempts } from "../hooks/useAttempts.ts";
import { useCommandRunner } from "../hooks/useCommandRunner.ts";
import { useCurrencies } from "../hooks/useCurrencies.ts";
import { useOpenWallet } from "../hooks/useOpenWallet.ts";
import { useResource } from "../hooks/useResource.ts";
import { type CommandNames, isCommandType, namesOf } from "../logic/commandNames.ts";
import type { Fields } from "../logic/draft.ts";
import { walletHref } from "../logic/links.ts";
import { isSameSlot, type Slot } from "../logic/slot.ts";
import { usualCurrency } from "../logic/usualCurrency.ts";
import type { PageProps } from "../page.ts";
import { PageHeading } from "../shell/PageHeading.tsx";

/** The form of a command, and what became of the command. */
export function CommandPage({ params: { userId = "", type = "", refersTo }, query }: PageProps) {
  const { client } = useConsole();
  const home = useOpenWallet(userId);
  const currencies = useCurrencies();
  const referred = useResource(
    async (signal) => (refersTo ? await client.wallet(userId).transaction(refersTo, { signal }) : null),
    [userId, refersTo],
  );
  const balances = useResource(
    async (signal) => (home === userId ? (await client.wallet(userId).balances({ signal })).balances : []),
    [userId],
  );
  if (!isCommandType(type)) return <UnknownCommand />;
  const names = namesOf(type, referred.value?.type);
  const failed = currencies.failure ? currencies : referred;
  return (
    <div class="stack narrow-column">
      <PageHeading>
        {names.title} – wallet of {userId}
      </PageHeading>
      <p>
        {names.explanation} <a href={walletHref(home)}>Back to the wallet</a>
      </p>
      {failed.failure && (
        <FailureMessage failure={failed.failure} what="The form can't be shown yet" onRetry={failed.reload} />
      )}
      {currencies.value && referred.value !== undefined && (balances.value || balances.failure) ? (
        <Command
          names={names}
          slot={{ type, userId, ...(refersTo && { refersTo }) }}
          referred={referred.value}
          currencies={currencies.value}
          balances={balances.value ?? []}
          preset={Object.fromEntries(query)}
        />
      ) : (
        !failed.failure && <Loading what="the form" />
      )}
    </div>
  );
}

interface CommandProps {
  readonly names: CommandNames;
  readonly slot: Slot;
  /** The hold or the original; null if the command refers to none. */
  readonly referred: Transaction | PromisedTransaction | null;
  readonly currencies: readonly Currency[];
  readonly balances: readonly Balance[];
  readonly preset: Fields;
}

function Command({ names, slot, referred, currencies, balances, preset }: CommandProps) {
  const runner = useCommandRunner();
  const attempt = useAttempts().find(({ draft }) => isSameSlot(draft, slot));
  const [entered, setEntered] = useState<Fields>();
  const [isReopened, setReopened] = useState(false);

  useEffect(() => () => runner.dismiss(slot), [runner]);

  function reopen(fields?: Fields) {
    setEntered(fields);
    setReopened(true);
    runner.forget(slot);
  }

  const isOpen = !attempt || attempt.state === "refused";
  const initial = attempt?.draft.fields ?? entered ?? { ...defaultFields(currencies, balances, referred), ...preset };
  return (
    <>
      {referred && isOpen && <ReferredTransaction transaction={referred} />}
      {attempt && (
        <AttemptPanel
          attempt={attempt}
          onRetry={() => runner.retry(slot)}
          onForget={() => reopen()}
          onChange={() => reopen(attempt.draft.fields)}
        />
      )}
      {isOpen && (
        <CommandForm
          slot={slot}
          names={names}
          initial={initial}
          currencies={currencies}
          balances={balances}
          failure={attempt?.state === "refused" ? attempt.failure : undefined}
          takesFocus={isReopened || attempt !== undefined}
          onSubmit={(draft) => runner.start(draft)}
        />
      )}
    </>
  );
}

function defaultFields(
  currencies: readonly Currency[],
  balances: readonly Balance[],
  referred: CommandProps["referred"],
): Fields {
  const usual = usualCurrency(currencies, balances);
  return {
    currency: referred?.currency ?? usual,
    "sell.currency": usual,
    "buy.currency": currencies.find(({ code }) => code !== usual)?.code ?? "",
    status: "active",
  };
}

function UnknownCommand() {
  return (
    <>
      <PageHeading>Unknown command</PageHeading>
      <p>There is no such command. Choose one on the page of a wallet.</p>
    </>
  );
}
