import { WeirError } from '../errors.ts'

/** One entry of a tar stream: its header, then its content in `data` parts. */
export type TarPart =
  | { readonly part: 'entry'; readonly entry: TarEntry; readonly header: Buffer }
  | { readonly part: 'data'; readonly bytes: Buffer }
  | { readonly part: 'end' }

export interface TarEntry {
  /** Without a trailing `/` and a leading `./`; `''` is the folder itself. */
  readonly path: string
  readonly kind: 'file' | 'folder' | 'link'
  readonly mode: number
  readonly size: number
  readonly target: string | null
}

const BLOCK = 512
/** Long names and times; real ones are far below. */
const MAX_EXTENSION_BYTES = 64 * 1024

/**
 * Reads a tar stream (ustar, pax or GNU) part by part. Only files, folders and symbolic links are let through: everything else
 * (hard links, devices, pipes, sparse files), a wrong checksum, a cut-off end or data after the end is an `E_ARCHIVE`.
 * `header` holds the entry's raw header blocks, so that a stream can be passed on unchanged.
 *
 * @example for await (const part of readTar(createReadStream('app.tar'))) if (part.part === 'entry') names.push(part.entry.path)
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarPart> {
  const input = new BlockReader(source)
  try {
    yield* readParts(input)
  } finally {
    await input.close()
  }
}

async function* readParts(input: BlockReader): AsyncGenerator<TarPart> {
  let extension: Extension = {}
  let raw: Buffer[] = []
  for (;;) {
    const header = await input.take(BLOCK)
    if (header === null) throw damaged('it ends before its end mark')
    if (header.every((byte) => byte === 0)) {
      await expectOnlyZeros(input)
      yield { part: 'end' }
      return
    }
    if (!checksumHolds(header)) throw damaged('a header has a wrong checksum')
    const type = String.fromCharCode(header[156] ?? 0)
    const ownSize = readNumber(header, 124, 12)
    if (type === 'x' || type === 'g' || type === 'L' || type === 'K') {
      if (ownSize > MAX_EXTENSION_BYTES) throw damaged('an extended header is too long')
      const padded = await input.take(padding(ownSize) + ownSize)
      if (padded === null) throw damaged('it is cut off')
      const body = padded.subarray(0, ownSize)
      if (type === 'x') extension = { ...extension, ...readPax(body) }
      else if (type === 'L') extension = { ...extension, path: text(trimNul(body)) }
      else if (type === 'K') extension = { ...extension, target: text(trimNul(body)) }
      if (type !== 'g') raw.push(header, padded)
      continue
    }
    const entry = readEntry(header, type, ownSize, extension)
    yield { part: 'entry', entry, header: Buffer.concat([...raw, header]) }
    extension = {}
    raw = []
    for (let left = entry.size; left > 0; ) {
      const bytes = await input.some(left)
      if (bytes === null) throw damaged('it is cut off')
      left -= bytes.length
      yield { part: 'data', bytes }
    }
    if (padding(entry.size) > 0 && (await input.take(padding(entry.size))) === null) throw damaged('it is cut off')
  }
}

/** Bytes that fill `size` up to a whole number of blocks. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK
}

interface Extension {
  readonly path?: string
  readonly target?: string
  readonly size?: number
}

function readEntry(header: Buffer, type: string, ownSize: number, extension: Extension): TarEntry {
  const prefix = header.subarray(257, 263).toString('latin1') === 'ustar\0' ? text(trimNul(header.subarray(345, 500))) : ''
  const name = text(trimNul(header.subarray(0, 100)))
  const full = extension.path ?? (prefix === '' ? name : `${prefix}/${name}`)
  const kind = kindOf(type, full)
  const path = full.replace(/^(\.\/+)+/, '').replace(/\/+$/, '')
  return {
    path: path === '.' ? '' : full.startsWith('/') ? full : path,
    kind,
    mode: readNumber(header, 100, 8) & 0o777, // never set-uid, set-gid or sticky
    size: kind === 'file' ? (extension.size ?? ownSize) : 0,
    target: kind === 'link' ? (extension.target ?? text(trimNul(header.subarray(157, 257)))) : null,
  }
}

function kindOf(type: string, path: string): TarEntry['kind'] {
  if (type === '0' || type === '\0' || type === '7') return path.endsWith('/') ? 'folder' : 'file'
  if (type === '5') return 'folder'
  if (type === '2') return 'link'
  const what: Record<string, string> = { '1': 'a hard link', '3': 'a device', '4': 'a device', '6': 'a pipe', S: 'a sparse file' }
  throw new WeirError('E_ARCHIVE', {
    message: `the archive has ${what[type] ?? 'an entry of an unknown kind'}`,
    cause: `entry ${JSON.stringify(path.slice(0, 120))}`,
  })
}

/** `"27 path=some/long/name\n"` and so on, the number being the record's own length. */
function readPax(body: Buffer): Extension {
  let found: Extension = {}
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at)
    const length = space === -1 ? Number.NaN : Number(body.subarray(at, space).toString('latin1'))
    if (!Number.isSafeInteger(length) || length <= space - at || at + length > body.length) throw damaged('an extended header is malformed')
    const record = body.subarray(space + 1, at + length - 1)
    const equals = record.indexOf(0x3d)
    const key = record.subarray(0, equals).toString('latin1')
    const value = record.subarray(equals + 1)
    if (key.startsWith('GNU.sparse')) throw new WeirError('E_ARCHIVE', { message: 'the archive has a sparse file' })
    if (key === 'path') found = { ...found, path: text(value) }
    if (key === 'linkpath') found = { ...found, target: text(value) }
    if (key === 'size') found = { ...found, size: sizeOf(value.toString('latin1')) }
    at += length
  }
  return found
}

