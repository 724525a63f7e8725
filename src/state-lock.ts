import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { WeirError } from './errors.ts'

const BUSY = 75

/**
 * Takes the state folder for this process until it ends, however it ends: `flock` of util-linux locks the open file that we hand it, and the
 * lock stays with our descriptor. Two servers on one folder are refused, and a lock that we get proves that the last server is dead.
 *
 * @example const unlock = lockState('/var/lib/weir/lock')
 */
export function lockState(path: string): () => void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 })
  const fd = openSync(path, 'a+', 0o600)
  const { status, error } = spawnSync('flock', ['--exclusive', '--nonblock', '--conflict-exit-code', String(BUSY), '3'], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
    env: { PATH: process.env['PATH'] },
  })
  if (status !== 0) {
    const holder = readFileSync(path, 'utf8').trim()
    closeSync(fd)
    if (error)
      throw new WeirError('E_STATE', {
        message: 'the state folder cannot be locked',
        cause: `flock does not start: ${error.message}`,
        next: 'install util-linux',
      })
    throw new WeirError('E_STATE', {
      message: 'another server works with this state folder',
      cause: holder ? `process ${holder} holds ${path}` : `${path} is locked`,
      state: 'it goes on undisturbed',
      next: 'weir down, or `weir server --join` for a second server on the same database',
    })
  }
  writeFileSync(path, `${process.pid}\n`)
  return () => closeSync(fd)
}
