import { LiveBlock } from '../output/live.ts'
import type { AppContext } from './context.ts'
import type { Session } from './session.ts'

interface Picture {
  readonly data: unknown
  readonly lines: () => readonly string[]
}

const LOOK_AGAIN_MS = 2000

/** Shows a picture once or, with `--watch`, again whenever something happened, until Ctrl-C. */
export async function watching(session: Session, context: AppContext, look: () => Promise<Picture>): Promise<void> {
  const first = await look()
  if (!session.flag('watch')) {
    await session.print(first.data, first.lines)
    return
  }
  const { terminal } = session
  const block = terminal.interactive && (session.format === 'table' || session.format === 'wide') ? new LiveBlock(terminal) : null
  const stopped = new AbortController()
  const release = terminal.onInterrupt(() => stopped.abort())
  let wake = () => {}
  void hear(session, context, stopped.signal, () => wake())
  let shown = ''
  try {
    for (let picture = first; !stopped.signal.aborted; picture = await look()) {
      const text = JSON.stringify(picture.data)
      if (block) block.show(picture.lines().slice(0, terminal.height() - 1))
      else if (text !== shown) await session.print(picture.data, picture.lines)
      shown = text
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_AGAIN_MS)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
        stopped.signal.addEventListener('abort', wake, { once: true })
      })
    }
  } finally {
    stopped.abort()
    release()
  }
}

async function hear(session: Session, context: AppContext, signal: AbortSignal, wake: () => void): Promise<void> {
  try {
    const client = await session.client()
    for await (const _ of client.stream('events.follow', { query: context }, { signal })) wake()
  } catch {
    // without events it is looked at every LOOK_AGAIN_MS
  }
}
