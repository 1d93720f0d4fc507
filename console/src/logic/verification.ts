import {
  type Balances,
  type HistoryErrorCode,
  type Transaction,
  verifyHistory,
  type Wallet,
} from "../../../packages/client/src/index.ts";

/** What the verification of a wallet's history found. */
export type Verification =
  | {
      readonly outcome: "valid";
      readonly decisions: number;
      /** Hash of the last decision; null for an empty history. */
      readonly head: string | null;
      /** Sequence number of the decision with the hash that the user kept; absent if none was given. */
      readonly keptSequence?: number | undefined;
    }
  | { readonly outcome: "invalid"; readonly code: HistoryErrorCode; readonly sequence: number; readonly detail: string }
  /** The history is valid, but is not the one that the wallet's balances come from. */
  | { readonly outcome: "wrong_head"; readonly decisions: number; readonly expected: number }
  /** The history is valid, but has no decision with the hash that the user kept. */
  | { readonly outcome: "kept_hash_missing" };

/** The history's index can lag behind the balances by about a second. */
const READS_MAX = 5;

interface Options {
  /** A hash that the user kept from an earlier verification; empty for none. */
  readonly keptHash: string;
  readonly signal: AbortSignal;
  /** @param total the number of decisions in the wallet */
  readonly onProgress: (read: number, total: number) => void;
  readonly pause: (ms: number) => Promise<void>;
}

/** Reads the whole history and verifies its hash chain here, and that it ends where the wallet does. @throws AntlerError */
export async function verifyWallet(
  wallet: Wallet,
  { keptHash, signal, onProgress, pause }: Options,
): Promise<Verification> {
  const balances = await wallet.balances({ signal });
  let history: readonly Transaction[] = [];
  for (let reads = 1; reads <= READS_MAX; reads++) {
    history = await readUpTo(wallet, balances, { signal, onProgress });
    if (history.length >= balances.sequence) break;
    await pause(reads * 500);
  }
  const result = await verifyHistory(history);
  if (!result.isValid) {
    const { code, sequence, detail } = result;
    return { outcome: "invalid", code, sequence, detail };
  }
  const { decisions, head } = result;
  if (head !== balances.hash) return { outcome: "wrong_head", decisions, expected: balances.sequence };
  if (keptHash === "") return { outcome: "valid", decisions, head };
  const keptSequence = history.find(({ hash }) => hash === keptHash)?.sequence ?? undefined;
  return keptSequence === undefined
    ? { outcome: "kept_hash_missing" }
    : { outcome: "valid", decisions, head, keptSequence };
}

/** @returns the decisions up to the one that the balances have; later ones can arrive while it reads */
async function readUpTo(
  wallet: Wallet,
  { sequence: last }: Balances,
  { signal, onProgress }: Pick<Options, "signal" | "onProgress">,
): Promise<readonly Transaction[]> {
  const history: Transaction[] = [];
  for await (const { data } of wallet.transactions({ limit: 100, signal }).pages()) {
    history.push(...data.filter(({ sequence }) => sequence !== null && sequence <= last));
    onProgress(history.length, last);
  }
  return history;
}
