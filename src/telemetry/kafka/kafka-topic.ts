import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer, MessagesStream } from '@platformatic/kafka'
import { MalformedJson } from '../wire/otlp-json.ts'
import type { KafkaIntakeOptions } from './kafka-intake.ts'
import { otlpFromMessage, type Topic } from './message.ts'

export interface KafkaTopicHealth {
  readonly topic: string
  /** null: messages are read; else why not. */
  readonly problem: string | null
  readonly messages: number
  readonly spans: number
  /** Messages that are no spans. */
  readonly malformed: number
  /** Spans that were not taken: of no app that is known, or broken. */
  readonly rejected: number
}

type Stream = MessagesStream<Buffer, Buffer, Buffer, Buffer>

const RETRY_MS = { first: 500, most: 30_000 }
const COMMIT_EVERY_MS = 1000
const FETCH_BYTES = 4 * 2 ** 20
/** The broker keeps messages while the window is as full as this. */
const MAX_PRESSURE = 0.7
const WAIT_FOR_ROOM_MS = 50
/** Other work of this process gets its turn after so long. */
const TURN_MS = 5
/** A broker that does not answer is not waited for at the end. */
const CLOSE_MS = 1500

/** One topic: joins its group, reads until something is wrong, and begins again after a while. */
export class KafkaTopic {
  readonly #topic: Topic
  readonly #options: KafkaIntakeOptions
  readonly #ending = new AbortController()
  #running: Promise<void> | null = null
  #problem: string | null = 'not connected yet'
  #messages = 0
  #spans = 0
  #malformed = 0
  #rejected = 0

  constructor(topic: Topic, options: KafkaIntakeOptions) {
    this.#topic = topic
    this.#options = options
  }

  start(): void {
    this.#running ??= this.#run()
  }

  health(): KafkaTopicHealth {
    return {
      topic: this.#topic,
      problem: this.#problem,
      messages: this.#messages,
      spans: this.#spans,
      malformed: this.#malformed,
      rejected: this.#rejected,
    }
  }

  async close(): Promise<void> {
    this.#ending.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { first, most } = this.#options.retryMs ?? RETRY_MS
    let delayMs = first
    while (!this.#ending.signal.aborted) {
      const before = this.#messages
      try {
        await this.#readUntilTrouble()
      } catch (error) {
        this.#trouble(described(error))
      }
      delayMs = this.#messages > before ? first : Math.min(2 * delayMs, most)
      await sleep(delayMs, undefined, { signal: this.#ending.signal }).catch(() => {})
    }
  }

  /** Each problem is told once, not at every attempt. */
  #trouble(problem: string): void {
    if (this.#ending.signal.aborted) return
    if (problem !== this.#problem) this.#options.log(`Kafka topic ${this.#topic}: ${problem}`)
    this.#problem = problem
  }

  async #readUntilTrouble(): Promise<void> {
    // Half a second and 15 MB that only those who have a broker pay for.
    const { sasl, tls } = this.#options.credentials?.() ?? { sasl: null, tls: null }
    const { Consumer, MessagesStreamFallbackModes, MessagesStreamModes } = await import('@platformatic/kafka')
    const consumer: Consumer = new Consumer({
      clientId: 'weir',
      groupId: `weir-${this.#topic}`,
      bootstrapBrokers: this.#options.brokers.split(',').map((broker) => broker.trim()),
      autocreateTopics: true,
      autocommit: COMMIT_EVERY_MS,
      highWaterMark: 64,
      maxBytes: FETCH_BYTES,
      maxWaitTime: 200,
      minBytes: 1,
      sessionTimeout: 6000,
      rebalanceTimeout: 6000,
      heartbeatInterval: 2000,
      connectTimeout: 5000,
      timeout: 10_000,
      retries: 1,
      retryDelay: 500,
      ...(sasl === null ? {} : { sasl }),
      ...(tls === null ? {} : { tls: tls.ca === null ? {} : { ca: tls.ca } }),
    })
    try {
      const stream = await consumer.consume({ topics: [this.#topic], mode: MessagesStreamModes.COMMITTED, fallbackMode: MessagesStreamFallbackModes.LATEST })
      await this.#read(stream)
    } finally {
      await Promise.race([consumer.close(true).catch(() => {}), sleep(CLOSE_MS)])
    }
  }

  async #read(stream: Stream): Promise<void> {
    const end = () => void stream.close().catch(() => {})
    if (this.#ending.signal.aborted) return end()
    this.#ending.signal.addEventListener('abort', end, { once: true })
    stream.once('offsets', () => (this.#problem = null))
    let turnFrom = performance.now()
    try {
      for await (const { value } of stream) {
        while (this.#options.window.pressure > MAX_PRESSURE && !this.#ending.signal.aborted) await sleep(WAIT_FOR_ROOM_MS)
        this.#problem = null
        this.#take(value)
        if (performance.now() - turnFrom < TURN_MS) continue
        await new Promise(setImmediate)
        turnFrom = performance.now()
      }
    } finally {
      this.#ending.signal.removeEventListener('abort', end)
    }
    this.#trouble('the broker ended the connection')
  }

  #take(value: Buffer | undefined): void {
    this.#messages++
    if (value === undefined || value.length === 0) return this.#isMalformed()
    try {
      const { accepted, rejected, malformed } = this.#options.window.accept('claimed', otlpFromMessage(this.#topic, value))
      if (malformed) this.#malformed++ // and counted by the window
      this.#spans += accepted
      this.#rejected += rejected
    } catch (error) {
      if (!(error instanceof MalformedJson)) throw error
      this.#isMalformed()
    }
  }

  #isMalformed(): void {
    this.#malformed++
    this.#options.window.losses.add(0, 'malformed')
  }
}

/** Errors of the library are nested; the innermost one says what a person can act on. */
function described(error: unknown): string {
  const texts = new Set<string>()
  let at: unknown = error
  for (let depth = 0; depth < 6 && at instanceof Error; depth++) {
    texts.add(at.message)
    at = at instanceof AggregateError ? at.errors[0] : at.cause
  }
  return [...texts].join(': ').slice(0, 300) || String(error)
}
