import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CounterBlock } from '../core/model/routing.ts'

/** An hour of one busy worker, a quarter of it while something is judged; beyond that the oldest go, and the number of those is kept. */
const MAX_BLOCKS = 3600
const FILE = /^(\d{15})-([0-9a-f]+)-(\d+)\.json$/

/** On a full disk the newest stay in memory, a minute of one busy worker: what is served goes on all the same. */
const MAX_UNWRITTEN = 60

/** An earlier gateway may have written it, which had no evidence. */
type WrittenBlock = Omit<CounterBlock, 'evidence'> & Partial<CounterBlock>

/**
 * Closed blocks until the server has committed them, a file each: they outlive the death of parent and worker (not of the
 * machine: no fsync). File names sort by the time the block ended, so the oldest come first.
 */
export class CounterSpool {
  readonly #folder: string
  readonly #limit: number
  /** `incarnation-sequence` → file, or the block itself where the disk had no room for it; oldest first. */
  readonly #files = new Map<string, string | CounterBlock>()
  /** incarnation → highest sequence taken: what is sent twice is kept once. */
  readonly #taken = new Map<string, number>()
  dropped = 0

  constructor(folder: string, limit: number = MAX_BLOCKS) {
    this.#folder = folder
    this.#limit = limit
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    for (const file of readdirSync(folder).sort()) {
      const match = FILE.exec(file)
      if (match) this.#remember(match[2] as string, Number(match[3]), file)
      else rmSync(join(folder, file), { force: true }) // a write that was cut off
    }
  }

  get size(): number {
    return this.#files.size
  }

  keep(block: CounterBlock): void {
    if (block.sequence <= (this.#taken.get(block.incarnation) ?? 0)) return
    const file = `${String(block.to).padStart(15, '0')}-${block.incarnation}-${block.sequence}.json`
    const path = join(this.#folder, file)
    this.#remember(block.incarnation, block.sequence, wrote(path, JSON.stringify(block)) ? file : block)
    const unwritten = [...this.#files].filter(([, it]) => typeof it !== 'string')
    for (const [key] of unwritten.slice(0, Math.max(0, unwritten.length - MAX_UNWRITTEN))) {
      this.#drop(key)
      this.dropped++
    }
    while (this.#files.size > this.#limit) {
      const [oldest] = this.#files.keys()
      this.#drop(oldest as string)
      this.dropped++
    }
  }

  oldest(limit: number): CounterBlock[] {
    const blocks: CounterBlock[] = []
    for (const [key, file] of this.#files) {
      if (blocks.length >= limit) break
      try {
        blocks.push(typeof file === 'string' ? { evidence: [], ...(JSON.parse(readFileSync(join(this.#folder, file), 'utf8')) as WrittenBlock) } : file)
      } catch {
        this.#drop(key) // unreadable after a crash of the machine; asking for it for ever would hold up the rest
        this.dropped++
      }
    }
    return blocks
  }

  acknowledge(blocks: readonly { readonly incarnation: string; readonly sequence: number }[]): void {
    for (const { incarnation, sequence } of blocks) this.#drop(`${incarnation}-${sequence}`)
  }

  #remember(incarnation: string, sequence: number, file: string | CounterBlock): void {
    this.#files.set(`${incarnation}-${sequence}`, file)
    this.#taken.set(incarnation, Math.max(sequence, this.#taken.get(incarnation) ?? 0))
  }

  #drop(key: string): void {
    const file = this.#files.get(key)
    if (file === undefined) return
    if (typeof file === 'string') rmSync(join(this.#folder, file), { force: true })
    this.#files.delete(key)
  }
}

/** false: the disk is full. */
function wrote(path: string, text: string): boolean {
  try {
    writeFileSync(`${path}.new`, text, { mode: 0o600 })
    renameSync(`${path}.new`, path)
    return true
  } catch (error) {
    rmSync(`${path}.new`, { force: true })
    if (!['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    return false
  }
}
