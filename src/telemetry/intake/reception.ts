import type { Claims } from '../window/resources.ts'
import { claimsOf } from '../window/resources.ts'
import type { Accepted, Sender, TraceWindow } from '../window/trace-window.ts'
import { type LogRecord, readLogs } from '../wire/logs.ts'
import { type MetricPoint, readMetrics } from '../wire/metrics.ts'
import { MalformedJson, type Signal } from '../wire/otlp-json.ts'
import { MalformedProtobuf, ProtobufReader } from '../wire/protobuf-reader.ts'
import type { Maker } from '../wire/records.ts'
import { Admission } from './admission.ts'
import { inflate } from './body.ts'
import { Refused } from './refused.ts'

export interface ReceptionOptions {
  /** Whose the request is, by its key; null: nobody's, which is answered 401. */
  senderOf(key: string | null): Sender | null
  /** Of records of a sender that has to say itself whose they are. */
  scopeOf?(claims: Claims, trusted: boolean): number | null
  readonly window: Pick<TraceWindow, 'accept' | 'pressure' | 'shareOf' | 'losses'>
  onLogs(scope: number, records: readonly LogRecord[]): void
  onMetrics(scope: number, points: readonly MetricPoint[]): void
  /** Whether the store takes more of these; when it does not, who sends them keeps them and comes again. */
  hasRoomFor?(signal: 'logs' | 'metrics'): boolean
  /** Told of what should not happen. */
  readonly log?: (line: string) => void
}

export interface IntakeCounts {
  readonly requests: number
  readonly bytes: number
  readonly logs: number
  readonly points: number
}

/** Room for one body while it is received. */
export interface BodyRoom {
  /** It is as large as this so far. Throws a `Refused` when there is no room for so much. */
  upTo(bytes: number): void
  /** Gives it back; a second time says nothing. */
  leave(): void
}

/** The header, or metadata of gRPC, that brings the key. */
export const KEY_HEADER = 'x-weir-key'
/** So long a refused sender waits. */
export const RETRY_AFTER_S = 1

/** What every way in has in common, whatever is spoken there: whose a request is, whether there is room, what is in it, what is counted. */
export class Reception {
  readonly #options: ReceptionOptions
  readonly #admission: Admission
  #requests = 0
  #bytes = 0
  #logs = 0
  #points = 0

  constructor(options: ReceptionOptions) {
    this.#options = options
    this.#admission = new Admission(options.window)
  }

  counts(): IntakeCounts {
    return { requests: this.#requests, bytes: this.#bytes, logs: this.#logs, points: this.#points }
  }

  close(): void {
    this.#admission.close()
  }

  /** One more request has begun. */
  begin(): void {
    this.#requests++
  }

  senderOf(key: string | null): Sender {
    const sender = this.#options.senderOf(key)
    if (sender === null) throw new Refused('key', `The key of the environment is missing or wrong: it belongs into the header ${KEY_HEADER}.`)
    return sender
  }

  /** Keeps room for a body of so many bytes, and for more when more come. */
  admit(sender: Sender, announced: number): BodyRoom {
    const enter = (bytes: number) => {
      const busy = this.#admission.refusal(sender, bytes)
      if (busy !== null) throw new Refused('busy', busy)
      this.#admission.enter(sender, bytes)
    }
    enter(announced)
    let kept = announced
    return {
      upTo: (bytes) => {
        if (bytes <= kept) return
        enter(bytes - kept)
        kept = bytes
      },
      leave: () => {
        this.#admission.leave(sender, kept)
        kept = 0
      },
    }
  }

  /** The body as it came, decompressed. */
  unpack(body: Uint8Array, encoding: string): Uint8Array {
    this.#bytes += body.length
    return inflate(body, encoding)
  }

  /** An Export*ServiceRequest in protobuf. */
  take(sender: Sender, signal: Signal, request: Uint8Array): Accepted {
    if (signal === 'traces') {
      const accepted = this.#options.window.accept(sender, request)
      if (accepted.malformed) throw new MalformedProtobuf('The body is no OTLP.')
      return accepted
    }
    if (this.#options.hasRoomFor?.(signal) === false) throw new Refused('busy', 'The store does not answer, and what waits for it is full.')
    const reader = new ProtobufReader(request)
    if (signal === 'logs') {
      const { records, tooMany } = readLogs(reader, request.length)
      this.#logs += records.length
      return this.#share(sender, records, tooMany, (scope, its) => this.#options.onLogs(scope, its))
    }
    const { points, tooMany } = readMetrics(reader, request.length)
    this.#points += points.length
    return this.#share(sender, points, tooMany, (scope, its) => this.#options.onMetrics(scope, its))
  }

  /** Counts what was not taken, and says as what it is to be answered. */
  refuse(sender: Sender | null, error: unknown): Refused {
    const counted = error instanceof MalformedProtobuf // by the window
    const refused = error instanceof Refused ? error : this.#asRefused(error)
    if (refused.countedAs !== null && !counted) this.#options.window.losses.add(typeof sender === 'number' ? sender : 0, refused.countedAs)
    return refused
  }

  /** What one request brings about must not end the process for all. */
  #asRefused(error: unknown): Refused {
    if (error instanceof MalformedProtobuf || error instanceof MalformedJson) return new Refused('malformed', error.message)
    this.#options.log?.(`a request could not be taken: ${error instanceof Error ? error.stack : String(error)}`)
    return new Refused('failed', 'It could not be taken; the log of the telemetry process says why.')
  }

  /** Gives the records to the environments that they belong to. */
  #share<T extends { readonly maker: Maker }>(
    sender: Sender,
    records: readonly T[],
    tooMany: number,
    tell: (scope: number, its: readonly T[]) => void,
  ): Accepted {
    const scopes = new Map<Maker, number | null>()
    const byScope = Map.groupBy(records, ({ maker }) => {
      if (typeof sender === 'number') return sender
      if (!scopes.has(maker)) scopes.set(maker, this.#options.scopeOf?.(claimsOf(maker.attributes), sender === 'trusted') ?? null)
      return scopes.get(maker) ?? null
    })
    let homeless = 0
    for (const [scope, its] of byScope) {
      if (scope === null) homeless += its.length
      else tell(scope, its)
    }
    if (homeless > 0) this.#options.window.losses.add(0, 'unknown-scope', homeless)
    if (tooMany > 0) this.#options.window.losses.add(typeof sender === 'number' ? sender : 0, 'over-limit', tooMany)
    const because = [...(tooMany > 0 ? [`${tooMany} over the limit of a request`] : []), ...(homeless > 0 ? [`${homeless} of no app that is known`] : [])]
    return { accepted: records.length - homeless, rejected: tooMany + homeless, because: because.join('; ') || null, malformed: false }
  }
}
