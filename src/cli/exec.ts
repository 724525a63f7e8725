import type { ExecSession } from '../../packages/client/src/client.ts'
import { exitCodeOf, exitNote } from './frame/exit-status.ts'
import type { Session } from './frame/session.ts'
import type { Terminal } from './frame/terminal.ts'

/** Runs a command inside a running replica; on a terminal as if one sat there, in a pipe byte by byte. */
export async function exec(session: Session): Promise<number> {
  const [service = '', ...argv] = session.args
  const params = await session.app()
  const client = await session.client()
  const { terminal } = session
  const isTerminal = terminal.asks && terminal.interactive
  const size = { columns: terminal.width() ?? 80, rows: terminal.height() }
  const remote = await client.exec({ params, query: { service } }, { argv, tty: isTerminal ? size : null })
  const release = attach(terminal, remote, isTerminal)
  try {
    for await (const { stream, chunk } of remote.output) terminal.write(chunk, stream)
    const exit = await remote.exit
    const note = exitNote(exit)
    if (note !== null) session.note(note)
    return exitCodeOf(exit)
  } finally {
    release()
    remote.close()
  }
}

/** Keys go to the replica, Ctrl-C too; returns the way to give the terminal back. */
function attach(terminal: Terminal, remote: ExecSession, isTerminal: boolean): () => void {
  const { stdin } = terminal
  const write = (chunk: Buffer) => remote.write(chunk)
  const end = () => remote.end()
  if (isTerminal) stdin.setRawMode(true)
  stdin.on('data', write).once('end', end)
  const release = terminal.onResize(() => remote.resize(terminal.width() ?? 80, terminal.height()))
  return () => {
    release()
    stdin.off('data', write).off('end', end)
    if (isTerminal) stdin.setRawMode(false)
    stdin.pause()
    stdin.unref?.()
  }
}
