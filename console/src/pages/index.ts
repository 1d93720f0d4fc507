import type { Page } from "../page.ts";
import { lazyPage } from "../shell/lazyPage.tsx";
import { StartPage } from "./StartPage.tsx";
import { WalletPage } from "./WalletPage.tsx";

const CommandPage = lazyPage(async () => (await import("./later.ts")).CommandPage);
const HoldsPage = lazyPage(async () => (await import("./later.ts")).HoldsPage);
const StatementPage = lazyPage(async () => (await import("./later.ts")).StatementPage);
const TransactionPage = lazyPage(async () => (await import("./later.ts")).TransactionPage);
const VerificationPage = lazyPage(async () => (await import("./later.ts")).VerificationPage);
const WebhooksPage = lazyPage(async () => (await import("./later.ts")).WebhooksPage);

/** Every page. The shell shows the first one whose path matches; `/` is the start. */
export const PAGES: readonly Page[] = [
  { path: "/", component: StartPage, navigation: "Start" },
  { path: "/wallets/:userId", component: WalletPage },
  { path: "/wallets/:userId/holds", component: HoldsPage },
  { path: "/wallets/:userId/statement", component: StatementPage },
  { path: "/wallets/:userId/verification", component: VerificationPage },
  { path: "/wallets/:userId/transactions/:id", component: TransactionPage },
  { path: "/wallets/:userId/commands/:type", component: CommandPage },
  { path: "/wallets/:userId/commands/:type/:refersTo", component: CommandPage },
  { path: "/webhooks", component: WebhooksPage, navigation: "Webhooks", isForOperators: true },
];
