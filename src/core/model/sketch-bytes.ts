/**
 * A sparse latency sketch (latency-sketch.ts) as few bytes: a first byte that says how counts are written, then for each bucket its distance from
 * the one before and its count, as numbers of seven bits a byte. Counts of sampled spans are fractions: then all are written in 256ths.
 */
const WHOLE = 1
const IN_256THS = 2
/** A number of seven bits a byte has at most eight bytes here: 2^53. */
const MAX_NUMBER = 2 ** 53 - 1

/** @example packSketch([127, 99, 300, 1]) // 1 + 5 bytes */
export function packSketch(sketch: readonly number[]): Uint8Array {
  let scale = 1
  for (let at = 1; at < sketch.length; at += 2) if (!Number.isInteger(sketch[at])) scale = 256
  const bytes: number[] = [scale === 1 ? WHOLE : IN_256THS]
  let last = 0
  for (let at = 0; at + 1 < sketch.length; at += 2) {
    const bucket = sketch[at] as number
    const away = bucket - last
    last = bucket
    pushNumber(bytes, away < 0 ? -2 * away - 1 : 2 * away)
    pushNumber(bytes, Math.min(MAX_NUMBER, Math.max(0, Math.round((sketch[at + 1] as number) * scale))))
  }
  return Uint8Array.from(bytes)
}

/** Bytes that no sketch was packed into give an empty one. */
export function unpackSketch(bytes: Uint8Array): number[] {
  const scale = bytes[0] === WHOLE ? 1 : bytes[0] === IN_256THS ? 256 : 0
  const sketch: number[] = []
  if (scale === 0) return sketch
  const reader = { bytes, at: 1 }
  let bucket = 0
  while (reader.at < bytes.length) {
    const zigzag = takeNumber(reader)
    bucket += zigzag % 2 === 1 ? -(zigzag + 1) / 2 : zigzag / 2
    sketch.push(bucket, takeNumber(reader) / scale)
  }
  return sketch
}

function pushNumber(bytes: number[], value: number): void {
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
}

function takeNumber(reader: { readonly bytes: Uint8Array; at: number }): number {
  let value = 0
  let factor = 1
  for (; reader.at < reader.bytes.length; factor *= 128) {
    const byte = reader.bytes[reader.at++] as number
    value += (byte & 127) * factor
    if (byte < 128) break
  }
  return value
}
