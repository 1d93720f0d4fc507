import { useEffect, useState } from "preact/hooks";
import type { ConsoleConfig } from "../../config.ts";
import { readConfig } from "../config.ts";

/** The settings of the stage, once they are read, or why they can't be. */
export function useConfig(): { readonly config?: ConsoleConfig; readonly problem?: string } {
  const [result, setResult] = useState<{ readonly config?: ConsoleConfig; readonly problem?: string }>({});
  useEffect(() => {
    readConfig().then(
      (config) => setResult({ config }),
      () => setResult({ problem: "The ledger can't be reached. Check the connection, then reload the page." }),
    );
  }, []);
  return result;
}
