import { spanId, testWindow, traceId } from '../window/testing.ts'
import { Intake } from './intake.ts'
import type { ReceptionOptions } from './reception.ts'

/** The header, or metadata, that opens environment 7. */
export const KEY = { 'x-weir-key': 'right' }

export const span = (n: number) => ({ trace: traceId(n), id: spanId(n), kind: 'server' as const, service: 'web', operation: 'GET /' })

/** An intake of two environments, 7 by its key and 5 by what it claims, that listens nowhere yet. */
export function testIntake(options: Partial<ReceptionOptions> = {}) {
  const test = testWindow()
  const logs: string[] = []
  const points: string[] = []
  const intake = new Intake({
    senderOf: (key) => (key === 'right' ? 7 : key === 'claims' ? 'claimed' : null),
    scopeOf: ({ namespace }) => (namespace === 'shop' ? 5 : null),
    window: test.window,
    onLogs: (scope, records) => logs.push(...records.map(({ text, maker }) => `${scope} ${maker.service} ${text}`)),
    onMetrics: (scope, its) => points.push(...its.map(({ name, kind }) => `${scope} ${name} ${kind}`)),
    ...options,
  })
  return { ...test, intake, logs, points }
}
