import { createHash, type Hash } from 'node:crypto'
import type { Shadow } from '../core/model/routing.ts'
import type { Admission } from './admission.ts'
import { withMark } from './baggage.ts'
import type { CarrierContext } from './carrier.ts'
import type { Outcome } from './counters.ts'
import type { Place } from './directory.ts'
import { type EvidenceSheet, LABELS } from './evidence.ts'
import { framingOf, upstreamHead, withoutTrace } from './forward-headers.ts'
import type { RequestHead } from './request-head.ts'
import { type CopyAnswer, SentCopy } from './sent-copy.ts'

/** Methods without effect: what a shadow may ask of others. */
export const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])
/** A longer body is not kept for a copy. */
const MAX_BODY_BYTES = 64 * 1024
/** Requests with a body whose original is not answered yet. */
const MAX_HELD = 256
/** Longer answers are neither asked for a second time nor read to their end. */
const MAX_ANSWER_BYTES = 1024 * 1024
/** Copies under way, for each environment of a worker. */
const MAX_COPIES = 32

/** The requests of one table that are copied. Users are served first: a copy is sent when its original has been answered, or not at all. */
export class Shadowing {
  readonly sheet: EvidenceSheet
  held = 0
  readonly #shadow: Shadow
  #underWay = 0

  constructor(shadow: Shadow, sheet: EvidenceSheet) {
    this.#shadow = shadow
    this.sheet = sheet
  }

  /** null: this request is not among those that are copied. */
  copy(method: string, raw: readonly string[], head: RequestHead, place: Place, admission: Admission, context: CarrierContext): RequestCopy | null {
    const { share, methods, diff } = this.#shadow
    if (context.random() * 100 >= share || !methods.includes(method)) return null
    return new RequestCopy(this, { method, raw, head, place, admission, context }, diff)
  }

  /** Takes a place among those under way; false: all are taken. */
  enter(): boolean {
    if (this.#underWay >= MAX_COPIES) return false
    this.#underWay++
    return true
  }

  leave(): void {
    this.#underWay--
  }
}

interface Original {
  readonly method: string
  readonly raw: readonly string[]
  readonly head: RequestHead
  readonly place: Place
  readonly admission: Admission
  readonly context: CarrierContext
}

/** What a copy needs of its original, gathered while that is served. */
export class RequestCopy {
  readonly #shadowing: Shadowing
  readonly #original: Original
  readonly #hash: Hash | null
  readonly #body: Buffer[] = []
  #bodyBytes = 0
  #answerBytes = 0
  #holds = false
  #tooLong = false

  constructor(shadowing: Shadowing, original: Original, diff: boolean) {
    this.#shadowing = shadowing
    this.#original = original
    this.#hash = diff ? createHash('sha256') : null
  }

  onRequestBody(chunk: Buffer): void {
    this.#bodyBytes += chunk.length
    if (!this.#holds && !this.#tooLong) {
      if (this.#shadowing.held >= MAX_HELD) this.#tooLong = true
      else {
        this.#holds = true
        this.#shadowing.held++
      }
    }
    if (this.#bodyBytes > MAX_BODY_BYTES) this.#tooLong = true
    if (this.#tooLong) this.#body.length = 0
    else this.#body.push(Buffer.from(chunk))
  }

  /** `chunk` is only valid during the call. */
  onAnswerBody(chunk: Buffer): void {
    this.#answerBytes += chunk.length
    if (this.#answerBytes > MAX_ANSWER_BYTES) this.#tooLong = true
    else this.#hash?.update(chunk)
  }

  /** The original has been answered: now the copy is sent, if the request is known as a `whole`. One whose client went away was perhaps not served whole, and is not compared. */
  onOriginalEnd(outcome: Outcome, route: string, whole: boolean): void {
    if (this.#holds) this.#shadowing.held--
    if (outcome.aborted) return
    const { place } = this.#original
    if (this.#tooLong || !whole || !this.#shadowing.enter()) {
      this.#shadowing.sheet.copies(place.service.name, route).dropped++
      return
    }
    const { method, head, context } = this.#original
    new SentCopy({
      method,
      group: place.service.canary ?? place.service.stable,
      port: place.listener.port,
      bytes: [this.#head(method, head), ...this.#body],
      timeoutMs: Math.min(place.service.timeoutMs, Math.max(MIN_PATIENCE_MS, PATIENCE * outcome.latencyMs)),
      maxAnswerBytes: 2 * MAX_ANSWER_BYTES,
      hash: this.#hash !== null,
      deadlines: context.deadlines,
      random: context.random,
      onEnd: (answer) => this.#compare(outcome, route, answer),
    }).send()
  }

  #compare(original: Outcome, route: string, copy: CopyAnswer): void {
    this.#shadowing.leave()
    const { sheet } = this.#shadowing
    const service = original.place.service.name
    const counts = sheet.copies(service, route)
    counts.compared++
    if (copy.status !== original.status) counts.status++
    else if (this.#hash !== null && copy.hash !== null && !original.broken && !copy.broken) {
      counts.bodies++
      if (this.#hash.digest('hex') !== copy.hash) counts.body++
    }
    sheet.record(service, route, LABELS.stable, original)
    sheet.record(service, route, LABELS.canary, { ...copy, aborted: false })
  }

  /** As the original, in a trace of its own: two answers to one request would count as two calls. */
  #head(method: string, head: RequestHead): Buffer {
    const { raw, admission } = this.#original
    const added = { ...admission.added, trace: null, baggage: withMark(head.baggage, 'shadow', null), shadow: true }
    const framing = head.chunked || this.#bodyBytes > 0 ? `content-length: ${this.#bodyBytes}\r\n` : framingOf(head)
    return Buffer.from(upstreamHead(method, head, withoutTrace(raw), added, framing), 'latin1')
  }
}

/** A copy that takes ten times as long as its original took counts as not answered, but not before five seconds. */
const PATIENCE = 10
const MIN_PATIENCE_MS = 5000
