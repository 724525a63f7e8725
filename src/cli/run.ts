import type { TaskView } from '../../packages/client/src/types.ts'
import { exitCodeOf, exitNote } from './frame/exit-status.ts'
import type { Session } from './frame/session.ts'
import { timeoutMs } from './frame/wait.ts'
import { escapeControl } from './output/escape.ts'

const POLL_MS = 200

/** Runs a command in a fresh replica, prints what it prints and ends as it ends. */
export async function run(session: Session): Promise<number> {
  const [service = '', ...argv] = session.args
  const context = await session.app()
  const client = await session.client()
  const timeout = timeoutMs(session)
  const { task } = await client.call('tasks.create', {
    params: context,
    body: { service, argv, ...(timeout === null ? {} : { timeoutSeconds: Math.max(1, Math.ceil(timeout / 1000)) }) },
  })
  const params = { ...context, task }
  const detached = new AbortController()
  const release = session.terminal.onInterrupt(() => detached.abort())
  try {
    for await (const { event, data } of client.stream('tasks.output', { params }, { signal: detached.signal })) {
      if (event === 'output') print(session, data)
    }
  } catch (error) {
    if (!detached.signal.aborted) throw error
    session.note(`${task} goes on without this command`)
    return 130
  } finally {
    release()
  }
  return concluded(session, await endOf(() => client.call('tasks.show', { params })))
}

/** A line each; what could steer a terminal is shown there, not done. */
function print({ terminal, format }: Session, { stream, text }: { readonly stream: string; readonly text: string }): void {
  if (format === 'jsonl') terminal.out(`${JSON.stringify({ event: 'output', stream, text })}\n`)
  else (stream === 'stderr' ? terminal.err : terminal.out)(`${terminal.interactive ? escapeControl(text) : text}\n`)
}

async function concluded(session: Session, task: TaskView): Promise<number> {
  const exit = task.exit ?? { kind: 'unknown' as const }
  if (session.format !== 'table' && session.format !== 'wide') await session.print(task, () => [])
  const note = exitNote(exit)
  if (note !== null) session.note(note)
  return exitCodeOf(exit)
}

async function endOf(look: () => Promise<TaskView>): Promise<TaskView> {
  for (;;) {
    const task = await look()
    if (task.phase !== 'waiting' && task.phase !== 'running') return task
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
