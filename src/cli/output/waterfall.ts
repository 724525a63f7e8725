/** What is drawn of a span: when it began and how long it took, and whether the request waited for it. */
export interface Bar {
  readonly startMs: number
  readonly durationMs: number
  readonly criticalMs: number
}

/**
 * Bars of a trace that took `totalMs`, to one scale. What the request waited for is drawn full, the rest light; every span has one cell at least.
 *
 * @example waterfall(100, { width: 10, unicode: true })({ startMs: 20, durationMs: 30, criticalMs: 5 }) // '  ███'
 */
export function waterfall(totalMs: number, { width, unicode }: { readonly width: number; readonly unicode: boolean }): (bar: Bar) => string {
  const [full, light] = unicode ? ['█', '░'] : ['#', '-']
  return ({ startMs, durationMs, criticalMs }) => {
    const scale = totalMs > 0 ? width / totalMs : 0
    const from = Math.max(0, Math.min(width - 1, Math.floor(startMs * scale)))
    const to = Math.max(from + 1, Math.min(width, Math.round((startMs + durationMs) * scale)))
    return ' '.repeat(from) + (criticalMs > 0 ? full : light).repeat(to - from)
  }
}
