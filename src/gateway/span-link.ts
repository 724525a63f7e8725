import { request } from 'node:http'
import type { SpanBatch } from './span-batch.ts'
import type { GatewaySpans } from './spans.ts'

const EVERY_MS = 500
const WITHIN_MS = 5000
/** After the last spans: who made spans of its own in those traces is known when they are closed. */
const ASK_FOR_MS = 5000
const ASK_EVERY_MS = 1000
const MAX_ANSWER_BYTES = 1024 * 1024

/**
 * Brings the spans of a worker to the telemetry process, and its answer back: which services send spans of their own. Off the way of requests,
 * one batch at a time. What cannot be brought is lost and counted: old spans are worth less than the requests that they would hold up.
 */
export class SpanLink {
  lost = 0
  readonly #spans: GatewaySpans
  readonly #batch: SpanBatch
  readonly #path: string
  readonly #worker: string
  readonly #timer: NodeJS.Timeout
  #busy = false
  #askUntil = 0
  #askedAt = 0
  /** Of the list of senders that we have. */
  #version = ''

  constructor(spans: GatewaySpans, batch: SpanBatch, path: string, worker: string) {
    this.#spans = spans
    this.#batch = batch
    this.#worker = worker
    this.#path = path
    this.#timer = setInterval(() => void this.flush(), EVERY_MS)
    this.#timer.unref()
  }

  /** Brings what waits now. */
  async flush(): Promise<void> {
    if (this.#busy) return
    const now = performance.now()
    if (this.#batch.waiting === 0 && (now > this.#askUntil || now < this.#askedAt + ASK_EVERY_MS)) return
    const { spans, body } = this.#batch.take()
    if (spans > 0) this.#askUntil = now + ASK_FOR_MS
    this.#askedAt = now
    this.#busy = true
    try {
      const { version, senders } = await this.#post(body)
      this.#spans.heard(version === this.#version ? null : senders)
      this.#version = version
    } catch {
      this.lost += spans
    } finally {
      this.#busy = false
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.flush()
  }

  #post(body: Buffer): Promise<{ version: string; senders: string[] }> {
    return new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/x-protobuf',
        'content-length': body.length,
        'x-weir-worker': this.#worker,
        'x-weir-senders': this.#version,
        'x-weir-dropped': this.#batch.dropped + this.lost,
      }
      const sent = request({ socketPath: this.#path, path: '/spans', method: 'POST', headers, agent: false, timeout: WITHIN_MS }, (response) => {
        const chunks: Buffer[] = []
        let size = 0
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          size += chunk.length
          if (size > MAX_ANSWER_BYTES) response.destroy(new Error('too long an answer'))
        })
        response.on('error', reject)
        response.on('end', () => {
          try {
            if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`)
            resolve(JSON.parse(Buffer.concat(chunks).toString()) as { version: string; senders: string[] })
          } catch (error) {
            reject(error as Error)
          }
        })
      })
      sent.on('timeout', () => sent.destroy(new Error('timeout')))
      sent.on('error', reject)
      sent.end(body)
    })
  }
}
