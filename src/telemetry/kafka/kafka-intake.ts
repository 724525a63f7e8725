import type { KafkaCredentials } from '../credentials.ts'
import type { Sender } from '../window/trace-window.ts'
import { KafkaTopic, type KafkaTopicHealth } from './kafka-topic.ts'
import { TOPICS } from './message.ts'

export interface KafkaIntakeOptions {
  /** `HOST:PORT` by comma. */
  readonly brokers: string
  readonly window: {
    accept(sender: Sender, request: Uint8Array): { readonly accepted: number; readonly rejected: number; readonly malformed: boolean }
    readonly pressure: number
    readonly losses: { add(scope: number, cause: 'malformed'): void }
  }
  readonly log: (line: string) => void
  /** Asked at each attempt. */
  readonly credentials?: () => KafkaCredentials
  /** Between attempts; for tests. */
  readonly retryMs?: { readonly first: number; readonly most: number }
}

/**
 * Reads spans from the broker's topics, each in a consumer group of its own, from the end on where it has read nothing yet. Spans say
 * themselves whose they are. Whatever is wrong with the broker is tried again for ever and told in `health()`; nothing else notices.
 *
 * @example
 * const kafka = new KafkaIntake({ brokers: '127.0.0.1:9092', window, log })
 * kafka.start()
 * kafka.health() // [{ topic: 'zipkin', problem: null, messages: 12, spans: 340, malformed: 0 }, …]
 */
export class KafkaIntake {
  readonly #topics: readonly KafkaTopic[]

  constructor(options: KafkaIntakeOptions) {
    this.#topics = TOPICS.map((topic) => new KafkaTopic(topic, options))
  }

  start(): void {
    for (const topic of this.#topics) topic.start()
  }

  health(): readonly KafkaTopicHealth[] {
    return this.#topics.map((topic) => topic.health())
  }

  /** Offsets of what was read are committed first, if the broker answers. */
  async close(): Promise<void> {
    await Promise.all(this.#topics.map((topic) => topic.close()))
  }
}
