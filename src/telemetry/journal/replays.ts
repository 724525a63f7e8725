import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** So often a journal is taken in again; a process that died of it twice would die of it for ever. */
const MOST_REPLAYS = 2
/** How often each file was begun. */
const REPLAYS = 'replays.json'
/** Of what was set aside so much stays for whoever wants to know why: one process has two files. */
const MOST_KEPT = 2
const SET_ASIDE = '.set-aside'

/**
 * Notes, before it happens, that these files of the folder are taken in again. Those that were begun twice without an end are renamed to
 * `*.set-aside`, are not read any more, and are returned.
 *
 * @example beginReplay('/var/lib/weir/journal', ['9f00-1.journal', '9f00-2.journal']) // []
 */
export function beginReplay(folder: string, files: readonly string[]): string[] {
  const begun = begunIn(folder)
  const timesOf = (file: string) => begun[file] ?? 0
  const setAside = files.filter((file) => timesOf(file) >= MOST_REPLAYS)
  for (const file of setAside) renameSync(join(folder, file), join(folder, file + SET_ASIDE))
  forgetOldest(folder)
  const allowed = files.filter((file) => !setAside.includes(file))
  if (allowed.length > 0) write(folder, Object.fromEntries(allowed.map((file) => [file, timesOf(file) + 1])))
  return setAside
}

/** Everything was taken in. */
export function endReplay(folder: string): void {
  rmSync(join(folder, REPLAYS), { force: true })
}

/** Files that nobody has removed since. */
export function setAsideIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(SET_ASIDE)) : []
}

function forgetOldest(folder: string): void {
  const newestFirst = setAsideIn(folder)
    .map((file) => ({ file, atMs: statSync(join(folder, file)).mtimeMs }))
    .sort((a, b) => b.atMs - a.atMs)
  for (const { file } of newestFirst.slice(MOST_KEPT)) rmSync(join(folder, file), { recursive: true })
}

function begunIn(folder: string): Record<string, number> {
  try {
    return JSON.parse(readFileSync(join(folder, REPLAYS), 'utf8')) as Record<string, number>
  } catch {
    return {} // the last one came to its end
  }
}

/** As one step: a kill leaves the old count or the new one. */
function write(folder: string, begun: Readonly<Record<string, number>>): void {
  const path = join(folder, REPLAYS)
  writeFileSync(`${path}.new`, JSON.stringify(begun), { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
