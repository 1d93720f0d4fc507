import { useConsole } from "../context.ts";

/** The wallet that the user may open: the given one, or the user's own if a hold in that of another user is shown. */
export function useOpenWallet(userId: string): string {
  const { isOperator, userId: caller } = useConsole();
  return isOperator ? userId : caller;
}
