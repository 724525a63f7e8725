import type { IncomingMessage } from 'node:http'
import { gunzipSync, inflateSync } from 'node:zlib'
import { Refused } from './refused.ts'

/** As it comes over the wire. */
export const MAX_BODY_BYTES = 16 * 2 ** 20
/** After decompression: a bomb of 16 MB would be 16 GB. */
export const MAX_INFLATED_BYTES = 32 * 2 ** 20
const MIN_CHUNK = 1024

/**
 * The whole body as it came; a `Refused` when it is too large, null when the sender went away. `upTo` is told how large it is so far, since not
 * every sender announces that, and throws a `Refused` when there is no room for so much.
 */
export function readBody(request: IncomingMessage, upTo: (bytes: number) => void, done: (body: Uint8Array | Refused | null) => void): void {
  const chunks: Buffer[] = []
  let size = 0
  let told = false
  const tell = (body: Uint8Array | Refused | null) => {
    if (told) return
    told = true
    done(body)
  }
  request.on('data', (chunk: Buffer) => {
    if (told) return
    size += chunk.length
    try {
      if (size > MAX_BODY_BYTES) throw new Refused('size', `The body is over ${MAX_BODY_BYTES} bytes.`)
      upTo(size)
      chunks.push(chunk)
    } catch (error) {
      chunks.length = 0
      tell(error as Refused)
    }
  })
  request.on('end', () => tell(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)))
  request.on('error', () => tell(null))
  request.on('close', () => tell(null))
}

/**
 * Decompresses at once, on this thread: half a millisecond for a batch of 512 spans, less than handing it to another thread costs where there
 * is no other core. gzip says at its end how much it holds, so that one buffer of that size is enough; it need not be true.
 */
export function inflate(body: Uint8Array, encoding: string): Uint8Array {
  if (encoding === '' || encoding === 'identity') return body
  if (encoding !== 'gzip' && encoding !== 'x-gzip' && encoding !== 'deflate') throw new Refused('type', `Content-Encoding ${encoding} is not known: gzip is.`)
  try {
    return encoding === 'deflate'
      ? inflateSync(body, { maxOutputLength: MAX_INFLATED_BYTES })
      : gunzipSync(body, { maxOutputLength: MAX_INFLATED_BYTES, chunkSize: announced(body) })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new Refused('size', `The body is over ${MAX_INFLATED_BYTES} bytes when decompressed.`)
    throw new Refused('malformed', `The body is no ${encoding}.`)
  }
}

/** One byte more than announced, so that the end is seen without a second buffer. No more than a hundred times what came: senders may lie. */
function announced(gzip: Uint8Array): number {
  if (gzip.length < 18) return MIN_CHUNK
  const size = new DataView(gzip.buffer, gzip.byteOffset + gzip.length - 4, 4).getUint32(0, true) + 1
  return Math.max(MIN_CHUNK, Math.min(size, 100 * gzip.length, MAX_INFLATED_BYTES))
}
