import type { SlugBuilder } from '../build/slug-builder.ts'
import type { FileStore } from '../controllers/upkeep.ts'
import type { RpcClient } from '../rpc/client.ts'
import type { Sources } from '../source/sources.ts'

/** Logs of what ended longer ago than this go. */
const LOGS_MS = 7 * 86_400_000

/** What fills the disk, each with its way to forget what history no longer needs. Unpacked slugs and logs belong to the runner. */
export function fileStores({ source, builder, runner }: { source: Sources; builder: SlugBuilder; runner: RpcClient }): readonly FileStore[] {
  return [
    { collect: async (kept) => void (await source.collect(kept)) },
    {
      collect: async (kept, epoch) => {
        const digests = await builder.collect(kept)
        if (digests.length > 0) await runner.call('removeSlugs', { digests, epoch })
      },
    },
    { collect: async (_kept, epoch) => void (await runner.call('removeLogs', { silentForMs: LOGS_MS, epoch })) },
  ]
}
