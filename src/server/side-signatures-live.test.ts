import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { STANDARD_ANALYSIS } from '../core/canary/analysis.ts'
import type { ClientRow, EvidenceBlock, Side } from '../core/canary/evidence.ts'
import { createJudge, NOTHING_BESIDE } from '../core/canary/judge.ts'
import { SpanBatch } from '../gateway/span-batch.ts'
import { ErrorsSeen } from '../telemetry/signatures/errors-seen.ts'
import { EPOCH_MS, spanId, testWindow, traceId } from '../telemetry/window/testing.ts'
import { signaturesBySide } from './side-signatures.ts'

/** A request that failed, by the release of web that it met; its exception is what web's own span tells of. */
interface Failed {
  readonly release: number
  readonly client: string | null
}
const CANARY = 5
const STABLE = 3
const clientOf = (n: number) => hash('sha256', `${n}`).slice(0, 16)

/** From the gateway's spans to the verdict: as they are written, taken in, closed, counted, put on sides and judged, at a flat error rate. */
function judgedBy(unit: 'request' | 'client', failed: readonly Failed[]) {
  const its = testWindow({
    maxSpans: 4096,
    rawBytes: 4 << 20,
    scopeOf: () => 1,
    onClosed: (closed) => errors.closed(closed),
  })
  const errors = new ErrorsSeen({ names: its.window.names, now: () => its.clock.nowMs, sends: () => false })
  const batch = new SpanBatch()
  failed.forEach(({ release, client }, n) => {
    const same = { environment: 'e1', tracestate: null, method: 'GET', route: '/cart', status: 500, failed: true, client, trace: traceId(n + 1) }
    const times = { startMs: EPOCH_MS, endMs: EPOCH_MS + 5 }
    const [entry, own] = [spanId(2 * n + 1), spanId(2 * n + 2)]
    batch.add({ ...same, ...times, service: 'gateway', origin: 0, replica: null, id: entry, parent: '', kind: 'client', name: 'web GET /cart', peer: 'web' })
    const replica = `e1-web-v${release}-1`
    // as of a release that has only just begun to serve
    batch.add({ ...same, ...times, service: 'web', origin: release, replica, id: own, parent: entry, kind: 'internal', name: 'GET /cart', peer: null })
  })
  assert.equal(its.window.accept('trusted', batch.take().body).rejected, 0)
  its.pass(3000)
  const found = errors.view(1, EPOCH_MS).signatures
  const signatures = signaturesBySide(found, { services: [{ service: 'web', stable: STABLE, canary: CANARY }], unit })
  const judge = createJudge(STANDARD_ANALYSIS, { unit, designEffect: 1, changed: ['web'], replicas: { web: 1 }, thresholds: {} })
  judge.add(flat(unit))
  return { ...judge.verdict({ ...NOTHING_BESIDE, signatures }, EPOCH_MS + 3000), signatures }
}

/** 1,000 requests of 200 clients, a tenth of both on the canary, none failed: what is judged here is only what telemetry tells. */
function flat(unit: 'request' | 'client'): EvidenceBlock {
  const counted = (side: Side, requests: number) => ({ side, requests, errors: 0, rejected4xx: 0, timed: 0, slow: [0, 0, 0, 0, 0] })
  const sides = [...Array<Side>(20).fill('canary'), ...Array<Side>(180).fill('stable')]
  const clients: ClientRow[] = unit === 'request' ? [] : sides.map((side, n) => ({ ...counted(side, 5), client: clientOf(n), failed: [] }))
  const rows = [counted('canary', 100), counted('stable', 900)].map((it) => ({ ...it, service: 'web', route: '/cart', routed: it.requests }))
  const replicas = [counted('canary', 100), counted('stable', 900)].map((it) => ({ ...it, service: 'web', replica: `web-${it.side}` }))
  return { rollout: 'r1', stage: 1, fromMs: EPOCH_MS, toMs: EPOCH_MS + 1000, weight: 0.1, rows, replicas, clients }
}
const times = (count: number, one: (n: number) => Failed): Failed[] => Array.from({ length: count }, (_, n) => one(n))

test('by request, a new error fails the canary with its fourth time, and no sooner', () => {
  const kinds = [1, 2, 3, 4].map(
    (count) =>
      judgedBy(
        'request',
        times(count, () => ({ release: CANARY, client: null })),
      ).kind,
  )
  assert.deepEqual(kinds, ['inconclusive', 'inconclusive', 'inconclusive', 'fail'])
  const { text, signatures } = judgedBy(
    'request',
    times(4, () => ({ release: CANARY, client: null })),
  )
  assert.deepEqual(signatures, [{ signature: 'GET /cart 500', service: 'web', canary: 4, stable: 0 }])
  assert.match(text, /new error, 4 times on the canary and never on the stable side; by chance 1 in .*: GET \/cart 500/)
})

test('by request, what stable meets as often for its share is no new error', () => {
  const failed = [...times(4, () => ({ release: CANARY, client: null })), ...times(36, () => ({ release: STABLE, client: null }))]
  assert.equal(judgedBy('request', failed).kind, 'inconclusive')
})

test('by client, one who fails a hundred times is one; with the fourth the canary fails', () => {
  const one = judgedBy(
    'client',
    times(100, () => ({ release: CANARY, client: clientOf(1) })),
  )
  assert.deepEqual([one.kind, one.signatures.map(({ canary, stable }) => [canary, stable])], ['inconclusive', [[1, 0]]])
  const kinds = [3, 4].map(
    (count) =>
      judgedBy(
        'client',
        times(count, (n) => ({ release: CANARY, client: clientOf(n) })),
      ).kind,
  )
  assert.deepEqual(kinds, ['inconclusive', 'fail'])
})

test('by client, whose client is not known counts for nothing', () => {
  const { kind, signatures } = judgedBy(
    'client',
    times(100, () => ({ release: CANARY, client: null })),
  )
  assert.deepEqual([kind, signatures.map(({ canary }) => canary)], ['inconclusive', [0]])
})

test('by client, an error that more clients meet than are told of is compared among as many of both sides', () => {
  const failed = [...times(70, (n) => ({ release: CANARY, client: clientOf(n + 1000) })), ...times(630, (n) => ({ release: STABLE, client: clientOf(n) }))]
  const { kind, signatures } = judgedBy('client', failed)
  const [{ canary, stable } = assert.fail()] = signatures
  assert.ok(stable === 64 && canary > 0 && canary < 16, `${canary} of ${stable}`)
  assert.equal(kind, 'inconclusive')
})
