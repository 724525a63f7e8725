import { spawn } from 'node:child_process'
import { join } from 'node:path'

const WEIR = join(import.meta.dirname, '../../bin/weir')

export interface WeirRun {
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Ends the command at once; what it asked the server for goes on. */
  readonly signal?: AbortSignal
  /** Only what it says on stderr is shown. */
  readonly quiet?: boolean
  /** Exit code of the command when all is well: 0 when not named. */
  readonly endsWith?: number
}

/**
 * Runs `weir ARGS` in this terminal. It is not in the terminal's process group: Ctrl-C is for the demo, which ends things in their order.
 *
 * @example await weir(['ps', '-a', 'playlist'], { env, cwd })
 */
export function weir(args: readonly string[], { env, cwd, signal, quiet = false, endsWith = 0 }: WeirRun): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(WEIR, args, { env: { ...env }, cwd, stdio: ['ignore', quiet ? 'ignore' : 'inherit', 'inherit'], detached: true })
    const end = () => child.kill('SIGKILL')
    signal?.addEventListener('abort', end, { once: true })
    child.once('error', reject)
    child.once('close', (code, killedBy) => {
      signal?.removeEventListener('abort', end)
      if (code === endsWith) resolve()
      else reject(new Error(`weir ${args[0]} ended with ${killedBy ?? code}`))
    })
  })
}
