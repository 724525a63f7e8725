import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readTar } from '../archive/tar-read.ts'

/**
 * What differs between two slugs, a line a path with the reason, at most a hundred.
 *
 * @example await slugDifferences('a.tar', 'b.tar') // ['dist/app.js: content differs']
 */
export async function slugDifferences(first: string, second: string): Promise<string[]> {
  const a = await contents(first)
  const b = await contents(second)
  const lines: string[] = []
  for (const path of [...new Set([...a.keys(), ...b.keys()])].sort()) {
    const before = a.get(path)
    const after = b.get(path)
    if (before === undefined) lines.push(`${path}: only in the second build`)
    else if (after === undefined) lines.push(`${path}: only in the first build`)
    else if (before.kind !== after.kind) lines.push(`${path}: a ${before.kind}, then a ${after.kind}`)
    else if (before.target !== after.target) lines.push(`${path}: a link to ${before.target}, then to ${after.target}`)
    else if (before.mode !== after.mode) lines.push(`${path}: mode ${before.mode.toString(8)}, then ${after.mode.toString(8)}`)
    else if (before.hash !== after.hash) lines.push(`${path}: content differs`)
  }
  return lines.length > 100 ? [...lines.slice(0, 99), `and ${lines.length - 99} more`] : lines
}

interface Content {
  readonly kind: string
  readonly mode: number
  readonly target: string | null
  readonly hash: string
}

async function contents(tar: string): Promise<Map<string, Content>> {
  const found = new Map<string, Content>()
  let add = () => {}
  let hash = createHash('sha256')
  for await (const part of readTar(createReadStream(tar))) {
    if (part.part === 'data') hash.update(part.bytes)
    else {
      add()
      add = () => {}
    }
    if (part.part === 'entry') {
      const own = createHash('sha256')
      hash = own
      const { path, kind, mode, target } = part.entry
      add = () => found.set(path, { kind, mode, target, hash: own.digest('hex') })
    }
  }
  return found
}
