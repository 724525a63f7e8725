/** What a span is, by OTLP's numbers. */
export const KIND = { unspecified: 0, internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const

/**
 * Spans in columns: row `i` of every column is one span. Four million rows cost a few hundred MB this way, and a pass over one column stays in the cache.
 * Names are numbers that `Names` gave out; 0 is "not there".
 */
export interface SpanColumns {
  readonly size: number
  /** Four words a span, as the 16 bytes of the id are read from left to right; an id of 64 bits has two zero words in front. */
  readonly trace: Uint32Array
  /** Two words a span. A client and its server may share an id (Zipkin): only (id, kind) tells them apart. */
  readonly id: Uint32Array
  /** Two words a span; both 0: no parent. */
  readonly parent: Uint32Array
  /** Microseconds since 1970, by the clock of the process that made the span. A double holds them to a quarter of a microsecond. */
  readonly startUs: Float64Array
  readonly durationUs: Float64Array
  readonly service: Uint32Array
  readonly operation: Uint32Array
  /** Whom a client or producer calls, where it says so: `peer.service`, else the database or broker and its address. */
  readonly peer: Uint32Array
  /** The replica (`service.instance.id`). */
  readonly instance: Uint32Array
  /** The release that started the replica (`v12`). */
  readonly release: Uint32Array
  readonly kind: Uint8Array
  /** 1: the span ended with an error. */
  readonly failed: Uint8Array
  /** How many spans this one stands for: 1 / the probability that its trace was sampled with. */
  readonly weight: Float32Array
}

/** Text ↔ number, the same for all columns that meet. */
export interface Names {
  text(id: number): string
}

/** One span in words, for examples, tests and small inputs. */
export interface Span {
  /** 32 or 16 hex digits. */
  readonly trace: string
  readonly id: string
  readonly parent?: string
  readonly service: string
  readonly operation: string
  readonly kind: keyof typeof KIND
  readonly startUs: number
  readonly durationUs: number
  readonly peer?: string
  readonly instance?: string
  readonly release?: string
  readonly failed?: boolean
  readonly weight?: number
}
