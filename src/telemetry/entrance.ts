import type { CredentialsFile } from './credentials.ts'
import { Forwarder } from './forward/forwarder.ts'
import type { Journal } from './journal/journal.ts'
import { KafkaIntake } from './kafka/kafka-intake.ts'
import type { LinkHealth } from './telemetry.ts'
import type { Losses } from './window/losses.ts'
import type { Accepted, Sender, TraceWindow } from './window/trace-window.ts'

/** Addresses that copies of all spans are sent to; null: to none. */
export interface ForwardSettings {
  readonly zipkin: string | null
  readonly otlp: string | null
}

export interface EntranceOptions {
  readonly kafka: string | null
  readonly forward: ForwardSettings
  /** None: nobody wants to see any. */
  readonly credentials?: CredentialsFile
  readonly log: (line: string) => void
}

/** The way into the window: for spans that come by HTTP, from the gateway, and out of Kafka. What was taken is forwarded from here. */
export class Entrance {
  readonly #window: TraceWindow
  readonly #journal: Journal
  readonly #forwarders: readonly Forwarder[]
  readonly #kafka: KafkaIntake | null
  readonly #brokers: string

  constructor(window: TraceWindow, journal: Journal, { kafka, forward, credentials, log }: EntranceOptions) {
    this.#window = window
    this.#journal = journal
    this.#forwarders = (['zipkin', 'otlp'] as const).flatMap((to) => {
      const url = forward[to]
      return url === null ? [] : [new Forwarder({ to, url, log, headers: () => credentials?.headersOf(`forward-${to}`) ?? {} })]
    })
    this.#brokers = kafka ?? ''
    this.#kafka =
      kafka === null ? null : new KafkaIntake({ brokers: kafka, window: this, log, ...(credentials ? { credentials: () => credentials.kafka() } : {}) })
  }

  accept(sender: Sender, request: Uint8Array): Accepted {
    const answer = this.again(sender, request)
    if (answer.accepted > 0) for (const forwarder of this.#forwarders) forwarder.add(request, answer.accepted)
    return answer
  }

  /** What a process before this one took in and forwarded. */
  again(sender: Sender, request: Uint8Array): Accepted {
    const answer = this.#window.accept(sender, request)
    if (answer.accepted > 0) this.#journal.request(sender, request)
    return answer
  }

  get pressure(): number {
    return this.#window.pressure
  }

  get losses(): Losses {
    return this.#window.losses
  }

  shareOf(scope: number): number {
    return this.#window.shareOf(scope)
  }

  start(): void {
    this.#kafka?.start()
  }

  health(): readonly LinkHealth[] {
    return [
      ...(this.#kafka?.health() ?? []).map(({ topic, problem, spans, malformed, rejected }) => ({
        name: `kafka ${topic}`,
        address: this.#brokers,
        problem,
        spans,
        lost: { malformed, rejected },
      })),
      ...this.#forwarders.map((forwarder) => {
        const { problem, spans, lost } = forwarder.health()
        return { name: `forward ${forwarder.to}`, address: forwarder.page, problem, spans, lost: { 'not-forwarded': lost } }
      }),
    ]
  }

  async close(): Promise<void> {
    await this.#kafka?.close()
    await Promise.all(this.#forwarders.map((forwarder) => forwarder.close()))
  }
}
