import { useOpenWallet } from "../hooks/useOpenWallet.ts";
import { holdsHref, statementHref, verificationHref, walletHref } from "../logic/links.ts";

interface Props {
  readonly userId: string;
  readonly current?: "overview" | "holds" | "statement" | "verification";
}

/** Links to the pages of a wallet, if the user may open it. */
export function WalletNavigation({ userId, current }: Props) {
  if (useOpenWallet(userId) !== userId) return null;
  const pages = [
    { name: "overview", label: "Overview", href: walletHref(userId) },
    { name: "holds", label: "Holds", href: holdsHref(userId) },
    { name: "statement", label: "Statement", href: statementHref(userId) },
    { name: "verification", label: "Verify", href: verificationHref(userId) },
  ];
  return (
    <nav class="tabs no-print" aria-label={`Wallet of ${userId}`}>
      {pages.map(({ name, label, href }) => (
        <a key={name} href={href} aria-current={name === current ? "page" : undefined}>
          {label}
        </a>
      ))}
    </nav>
  );
}
