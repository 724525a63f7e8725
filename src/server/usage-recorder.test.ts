import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { UsagePart } from '../store/replica-usage.ts'
import { startUsageRecorder, UsageFold } from './usage-recorder.ts'

const limits = { cpu: 1, memoryBytes: 2 ** 30 }
const usage = (id: string, cpuMs: number, memoryBytes: number) => ({ id, cpuMs, memoryBytes, limits })
const at = (ms: number) => ({ atMs: ms, wallMs: 1_000 * 60_000 + ms })

test('samples are added up by replica and minute: seconds watched, time on processors, memory and its peak', () => {
  const fold = new UsageFold()
  fold.add('e1', [usage('e1-web-v3-7', 1000, 100)], at(0))
  fold.add('e1', [usage('e1-web-v3-7', 3500, 300)], at(5000))
  fold.add('e1', [usage('e1-web-v3-7', 4000, 200)], at(61_000))
  assert.deepEqual(
    fold.parts().map(({ minuteMs, ...it }) => ({ ...it, minute: minuteMs / 60_000 })),
    [
      {
        environment: 'e1',
        service: 'web',
        release: 3,
        replica: 'e1-web-v3-7',
        minute: 1000,
        samples: 2,
        seconds: 5,
        cpuSeconds: 2.5,
        memoryBytes: 400,
        memoryPeakBytes: 300,
      },
      {
        environment: 'e1',
        service: 'web',
        release: 3,
        replica: 'e1-web-v3-7',
        minute: 1001,
        samples: 1,
        seconds: 56,
        cpuSeconds: 0.5,
        memoryBytes: 200,
        memoryPeakBytes: 200,
      },
    ],
  )
})

test('a process that was started again begins at nothing, which is no time given back', () => {
  const fold = new UsageFold()
  fold.add('e1', [usage('e1-web-v3-7', 9000, 1)], at(0))
  fold.add('e1', [usage('e1-web-v3-7', 10, 1)], at(5000))
  fold.add('e1', [usage('e1-web-v3-7', 1010, 1)], at(10_000))
  assert.deepEqual(
    fold.parts().map(({ seconds, cpuSeconds }) => [seconds, cpuSeconds]),
    [[5, 1]],
  )
})

test('whatever counters do, no figure is negative', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20_000), fc.nat(1e9), fc.nat(1e9))), (samples) => {
      const fold = new UsageFold()
      let ms = 0
      for (const [passed, cpuMs, memory] of samples) fold.add('e1', [usage('e1-web-v3-7', cpuMs, memory)], at((ms += passed)))
      for (const part of fold.parts()) assert.ok(part.seconds >= 0 && part.cpuSeconds >= 0 && part.memoryPeakBytes * part.samples >= part.memoryBytes)
    }),
  )
})

test('it watches while this server leads; what could not be stored is stored later, once', async () => {
  let ms = 0
  let next = () => {}
  const clock = {
    monotonic: () => ms,
    wall: () => at(ms).wallMs,
    after: (_ms: number, call: () => void) => {
      next = call
      return () => {}
    },
  }
  const committed: (readonly UsagePart[])[] = []
  let leads: number | null = null
  let isAway = true
  let cpuMs = 0
  const failures: unknown[] = []
  const stop = startUsageRecorder({
    clock,
    driver: { environments: async () => ['e1'], usage: async () => [usage('e1-web-v3-7', (cpuMs += 2500), 100)] },
    memory: {
      commit: async (_epoch, parts) => {
        if (isAway) throw new Error('away')
        committed.push(parts.map((it) => ({ ...it })))
      },
    },
    epoch: () => leads,
    failed: (error) => void failures.push(error),
  })
  const pass = async () => {
    ms += 5000
    next()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(cpuMs, 0)
  leads = 1
  for (let n = 0; n < 4; n++) await pass()
  assert.equal(failures.length > 0, true)
  isAway = false
  for (let n = 0; n < 8; n++) await pass()
  const all = committed.flat()
  assert.equal(
    all.reduce((sum, it) => sum + it.cpuSeconds, 0),
    all.reduce((sum, it) => sum + it.seconds, 0) / 2,
  )
  assert.ok(all.reduce((sum, it) => sum + it.seconds, 0) >= 35)
  await stop()
})
