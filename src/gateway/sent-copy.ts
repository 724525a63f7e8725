import { createHash, type Hash } from 'node:crypto'
import { chooseTarget } from './balance.ts'
import type { Deadlines } from './deadlines.ts'
import type { Group } from './directory.ts'
import type { ResponseHead } from './response-parser.ts'
import type { Target } from './target.ts'
import type { UpstreamConnection, UpstreamFailure, UpstreamHold, UpstreamUser } from './upstream.ts'

export interface CopyRequest {
  readonly method: string
  readonly group: Group
  /** By name. */
  readonly port: string
  /** Head and body. */
  readonly bytes: readonly Buffer[]
  /** For the whole answer. */
  readonly timeoutMs: number
  /** Of a longer answer no more is read, and it counts as broken. */
  readonly maxAnswerBytes: number
  readonly hash: boolean
  readonly deadlines: Deadlines
  readonly random: () => number
  readonly onEnd: (answer: CopyAnswer) => void
}

export interface CopyAnswer {
  /** As the gateway would have answered where the service did not: 502, 503, 504. */
  readonly status: number
  readonly broken: boolean
  readonly latencyMs: number
  readonly replica: string | null
  readonly target: string | null
  /** null: not wanted, or not whole. */
  readonly hash: string | null
}

/** A copy on its way. Nobody waits for it, and whatever becomes of it takes no replica out of the users' choice. */
export class SentCopy implements UpstreamUser {
  readonly method: string
  readonly sent = true
  readonly #request: CopyRequest
  readonly #hash: Hash | null
  readonly #startedAt = performance.now()
  #target: Target | null = null
  #upstream: UpstreamHold | null = null
  #status = 0
  #bytes = 0
  #again = false
  #done = false

  constructor(request: CopyRequest) {
    this.method = request.method
    this.#request = request
    this.#hash = request.hash ? createHash('sha256') : null
  }

  send(): void {
    const { group, port: name, random, deadlines, timeoutMs } = this.#request
    const target = chooseTarget(group.targets, [], performance.now(), random)
    const port = target?.port(name) ?? null
    if (target === null || port === null) return this.#end(503, false)
    this.#target = target
    target.enter()
    deadlines.set(this, timeoutMs)
    this.#upstream = target.pool(port).use(this, this.#again)
  }

  onReady(connection: UpstreamConnection): void {
    this.#upstream = connection
    for (const part of this.#request.bytes) connection.write(part)
  }

  onDrain(): void {}

  onHead({ status }: ResponseHead): void {
    this.#status = status
  }

  onBody(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes > this.#request.maxAnswerBytes) this.#give(this.#status, true)
    else this.#hash?.update(chunk)
  }

  onEnd(): void {
    this.#end(this.#status, false)
  }

  /** A kept connection may have been closed while the copy was on its way to it: that says nothing of the release. */
  onFailure({ kind }: UpstreamFailure): void {
    this.#upstream = null
    if (this.#status !== 0) return this.#end(this.#status, true)
    if (kind !== 'reset' || this.#again || this.#request.bytes.length > 1) return this.#end(502, false)
    this.#again = true
    this.#target?.leave()
    this.#target = null
    this.send()
  }

  onDeadline(): void {
    this.#give(this.#status === 0 ? 504 : this.#status, this.#status !== 0)
  }

  #give(status: number, broken: boolean): void {
    this.#upstream?.destroy()
    this.#end(status, broken)
  }

  #end(status: number, broken: boolean): void {
    if (this.#done) return
    this.#done = true
    const { deadlines, onEnd } = this.#request
    deadlines.clear(this)
    this.#target?.leave()
    const target = this.#target?.id ?? null
    onEnd({
      status,
      broken,
      latencyMs: performance.now() - this.#startedAt,
      replica: this.#status === 0 ? null : target,
      target,
      hash: broken ? null : (this.#hash?.digest('hex') ?? null),
    })
  }
}
