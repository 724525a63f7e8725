import { randomBytes } from 'node:crypto'
import { closeSync, fstatSync, fsyncSync, linkSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { WeirError } from '../errors.ts'

const KEY_BYTES = 32

/**
 * The key that seals secrets: made at the first start (0600), read ever after. A key that others may read is refused, not repaired:
 * whoever could read it may have done so.
 *
 * @example const sealer = new AesSealer(readOrMakeKey(statePaths().key))
 */
export function readOrMakeKey(path: string): Uint8Array {
  return read(path) ?? make(path)
}

function read(path: string): Uint8Array | null {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw unusable(path, (error as Error).message, `make ${path} readable for the server's account`)
  }
  try {
    const { mode, size } = fstatSync(file)
    if ((mode & 0o077) !== 0)
      throw unusable(
        path,
        `its mode is ${(mode & 0o777).toString(8).padStart(4, '0')}: others can read or change it`,
        `chmod 600 ${path}, and set all secrets anew if others had access`,
      )
    if (size !== KEY_BYTES) throw unusable(path, `it has ${size} bytes instead of ${KEY_BYTES}`, 'restore it from a backup')
    const key = Buffer.alloc(KEY_BYTES)
    readSync(file, key, 0, KEY_BYTES, 0)
    return key
  } finally {
    closeSync(file)
  }
}

/** Written whole beside, then linked: a crash leaves no half key, and of two servers that start at once both use the first's. */
function make(path: string): Uint8Array {
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  try {
    const file = openSync(draft, 'wx', 0o600)
    writeSync(file, randomBytes(KEY_BYTES))
    fsyncSync(file)
    closeSync(file)
    try {
      linkSync(draft, path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  } catch (error) {
    throw unusable(path, (error as Error).message, 'check that the state folder is writable and not full')
  } finally {
    rmSync(draft, { force: true })
  }
  const folder = openSync(dirname(path), 'r')
  fsyncSync(folder)
  closeSync(folder)
  const key = read(path)
  if (!key) throw unusable(path, 'it vanished while it was made', 'start again')
  return key
}

function unusable(path: string, cause: string, next: string): WeirError {
  return new WeirError('E_STATE', { message: `the key file ${path} cannot be used`, cause, state: 'nothing was started', next })
}
