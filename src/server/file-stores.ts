import type { SlugBuilder } from '../build/slug-builder.ts'
import type { Kept } from '../controllers/journal.ts'
import type { Sources } from '../source/sources.ts'

/** What fills the disk, each with its way to forget what history no longer needs. */
export function fileStores({ source, builder }: { source: Sources; builder: SlugBuilder }): readonly { collect(kept: Kept): Promise<void> }[] {
  return [{ collect: async (kept) => void (await source.collect(kept)) }, { collect: async (kept) => void (await builder.collect(kept)) }]
}
