/**
 * The pages that are loaded when the first of them is shown. They are one file: with a file for each, the code that they share
 * would be split into some twenty files, most of them of the first view.
 */
export { CommandPage } from "./CommandPage.tsx";
export { HoldsPage } from "./HoldsPage.tsx";
export { OperatorPage } from "./OperatorPage.tsx";
export { StatementPage } from "./StatementPage.tsx";
export { TransactionPage } from "./TransactionPage.tsx";
export { VerificationPage } from "./VerificationPage.tsx";
export { WebhooksPage } from "./WebhooksPage.tsx";
