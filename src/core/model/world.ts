/** The two sources of disorder that everything outside core/ must be given, never take: time and chance. */
export interface Clock {
  /** Milliseconds on a clock that never jumps; only differences mean something. Leases and timers use it. */
  monotonic(): number
  /** Milliseconds since 1970, for display and records only. */
  wall(): number
  /** Calls back after at least `ms`; returns the way to cancel. */
  after(ms: number, call: () => void): () => void
}
export interface Random {
  /** 0 ≤ x < 1 */
  next(): number
  /** `bytes` random bytes as lower-case hex. */
  hex(bytes: number): string
}
