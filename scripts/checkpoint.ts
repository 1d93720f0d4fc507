import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as z from "zod";
import { dynamoLedgerReader } from "../lib/aws/ledgerReader.ts";
import { checkpointText, createCheckpoint } from "../lib/ledger/checkpoint.ts";
import { CommandError, command } from "./command.ts";
import { stage, useStage } from "./target.ts";

const USAGE = `Usage: npm run checkpoint -- FILE [--stage STAGE]

Writes every user's sequence number and hash, the totals by currency and their Merkle root to FILE. Keep the printed line elsewhere: it
shows later whether FILE is unchanged. Without --stage, it uses the stack of npm start.`;

const definition = {
  usage: USAGE,
  options: { stage },
  positionals: { file: z.string().min(1, "must not be empty") },
};

export default await command(
  definition,
  async ({ file, stage }) => {
    useStage(stage);
    const checkpoint = await createCheckpoint(dynamoLedgerReader, new Date().toISOString()).catch(
      failed("The ledger can't be read"),
    );
    const output = createWriteStream(file, { flags: "wx" });
    await pipeline(Readable.from(checkpointText(checkpoint)), output).catch(failed(`${file} can't be written`));
    console.log(`checkpoint ${checkpoint.createdAt} wallets=${checkpoint.heads.size} root=${checkpoint.root}`);
  },
  import.meta.main,
);

function failed(what: string): (error: unknown) => never {
  return (error) => {
    throw new CommandError(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  };
}
