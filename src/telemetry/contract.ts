import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { isWeirError } from '../errors.ts'
import type { Telemetry } from './telemetry.ts'

/** A trace of one service that called another. */
export interface Delivered {
  /** 32 hex digits. */
  readonly id: string
  readonly at: number
  readonly durationMs: number
  readonly caller: string
  readonly callee: string
  readonly failed: boolean
}

export interface TelemetryHarness {
  readonly telemetry: Telemetry
  /** Returns when it can be seen. */
  deliver(environment: string, trace: Delivered): Promise<void>
  /** From now on nobody answers. */
  silence(): Promise<void>
  close(): Promise<void>
}

/** What every telemetry must do; environments e901 and e902 belong to the suite. */
export function telemetryContract(name: string, open: () => Promise<TelemetryHarness>): void {
  describe(`telemetry: ${name}`, async () => {
    const now = Date.now()
    const traceOf = (n: number, more: Partial<Delivered> = {}): Delivered => ({
      id: n.toString(16).padStart(32, '0'),
      at: now - 1000 * n,
      durationMs: 10 * n,
      caller: 'web',
      callee: 'api',
      failed: false,
      ...more,
    })
    const it = await open()
    after(() => it.close())
    const all = { limit: 50 }
    const ids = async (environment: string, filter: object) => (await it.telemetry.traces(environment, { ...all, ...filter })).map((line) => line.id)

    test('of an environment that sent nothing, nothing is known, and that is no error', async () => {
      assert.deepEqual((await it.telemetry.graph('e901', { windowMs: 60_000 })).edges, [])
      assert.deepEqual(await it.telemetry.traces('e901', all), [])
      assert.equal(await it.telemetry.trace('e901', '1'.padStart(32, '0')), null)
      assert.deepEqual((await it.telemetry.errors('e901', { sinceMs: now - 60_000 })).signatures, [])
      const why = await it.telemetry.why('e901', { service: 'web', windowMs: 60_000 })
      assert.deepEqual([why.service, why.ranked], ['web', []])
      assert.notEqual(why.sentence, '')
    })

    test('a trace is found by its id, in its environment only', async () => {
      await it.deliver('e901', traceOf(1))
      const trace = await it.telemetry.trace('e901', traceOf(1).id)
      assert.deepEqual([trace?.service, trace?.spans, Math.round(trace?.durationMs ?? 0)], ['web', 2, 10])
      assert.deepEqual(
        trace?.tree.map(({ service, depth }) => `${service} ${depth}`),
        ['web 0', 'api 1'],
      )
      assert.equal(await it.telemetry.trace('e902', traceOf(1).id), null)
      assert.deepEqual(await ids('e902', {}), [])
    })

    test('traces are listed by service, failure, duration and time, at most as many as wanted', async () => {
      await it.deliver('e901', traceOf(2, { callee: 'mail' }))
      await it.deliver('e901', traceOf(3, { failed: true }))
      assert.deepEqual(
        (await ids('e901', {})).sort(),
        [1, 2, 3].map((n) => traceOf(n).id),
      )
      assert.deepEqual(await ids('e901', { service: 'mail' }), [traceOf(2).id])
      assert.deepEqual(await ids('e901', { errors: true }), [traceOf(3).id])
      assert.deepEqual(await ids('e901', { minMs: 25 }), [traceOf(3).id])
      assert.deepEqual(await ids('e901', { before: now - 2500 }), [traceOf(3).id])
      assert.equal((await ids('e901', { limit: 2 })).length, 2)
    })

    test('who does not answer makes what is asked unknown, and not wrong', async () => {
      await it.silence()
      for (const ask of [
        () => it.telemetry.graph('e901', { windowMs: 1 }),
        () => it.telemetry.why('e901', { service: 'web', windowMs: 1 }),
        () => it.telemetry.traces('e901', all),
        () => it.telemetry.trace('e901', traceOf(1).id),
        () => it.telemetry.errors('e901', { sinceMs: now }),
        () => it.telemetry.health(),
      ])
        await assert.rejects(ask, (error) => isWeirError(error, 'E_UNAVAILABLE'))
    })
  })
}
