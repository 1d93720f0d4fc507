/** A page of a list. */
export interface Page<Item> {
  readonly data: readonly Item[];
  /** The `cursor` of the next page; null on the last one. */
  readonly nextCursor: string | null;
}

/**
 * A list that the client reads page by page, when its items are asked for. `for await` reads all items.
 *
 * @example
 * ```ts
 * const { data, nextCursor } = await wallet.transactions({ limit: 20 }).page();
 * ```
 */
export interface List<Item, OnePage = Page<Item>> extends AsyncIterable<Item> {
  /** Reads the first page. To continue after it, ask for a list with its `nextCursor` as `cursor`. */
  page(): Promise<OnePage>;
  /** Reads page after page, from the first on. */
  pages(): AsyncIterable<OnePage>;
}

/**
 * @param read reads the page after another one, or the first page
 * @param itemsOf the items of a page
 */
export function listOf<Item, OnePage extends { readonly nextCursor: string | null }>(
  read: (previous?: OnePage) => Promise<OnePage>,
  itemsOf: (page: OnePage) => readonly Item[],
): List<Item, OnePage> {
  async function* pages() {
    let page = await read();
    yield page;
    while (page.nextCursor !== null) {
      page = await read(page);
      yield page;
    }
  }
  return {
    page: () => read(),
    pages,
    async *[Symbol.asyncIterator]() {
      for await (const page of pages()) yield* itemsOf(page);
    },
  };
}