function sizeOf(decimal: string): number {
  const size = Number(decimal)
  if (!/^\d+$/.test(decimal) || !Number.isSafeInteger(size)) throw damaged('a size is malformed')
  return size
}

/** Octal text, or base 256 when the first bit is set (sizes over 8 GiB). */
function readNumber(header: Buffer, at: number, length: number): number {
  const field = header.subarray(at, at + length)
  if ((field[0] ?? 0) & 0x80) {
    let value = BigInt((field[0] ?? 0) & 0x7f)
    for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte)
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged('a size is malformed')
    return Number(value)
  }
  const octal = trimNul(field).toString('latin1').trim()
  if (octal === '') return 0
  if (!/^[0-7]+$/.test(octal)) throw damaged('a number in a header is malformed')
  return Number.parseInt(octal, 8)
}

/** The sum of all bytes, the checksum field itself taken as blanks. */
function checksumHolds(header: Buffer): boolean {
  let sum = 8 * 0x20
  for (let at = 0; at < BLOCK; at++) if (at < 148 || at >= 156) sum += header[at] ?? 0
  return sum === readNumber(header, 148, 8)
}

function trimNul(field: Buffer): Buffer {
  const end = field.indexOf(0)
  return end === -1 ? field : field.subarray(0, end)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
function text(bytes: Buffer): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new WeirError('E_ARCHIVE', { message: 'the archive has a name that is not UTF-8' })
  }
}

async function expectOnlyZeros(input: BlockReader): Promise<void> {
  for (let rest = await input.some(BLOCK); rest !== null; rest = await input.some(BLOCK)) {
    if (rest.some((byte) => byte !== 0)) throw damaged('data follows its end mark')
  }
}

function damaged(cause: string): WeirError {
  return new WeirError('E_ARCHIVE', { message: 'the archive is damaged', cause })
}

/** Takes exact pieces off a stream of chunks of any size. */
class BlockReader {
  readonly #source: AsyncIterator<Uint8Array>
  #rest: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** Lets the source go, wherever it is. */
  async close(): Promise<void> {
    await this.#source.return?.()
  }

  /** Exactly `size` bytes, or null when the stream is over before. */
  async take(size: number): Promise<Buffer | null> {
    while (this.#rest.length < size) {
      const next = await this.#source.next()
      if (next.done) return null
      this.#rest = this.#rest.length === 0 ? Buffer.from(next.value) : Buffer.concat([this.#rest, next.value])
    }
    const taken = this.#rest.subarray(0, size)
    this.#rest = this.#rest.subarray(size)
    return taken
  }

  /** Between 1 and `most` bytes, as they come; null at the end. */
  async some(most: number): Promise<Buffer | null> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next()
      if (next.done) return null
      this.#rest = Buffer.from(next.value)
    }
    return this.take(Math.min(most, this.#rest.length))
  }
}
