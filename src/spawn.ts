import { spawn } from 'node:child_process'

/**
 * The one way Weir runs another program to its end: argv only, an environment that is given and not inherited, no terminal,
 * a time limit and an output limit. There is no shell anywhere on this path.
 */
export interface Command {
  readonly argv: readonly [string, ...string[]]
  readonly cwd?: string
  readonly env: Readonly<Record<string, string>>
  readonly timeoutMs: number
  /** stdout and stderr each; more is cut and `truncated` says so. */
  readonly maxOutputBytes?: number
  readonly stdin?: string | Uint8Array
  readonly onOutput?: (chunk: Buffer, stream: 'stdout' | 'stderr') => void
  readonly signal?: AbortSignal
}

export interface CommandResult {
  /** null when it was ended by a signal. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly timedOut: boolean
  readonly truncated: boolean
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs `command` and says how it ended; a program that fails is a result, only one that cannot be started throws (ENOENT, EACCES).
 *
 * @example const { code, stdout } = await runCommand({ argv: ['git', '--version'], env: {}, timeoutMs: 5000 })
 */
export function runCommand(command: Command): Promise<CommandResult> {
  const limit = command.maxOutputBytes ?? 1024 * 1024
  return new Promise((resolve, reject) => {
    const [program, ...args] = command.argv
    const child = spawn(program, args, {
      cwd: command.cwd,
      env: { PATH: process.env['PATH'], ...command.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true, // its own group, so that a time-out ends its children too
      shell: false,
    })
    let timedOut = false
    let truncated = false
    const kill = () => {
      if (child.pid !== undefined) {
        try {
          process.kill(-child.pid, 'SIGKILL')
        } catch {
          // it has ended by itself
        }
      }
    }
    const timer = setTimeout(() => {
      timedOut = true
      kill()
    }, command.timeoutMs)
    command.signal?.addEventListener('abort', kill, { once: true })
    const collect = (stream: 'stdout' | 'stderr') => {
      const chunks: Buffer[] = []
      let size = 0
      child[stream].on('data', (chunk: Buffer) => {
        command.onOutput?.(chunk, stream)
        if (size + chunk.length > limit) truncated = true
        else chunks.push(chunk)
        size += chunk.length
      })
      return () => Buffer.concat(chunks).toString('utf8')
    }
    const stdout = collect('stdout')
    const stderr = collect('stderr')
    child.stdin.on('error', () => {}) // a program that reads no input closes the pipe: its exit says the rest
    child.stdin.end(command.stdin)
    child.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      command.signal?.removeEventListener('abort', kill)
      resolve({ code, signal, timedOut, truncated, stdout: stdout(), stderr: stderr() })
    })
  })
}
