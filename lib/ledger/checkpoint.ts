import * as z from "zod/mini";
import { balanceOf, currenciesOf } from "../domain/state.ts";
import { merkleRoot } from "./merkle.ts";
import { UnreadableItem } from "./ports.ts";
import type { Head, LedgerReader } from "./verify.ts";

/** The ends of all histories at one time. */
export interface Checkpoint {
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** By user, in the order of the user ids. */
  readonly heads: ReadonlyMap<string, Head>;
  /** Minor units that all users hold together, by currency. */
  readonly totalsMinor: ReadonlyMap<string, bigint>;
  /** RFC 6962 Merkle tree hash of the users' lines in the file, in base64url. */
  readonly root: string;
}

/**
 * Reads every user's head. Users can be read at different times, because commands can be decided meanwhile.
 *
 * @throws UnreadableItem
 */
export async function createCheckpoint(reader: Pick<LedgerReader, "wallets">, createdAt: string): Promise<Checkpoint> {
  const heads: [string, Head][] = [];
  const totalsMinor = new Map<string, bigint>();
  for await (const read of reader.wallets()) {
    if (read instanceof UnreadableItem) throw read;
    const { userId, wallet } = read;
    heads.push([userId, { sequence: wallet.sequence, hash: wallet.hash ?? "" }]);
    for (const currency of currenciesOf(wallet)) {
      totalsMinor.set(currency, (totalsMinor.get(currency) ?? 0n) + balanceOf(wallet, currency));
    }
  }
  heads.sort(([a], [b]) => (a < b ? -1 : 1));
  return { createdAt, heads: new Map(heads), totalsMinor, root: rootOf(heads) };
}

const VERSION = 1;

const firstLine = z.strictObject({
  version: z.literal(VERSION),
  createdAt: z.iso.datetime(),
  wallets: z.int(),
  totalsMinor: z.record(z.string(), z.pipe(z.string().check(z.regex(/^[0-9]+$/)), z.transform<string, bigint>(BigInt))),
  root: z.string(),
});
const headLine = z.strictObject({ userId: z.string(), sequence: z.int(), hash: z.string() });

/** The text of a checkpoint's file, line by line: one about all, then one for each user. */
export function* checkpointText({ createdAt, heads, totalsMinor, root }: Checkpoint): Generator<string> {
  const totals = [...totalsMinor].sort(([a], [b]) => (a < b ? -1 : 1)).map(([code, minor]) => [code, String(minor)]);
  const first: z.input<typeof firstLine> = {
    version: VERSION,
    createdAt,
    wallets: heads.size,
    totalsMinor: Object.fromEntries(totals),
    root,
  };
  yield `${JSON.stringify(first)}\n`;
  for (const [userId, head] of heads) yield `${textOf(userId, head)}\n`;
}

/**
 * @param lines those of {@link checkpointText}
 * @throws Error for other lines, and for a root that is not that of the lines
 */
export async function readCheckpoint(lines: AsyncIterable<string>): Promise<Checkpoint> {
  let first: z.output<typeof firstLine> | undefined;
  const heads = new Map<string, Head>();
  for await (const line of lines) {
    if (!first) {
      first = firstLine.parse(JSON.parse(line));
      continue;
    }
    const { userId, ...head } = headLine.parse(JSON.parse(line));
    heads.set(userId, head);
  }
  if (!first) throw new Error("The file is empty");
  const { createdAt, root, totalsMinor } = first;
  if (first.wallets !== heads.size || root !== rootOf(heads))
    throw new Error("The root is not that of the users' lines");
  return { createdAt, heads, totalsMinor: new Map(Object.entries(totalsMinor)), root };
}

function rootOf(heads: Iterable<readonly [string, Head]>): string {
  return merkleRoot([...heads].map(([userId, head]) => Buffer.from(textOf(userId, head)))).toString("base64url");
}

function textOf(userId: string, { sequence, hash }: Head): string {
  return JSON.stringify({ userId, sequence, hash });
}
