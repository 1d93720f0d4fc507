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
  /** RFC 6962 Merkle tree hash of all other lines of the file, in base64url. */
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
  const content = { createdAt, heads: new Map(heads), totalsMinor };
  return { ...content, root: rootOf(linesOf(content)) };
}

const VERSION = 1;

const firstLine = z.strictObject({
  version: z.literal(VERSION),
  createdAt: z.iso.datetime(),
  wallets: z.int(),
  totalsMinor: z.record(z.string(), z.pipe(z.string().check(z.regex(/^[0-9]+$/)), z.transform<string, bigint>(BigInt))),
});
const headLine = z.strictObject({ userId: z.string(), sequence: z.int(), hash: z.string() });
const rootLine = z.strictObject({ root: z.string() });

/** The text of a checkpoint's file, line by line: one about all, one for each user, and the root of these. */
export function* checkpointText(checkpoint: Checkpoint): Generator<string> {
  for (const line of linesOf(checkpoint)) yield `${line}\n`;
  yield `${JSON.stringify({ root: checkpoint.root } satisfies z.input<typeof rootLine>)}\n`;
}

function* linesOf({ createdAt, heads, totalsMinor }: Omit<Checkpoint, "root">): Generator<string> {
  const totals = [...totalsMinor].sort(([a], [b]) => (a < b ? -1 : 1)).map(([code, minor]) => [code, String(minor)]);
  const first: z.input<typeof firstLine> = {
    version: VERSION,
    createdAt,
    wallets: heads.size,
    totalsMinor: Object.fromEntries(totals),
  };
  yield JSON.stringify(first);
  for (const [userId, { sequence, hash }] of heads) yield JSON.stringify({ userId, sequence, hash });
}

/**
 * @param text the lines of {@link checkpointText}, without their ends
 * @throws Error for other lines, and for a root that is not that of the lines
 */
export async function readCheckpoint(text: AsyncIterable<string>): Promise<Checkpoint> {
  const lines: string[] = [];
  for await (const line of text) lines.push(line);
  const [first, ...others] = lines.slice(0, -1);
  if (first === undefined) throw new Error("The file has no lines of a checkpoint");
  const { createdAt, wallets, totalsMinor } = parseLine(firstLine, first, 1);
  const { root } = parseLine(rootLine, lines.at(-1) ?? "", lines.length);
  if (wallets !== others.length || root !== rootOf(lines.slice(0, -1))) {
    throw new Error("The root is not that of the other lines");
  }
  const heads = others.map((line, index): [string, Head] => {
    const { userId, ...head } = parseLine(headLine, line, index + 2);
    return [userId, head];
  });
  return { createdAt, heads: new Map(heads), totalsMinor: new Map(Object.entries(totalsMinor)), root };
}

/** The message of zod's own error is a JSON array of several lines. */
function parseLine<T>(schema: z.ZodMiniType<T>, line: string, number: number): T {
  const parsed = schema.safeParse(JSON.parse(line));
  if (parsed.success) return parsed.data;
  throw new Error(`Line ${number} does not have the fields of a checkpoint of version ${VERSION}`);
}

function rootOf(lines: Iterable<string>): string {
  return merkleRoot(leavesOf(lines)).toString("base64url");
}

function* leavesOf(lines: Iterable<string>): Generator<Buffer> {
  for (const line of lines) yield Buffer.from(line);
}
