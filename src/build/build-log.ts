import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_MS = 100

/**
 * The log of a build from byte `from`: its files one after the other, in order of their names, as they grow, until the build is no
 * longer `live` and everything was read.
 *
 * @example for await (const bytes of followLog('/var/lib/weir/builds/logs/…', 0, () => false)) process.stdout.write(bytes)
 */
export async function* followLog(folder: string, from: number, live: () => boolean): AsyncGenerator<Uint8Array> {
  let skip = from
  for (let n = 0; ; n++) {
    let at = 0
    for (;;) {
      const grows = live() // asked before reading: what is written in between is read the next time
      const names = (await readdir(folder).catch(() => [])).sort()
      const name = names[n]
      const chunk = name === undefined ? null : await readFrom(join(folder, name), at)
      if (chunk && chunk.length > 0) {
        at += chunk.length
        const shown = chunk.subarray(Math.min(skip, chunk.length))
        skip -= chunk.length - shown.length
        if (shown.length > 0) yield shown
      } else if (names[n + 1] !== undefined) break
      else if (!grows) return
      else await sleep(LOOK_MS)
    }
  }
}

async function readFrom(path: string, at: number): Promise<Buffer | null> {
  const file = await open(path, 'r').catch(() => null)
  if (!file) return null
  try {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(64 * 1024), 0, 64 * 1024, at)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
