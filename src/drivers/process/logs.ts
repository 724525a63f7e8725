import type { FileHandle } from 'node:fs/promises'
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogRecord, LogRequest, LogSource, Logs, SourcedRecord } from '../logs.ts'
import { parseRecord } from './log-records.ts'

const LOOK_EVERY_MS = 200
const END = '.jsonl'
const CHUNK = 64 * 1024

/** Reads the logs that the runner writes: `<folder>/<environment>/<id>.jsonl`, rotated to `.1` (youngest), `.2`, … */
export class FileLogs implements Logs {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async sources(environment: string): Promise<readonly LogSource[]> {
    const names = await this.#names(environment)
    const found = await Promise.all(
      names.map(async (id): Promise<LogSource | null> => {
        const about = await stat(this.#path(environment, id)).catch(() => null)
        return about && { id, bytes: about.size, changed: about.mtimeMs }
      }),
    )
    return found.filter((it) => it !== null)
  }

  async *read(environment: string, request: LogRequest): AsyncIterable<SourcedRecord> {
    const followers = new Map<string, Follower>()
    const wanted = async () => (await this.#names(environment)).filter((id) => request.ids?.includes(id) ?? true)
    try {
      const old: SourcedRecord[] = []
      for (const id of await wanted()) {
        // The place to go on from is taken first: a line written meanwhile is read twice by the file, and once given out.
        const follower = new Follower(this.#path(environment, id))
        if (request.follow) followers.set(id, follower)
        const end = request.follow ? await follower.toEnd() : Number.POSITIVE_INFINITY
        for (const record of await newest(this.#path(environment, id), request, end)) old.push({ source: id, ...record })
      }
      old.sort((a, b) => a.time - b.time)
      yield* old.slice(-request.limit)
      while (request.follow && !request.signal?.aborted) {
        await sleep(LOOK_EVERY_MS, undefined, request.signal ? { signal: request.signal } : {}).catch(() => {})
        const fresh: SourcedRecord[] = []
        for (const id of await wanted()) {
          if (!followers.has(id)) followers.set(id, new Follower(this.#path(environment, id)))
          for (const record of (await followers.get(id)?.more()) ?? []) fresh.push({ source: id, ...record })
        }
        fresh.sort((a, b) => a.time - b.time)
        yield* fresh.filter((it) => isWithin(it, request))
      }
    } finally {
      await Promise.all([...followers.values()].map((it) => it.close()))
    }
  }

  async #names(environment: string): Promise<string[]> {
    const names = await readdir(join(this.#folder, environment)).catch(() => [])
    return names.filter((name) => name.endsWith(END)).map((name) => name.slice(0, -END.length))
  }

  #path(environment: string, id: string): string {
    return join(this.#folder, environment, id + END)
  }
}

/** Records of one source, newest files first until there are enough; the present file only up to byte `end`. */
async function newest(path: string, request: LogRequest, end: number): Promise<LogRecord[]> {
  let found: LogRecord[] = []
  for (let n = 0; found.length < request.limit; n++) {
    const bytes = await readFile(n === 0 ? path : `${path}.${n}`).catch(() => null)
    if (bytes === null) break
    const text = (n === 0 ? bytes.subarray(0, Math.min(end, bytes.length)) : bytes).toString('utf8')
    const records = text
      .split('\n')
      .map(parseRecord)
      .filter((it) => it !== null)
    found = [...records.filter((it) => isWithin(it, request)), ...found]
    if (records[0] && request.since !== undefined && records[0].time < request.since) break
  }
  return found.slice(-request.limit)
}

function isWithin(record: LogRecord, { since, until }: LogRequest): boolean {
  return (since === undefined || record.time >= since) && (until === undefined || record.time <= until)
}

/** Reads on in one log file, and in its successor when it was rotated away. */
class Follower {
  readonly #path: string
  #file: FileHandle | null = null
  #inode = 0
  #at = 0
  #held = Buffer.alloc(0)

  constructor(path: string) {
    this.#path = path
  }

  /** Goes to the end of what is there; the byte that it stands at. */
  async toEnd(): Promise<number> {
    if (await this.#open()) this.#at = (await this.#file?.stat())?.size ?? 0
    return this.#at
  }

  async more(): Promise<LogRecord[]> {
    if (!this.#file && !(await this.#open())) return []
    const records = await this.#rest()
    const present = await stat(this.#path).catch(() => null)
    if (!present || present.ino === this.#inode) return records
    await this.close()
    return (await this.#open()) ? [...records, ...(await this.#rest())] : records
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = null
  }

  async #open(): Promise<boolean> {
    try {
      this.#file = await open(this.#path, 'r')
    } catch {
      return false
    }
    this.#inode = (await this.#file.stat()).ino
    this.#at = 0
    this.#held = Buffer.alloc(0)
    return true
  }

  async #rest(): Promise<LogRecord[]> {
    const records: LogRecord[] = []
    const chunk = Buffer.alloc(CHUNK)
    for (;;) {
      const { bytesRead } = (await this.#file?.read(chunk, 0, CHUNK, this.#at)) ?? { bytesRead: 0 }
      if (bytesRead === 0) return records
      this.#at += bytesRead
      const lines = Buffer.concat([this.#held, chunk.subarray(0, bytesRead)])
      const last = lines.lastIndexOf(10)
      this.#held = Buffer.from(lines.subarray(last + 1))
      for (const line of lines
        .subarray(0, last + 1)
        .toString('utf8')
        .split('\n')) {
        const record = parseRecord(line)
        if (record) records.push(record)
      }
    }
  }
}
