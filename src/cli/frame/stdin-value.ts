import type { Session } from './session.ts'
import { usage } from './usage.ts'

const MAX_BYTES = 64 * 1024

/**
 * A value that must not stand on a command line, where every user of the machine could read it: typed unseen, or from a pipe.
 * The line break at its end belongs to the pipe, not to the value; `keepEnd` keeps it, as a private key needs it.
 */
export async function stdinValue(session: Session, what: string, keepEnd = false): Promise<string> {
  const { terminal } = session
  const text = terminal.asks ? await terminal.ask(`${what}: `, true) : await terminal.readStdin(MAX_BYTES)
  if (Buffer.byteLength(text) > MAX_BYTES) throw usage(`${what} is over 64 KiB`)
  const value = keepEnd ? text : text.replace(/\r?\n$/, '')
  if (value === '') throw usage(`${what}: standard input is empty`, undefined, 'pipe it in: weir … < file')
  return value
}
