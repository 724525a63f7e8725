import { readdir, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** The runner's own daemons write here, for as long as there is a runner. */
const OWN_FOLDER = 'weir'
/** `e1-web-v3-7.jsonl`, and rotated `e1-web-v3-7.jsonl.2`. */
const LOG = /^(.+)\.jsonl(\.\d+)?$/

/**
 * Removes logs of replicas and tasks that the runner knows no more and that have been silent for so long. The folder of an environment goes
 * with its last file.
 *
 * @example await removeOldLogs('/var/lib/weir/logs', { known: new Set(['e1-web-v3-7']), silentForMs: 7 * 86_400_000 })
 */
export async function removeOldLogs(
  folder: string,
  { known, silentForMs }: { readonly known: ReadonlySet<string>; readonly silentForMs: number },
): Promise<void> {
  const before = Date.now() - silentForMs
  for (const environment of await names(folder)) {
    if (environment === OWN_FOLDER) continue
    const files = await names(join(folder, environment))
    for (const file of files) {
      const id = LOG.exec(file)?.[1]
      if (id === undefined || known.has(id)) continue
      const path = join(folder, environment, file)
      const about = await stat(path).catch(() => null)
      if (about && about.mtimeMs < before) await rm(path, { force: true })
    }
    await rmdir(join(folder, environment)).catch(() => {}) // not empty
  }
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => [])
}
