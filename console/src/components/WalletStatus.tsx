import type { WalletStatus as Status } from "../../../packages/client/src/index.ts";
import { WALLET_STATUS_NAMES } from "../logic/describe.ts";
import { Badge } from "./Badge.tsx";

const TONES = { active: "good", frozen: "open", closed: "bad" } as const;

export function WalletStatus({ status }: { readonly status: Status }) {
  return <Badge tone={TONES[status]}>{WALLET_STATUS_NAMES[status]}</Badge>;
}
