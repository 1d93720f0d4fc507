import type { ComponentType } from "preact";
import type { Params } from "./router.ts";

export interface PageProps {
  /** The values of the names in the page's path. */
  readonly params: Params;
  readonly query: URLSearchParams;
}

/** A page of the console. It renders a {@link PageHeading}, and everything else of the main area. */
export interface Page {
  /** Such as `/wallets/:userId`. */
  readonly path: string;
  readonly component: ComponentType<PageProps>;
  /** Name of the page in the navigation; without it, only links in other pages lead to it. */
  readonly navigation?: string;
  readonly isForOperators?: true;
}
