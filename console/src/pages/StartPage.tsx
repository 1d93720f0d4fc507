import { useConsole } from "../context.ts";
import type { PageProps } from "../page.ts";
import { lazyPage } from "../shell/lazyPage.tsx";
import { WalletPage } from "./WalletPage.tsx";

const OperatorPage = lazyPage(async () => (await import("./later.ts")).OperatorPage);

/** The wallet of a user; for an operator, who acts for other users, a form that opens their wallets. */
export function StartPage({ query }: PageProps) {
  const { userId, isOperator } = useConsole();
  const params = { userId };
  return isOperator ? <OperatorPage params={params} query={query} /> : <WalletPage params={params} query={query} />;
}
