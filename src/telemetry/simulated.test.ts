import { type Delivered, telemetryContract } from './contract.ts'
import { SimulatedTelemetry } from './simulated.ts'
import type { SpanView } from './telemetry.ts'

telemetryContract('simulated', async () => {
  const telemetry = new SimulatedTelemetry(Date.now)
  return {
    telemetry,
    deliver: async (environment, { caller, callee, ...trace }: Delivered) => {
      const tree = [caller, callee].map((service, depth) => spanOf(service, depth, trace))
      telemetry.addTrace(environment, { ...trace, service: caller, operation: 'GET /', spans: 2, services: [caller, callee], orphans: 0, tree })
    },
    silence: async () => {
      telemetry.silent = true
    },
    close: async () => {},
  }
})

function spanOf(service: string, depth: number, { durationMs, failed }: Pick<Delivered, 'durationMs' | 'failed'>): SpanView {
  return {
    id: `${depth + 1}`.padStart(16, '0'),
    parent: depth === 0 ? null : '1'.padStart(16, '0'),
    depth,
    service,
    operation: 'GET /',
    kind: 'server',
    startMs: 0,
    durationMs,
    exclusiveMs: depth === 0 ? 0 : durationMs,
    criticalMs: depth === 0 ? 0 : durationMs,
    failed,
    peer: null,
    instance: null,
    release: null,
    attributes: {},
  }
}
