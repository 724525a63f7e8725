import type { ExecSession } from '../drivers/exec.ts'

/** Takes what came for a command's standard input; empty: there is no more. */
export type Input = (bytes: Buffer) => Promise<void>

export function plainInput(session: ExecSession): Input {
  return async (bytes) => {
    if (bytes.length === 0) session.endInput()
    else await session.write(bytes)
  }
}

/**
 * Keys as they are typed on a terminal in raw mode. The command has pipes, not a terminal, so the little that a person needs of one is done here:
 *
 * | key           | byte     | does                                   |
 * |---------------|----------|----------------------------------------|
 * | Ctrl-C        | 03       | SIGINT                                 |
 * | Ctrl-\        | 1c       | SIGQUIT                                |
 * | Ctrl-D        | 04       | the input has ended                    |
 * | Enter         | 0d       | sends the line                         |
 * | Backspace     | 7f, 08   | takes the last character back          |
 * | anything else |          | is shown, and sent with its line       |
 */
export function typedInput(session: ExecSession, show: (echo: Buffer) => void): Input {
  let line: number[] = []
  let echo: number[] = []
  const flush = async (send: readonly number[]) => {
    if (echo.length > 0) show(Buffer.from(echo))
    echo = []
    if (send.length > 0) await session.write(Uint8Array.from(send))
  }
  return async (keys) => {
    for (const key of keys) {
      if (key === 0x03 || key === 0x1c) {
        line = []
        await flush([])
        session.signal(key === 0x03 ? 'SIGINT' : 'SIGQUIT')
      } else if (key === 0x04) {
        await flush(line)
        line = []
        session.endInput()
      } else if (key === 0x0d || key === 0x0a) {
        echo.push(0x0d, 0x0a)
        await flush([...line, 0x0a])
        line = []
      } else if (key === 0x7f || key === 0x08) {
        if (line.length === 0) continue
        while (((line.pop() ?? 0) & 0xc0) === 0x80); // the bytes that continue a character of UTF-8
        echo.push(0x08, 0x20, 0x08)
      } else {
        line.push(key)
        echo.push(key)
      }
    }
    await flush(keys.length === 0 ? line : [])
    if (keys.length === 0) session.endInput()
  }
}
