import { useState } from "preact/hooks";
import type { StatementQuery, Wallet } from "../../../packages/client/src/index.ts";
import { type Failure, failureOf } from "../logic/problem.ts";
import { FailureMessage } from "./FailureMessage.tsx";

interface Props {
  readonly wallet: Wallet;
  readonly query: StatementQuery;
}

/** Downloads the whole statement, also what the page has not read yet. */
export function CsvDownload({ wallet, query }: Props) {
  const [isReading, setReading] = useState(false);
  const [failure, setFailure] = useState<Failure>();

  async function download() {
    setReading(true);
    setFailure(undefined);
    try {
      const parts: string[] = [];
      for await (const part of wallet.statementCsv({ ...query, limit: 100 })) parts.push(part);
      saveFile(`statement-${wallet.userId}-${query.currency}.csv`, parts);
    } catch (error) {
      setFailure(failureOf(error));
    }
    setReading(false);
  }

  return (
    <>
      {failure && <FailureMessage failure={failure} what="The file could not be read" />}
      <div class="actions no-print">
        <button type="button" onClick={download} disabled={isReading}>
          {isReading ? "Reading the file…" : "Download as CSV"}
        </button>
      </div>
    </>
  );
}

function saveFile(name: string, parts: string[]): void {
  const url = URL.createObjectURL(new Blob(parts, { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name.replace(/[^\w.-]/g, "_");
  link.click();
  URL.revokeObjectURL(url);
}
