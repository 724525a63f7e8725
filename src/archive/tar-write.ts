import { constants } from 'node:fs'
import { open, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { WeirError } from '../errors.ts'
import { padding } from './tar-read.ts'

const BLOCK = 512
/** The two empty blocks that end every tar. */
export const TAR_END = Buffer.alloc(2 * BLOCK)

export interface FileToPack {
  /** Relative, `/`-separated. */
  readonly path: string
  readonly kind: 'file' | 'folder' | 'link'
}

/**
 * A tar of `files` below `folder` that depends on nothing but their names, content and executable bit: owner 0:0, modes 755 and 644,
 * one time for all. The end mark is left to the caller, so that tars can be joined.
 *
 * @example for await (const bytes of writeTar('/src', [{ path: 'a.js', kind: 'file' }], 0)) out.write(bytes)
 */
export async function* writeTar(folder: string, files: readonly FileToPack[], timeMs: number): AsyncGenerator<Buffer> {
  for (const { path, kind } of files) {
    const at = join(folder, path)
    if (kind === 'folder') yield tarHeader({ path: `${path}/`, type: '5', mode: 0o755, size: 0, target: '', timeMs })
    else if (kind === 'link') yield tarHeader({ path, type: '2', mode: 0o777, size: 0, target: await readlink(at), timeMs })
    else yield* writeFile(at, path, timeMs)
  }
}

/**
 * All of a folder, sorted by name (byte order), folders before what they hold. Links are listed, never followed.
 */
export async function listFolder(folder: string, skip: (path: string, name: string) => boolean = () => false): Promise<FileToPack[]> {
  const found: FileToPack[] = []
  const visit = async (below: string): Promise<void> => {
    const entries = await readdir(join(folder, below), { withFileTypes: true })
    for (const entry of entries.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`
      if (skip(path, entry.name)) continue
      if (entry.isDirectory()) {
        found.push({ path, kind: 'folder' })
        await visit(path)
      } else if (entry.isSymbolicLink()) found.push({ path, kind: 'link' })
      else if (entry.isFile()) found.push({ path, kind: 'file' })
    }
  }
  await visit('')
  return found
}

async function* writeFile(at: string, path: string, timeMs: number): AsyncGenerator<Buffer> {
  const file = await open(at, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const { size, mode } = await file.stat()
    yield tarHeader({ path, type: '0', mode: mode & 0o111 ? 0o755 : 0o644, size, target: '', timeMs })
    let left = size
    while (left > 0) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(left, 256 * 1024)))
      if (bytesRead === 0) throw new WeirError('E_ARCHIVE', { message: `${path} became shorter while it was read`, next: 'try again' })
      left -= bytesRead
      yield buffer.subarray(0, bytesRead)
    }
    if (padding(size) > 0) yield Buffer.alloc(padding(size))
  } finally {
    await file.close()
  }
}

interface Header {
  readonly path: string
  readonly type: '0' | '2' | '5' | 'x'
  readonly mode: number
  readonly size: number
  readonly target: string
  readonly timeMs: number
}

/** One ustar header, with a pax header before it when a name is over 100 bytes, not ASCII, or the size over 8 GiB. */
export function tarHeader(header: Header): Buffer {
  const records: string[] = []
  if (!fits(header.path)) records.push(paxRecord('path', header.path))
  if (!fits(header.target)) records.push(paxRecord('linkpath', header.target))
  if (header.size > 0o77777777777) records.push(paxRecord('size', String(header.size)))
  if (records.length === 0) return block(header)
  const body = Buffer.from(records.join(''))
  const extended = block({ path: 'pax', type: 'x', mode: 0o644, size: body.length, target: '', timeMs: header.timeMs })
  return Buffer.concat([extended, body, Buffer.alloc(padding(body.length)), block(header)])
}

function block({ path, type, mode, size, target, timeMs }: Header): Buffer {
  const header = Buffer.alloc(BLOCK)
  header.write(path, 0, 100, 'utf8')
  header.write(octal(mode, 7), 100)
  header.write(octal(0, 7), 108)
  header.write(octal(0, 7), 116)
  header.write(octal(size > 0o77777777777 ? 0 : size, 11), 124)
  header.write(octal(Math.max(0, Math.floor(timeMs / 1000)), 11), 136)
  header.write('        ', 148)
  header.write(type, 156)
  header.write(target, 157, 100, 'utf8')
  header.write('ustar\u000000', 257)
  header.write(octal(0, 7), 329)
  header.write(octal(0, 7), 337)
  header.write(
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\u0000 `,
    148,
  )
  return header
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}

function fits(text: string): boolean {
  return text.length <= 100 && /^[\x20-\x7e]*$/.test(text)
}

/** `"<length> key=value\n"` where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = Buffer.byteLength(rest)
  while (String(length).length + Buffer.byteLength(rest) !== length) length = String(length).length + Buffer.byteLength(rest)
  return `${length}${rest}`
}
