import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isWeirError, WeirError } from '../../../errors.ts'

/**
 * Replaces the file in one step: whoever reads it after a crash sees the old or the new text, never a part.
 * `durable` also survives a power cut; without it only the death of this process.
 */
export function replaceFile(path: string, text: string, { durable, mode }: { durable: boolean; mode: number }): void {
  const fresh = `${path}.new`
  rmSync(fresh, { force: true })
  const file = openSync(fresh, 'wx', mode)
  try {
    writeFileSync(file, text) // all of it or an error: a single write may end early where the disk does
    if (durable) fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(fresh, path)
  if (durable) syncFolder(dirname(path))
}

/**
 * On a full disk a durable record is refused; one that only follows what happened is left as it was, because what runs must go on and
 * a later runner finds the rest by looking.
 *
 * @example writeRecord('/var/lib/weir/runner/epoch.json', { epoch: 7 }, { durable: true })
 */
export function writeRecord(path: string, value: unknown, { durable }: { durable: boolean }): void {
  try {
    replaceFile(path, JSON.stringify(value), { durable, mode: 0o600 })
  } catch (error) {
    if (!isDiskFull(error)) throw error
    rmSync(`${path}.new`, { force: true })
    if (durable)
      throw new WeirError(
        'E_DISK_FULL',
        { message: 'the disk under the state folder is full', cause: `${path} could not be written`, next: 'weir doctor' },
        { cause: error },
      )
  }
}

/** Writes what has already happened and cannot be taken back: durable if the disk allows, kept in memory if not. */
export function recordOutcome(path: string, value: unknown): void {
  try {
    writeRecord(path, value, { durable: true })
  } catch (error) {
    if (!isWeirError(error, 'E_DISK_FULL')) throw error
  }
}

function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
}

export function removeRecord(path: string): void {
  rmSync(path, { force: true })
  syncFolder(dirname(path))
}

/** All records of a folder; none when there is no folder. */
export function readRecords<T>(folder: string): T[] {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return []
  }
  return names
    .filter((name) => name.endsWith('.json'))
    .map((name) => readRecord<T>(join(folder, name)))
    .filter((record) => record !== null)
}

/** null: there is none. */
export function readRecord<T>(path: string): T | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    return JSON.parse(text) as T
  } catch (error) {
    throw new WeirError('E_STATE', { message: `${path} is damaged`, cause: String(error), next: `move it away and start again` }, { cause: error })
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
