import type { Currency } from "../../../packages/client/src/index.ts";
import { useConsole } from "../context.ts";
import { type Resource, useResource } from "./useResource.ts";

let cached: readonly Currency[] | undefined;

/** The enabled currencies. Read once. */
export function useCurrencies(): Resource<readonly Currency[]> {
  const { client } = useConsole();
  return useResource(async (signal) => {
    cached ??= await client.currencies({ signal });
    return cached;
  }, []);
}
