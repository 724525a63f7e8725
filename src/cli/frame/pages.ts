interface Page<Item> {
  readonly items: readonly Item[]
  readonly cursor: string | null
}

/** All items of a list, page after page; stops at `atMost`. */
export async function everyPage<Item>(page: (cursor: { readonly cursor?: string }) => Promise<Page<Item>>, atMost = 10_000): Promise<Item[]> {
  const all: Item[] = []
  let cursor: string | null = null
  do {
    const answer: Page<Item> = await page(cursor === null ? {} : { cursor })
    all.push(...answer.items)
    cursor = answer.cursor
  } while (cursor !== null && all.length < atMost)
  return all.slice(0, atMost)
}
