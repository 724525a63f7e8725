import { bucketOf } from '../../core/model/latency-sketch.ts'

const FIRST_ROOM = 16

/** A latency sketch that is added to: counts of neighbouring buckets, in one array that grows where it is needed. */
export class Sketch {
  #base = 0
  #counts: Float64Array | null = null

  add(ms: number, weight: number): void {
    this.addBucket(bucketOf(ms), weight)
  }

  addBucket(bucket: number, weight: number): void {
    if (this.#counts === null) {
      this.#counts = new Float64Array(FIRST_ROOM)
      this.#base = bucket - FIRST_ROOM / 2
    }
    let at = bucket - this.#base
    if (at < 0 || at >= this.#counts.length) {
      this.#counts = this.#grown(this.#counts, bucket)
      at = bucket - this.#base
    }
    this.#counts[at] = (this.#counts[at] as number) + weight
  }

  /** [bucket, count, …] as in core/model/latency-sketch.ts. */
  sparse(): number[] {
    const sketch: number[] = []
    const counts = this.#counts ?? []
    for (let at = 0; at < counts.length; at++) if ((counts[at] as number) > 0) sketch.push(this.#base + at, counts[at] as number)
    return sketch
  }

  #grown(counts: Float64Array, bucket: number): Float64Array {
    const first = Math.min(this.#base, bucket)
    const needed = Math.max(this.#base + counts.length, bucket + 1) - first
    const larger = new Float64Array(Math.max(needed, counts.length * 2))
    const base = bucket < this.#base ? this.#base + counts.length - larger.length : this.#base
    larger.set(counts, this.#base - base)
    this.#base = base
    return larger
  }
}
