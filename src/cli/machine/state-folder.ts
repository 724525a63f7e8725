import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { StatePaths } from '../../config.ts'
import { WeirError } from '../../errors.ts'

/** A unix socket's address has room for 107 bytes; some more are kept for names that are still to come. */
export const MAX_SOCKET_BYTES = 100

/** Makes the state folder, or says why it cannot be one: too long for sockets, not writable, or hidden from unprivileged accounts. */
export function prepareStateFolder(paths: StatePaths): void {
  const problem = stateFolderProblem(paths)
  if (problem !== null)
    throw new WeirError('E_STATE', { message: `${paths.home} cannot be the state folder`, cause: problem, next: 'set WEIR_HOME to another folder' })
}

/** null: it can be used. Makes the folder where it is missing. */
export function stateFolderProblem(paths: StatePaths): string | null {
  const longest = Buffer.byteLength(paths.gatewaySocket)
  if (longest > MAX_SOCKET_BYTES) return `its path is too long for sockets: ${paths.gatewaySocket} has ${longest} bytes, ${MAX_SOCKET_BYTES} fit`
  try {
    mkdirSync(paths.home, { recursive: true, mode: 0o711 })
    accessSync(paths.home, constants.W_OK | constants.X_OK)
  } catch (error) {
    return `it cannot be written: ${(error as Error).message}`
  }
  const hidden = process.getuid?.() === 0 ? hiddenFolder(paths.home) : null
  return hidden === null ? null : `apps run as accounts of their own, and these cannot pass through ${hidden} (chmod o+x ${hidden})`
}

/** The first folder on the way to `path` that others may not pass; null: the way is free. */
export function hiddenFolder(path: string): string | null {
  if (dirname(path) === path) return null
  return hiddenFolder(dirname(path)) ?? ((statSync(path).mode & 0o001) === 0 ? path : null)
}
