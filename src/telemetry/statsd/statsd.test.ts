import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { test } from 'node:test'
import { edgeAddress, STATSD_PORT } from '../../config.ts'
import type { Sample } from '../storage/store.ts'
import { until } from '../storage/testing.ts'
import { Statsd } from './statsd.ts'

/** Far from those that other tests use: an environment's number is its address. */
const NUMBER = 90_101
const known = (...numbers: number[]) => numbers.map((n) => ({ id: `e${n}`, tenant: 'default', app: 'shop', environment: 'production' }))

async function send(to: number, text: string): Promise<void> {
  const socket = createSocket('udp4')
  await new Promise((resolve) => socket.send(text, STATSD_PORT, edgeAddress(to), resolve))
  socket.close()
}

test('an address that is taken is told of, tried again, and keeps nobody else from being heard', async () => {
  const taken = createSocket('udp4')
  await new Promise<void>((resolve) => taken.bind(STATSD_PORT, edgeAddress(NUMBER), resolve))
  const got: [number, Sample][] = []
  const statsd = new Statsd((scope, samples) => got.push(...samples.map((it): [number, Sample] => [scope, it])))
  try {
    statsd.know(known(NUMBER, NUMBER + 1))
    await until(() => statsd.health().length === 1)
    assert.match(statsd.health()[0]?.problem ?? '', /EADDRINUSE/)
    assert.equal(statsd.health()[0]?.name, `statsd e${NUMBER}`)
    await new Promise<void>((resolve) => taken.close(resolve))

    statsd.know(known(NUMBER, NUMBER + 1))
    await until(() => statsd.health().length === 0)
    await send(NUMBER, 'a:1|c\nno')
    await until(() => statsd.lost['statsd-malformed'] === 1)
    await send(NUMBER + 1, 'b:2|c\nno')
    await until(() => statsd.lost['statsd-malformed'] === 2)
  } finally {
    statsd.close()
  }
  assert.deepEqual(got.map(([scope, { name, value }]) => `${scope} ${name} ${value}`).sort(), [`${NUMBER} a 1`, `${NUMBER + 1} b 2`])
})

test('of an environment that is gone nothing is taken; what it had sent is handed on', async () => {
  const got: string[] = []
  const statsd = new Statsd((_, samples) => got.push(...samples.map((it) => it.name)))
  try {
    statsd.know(known(NUMBER + 2))
    await until(async () => {
      await send(NUMBER + 2, 'a:1|c\nno')
      return (statsd.lost['statsd-malformed'] ?? 0) > 0
    })
    statsd.know([])
    assert.deepEqual(got, ['a'])
    const free = createSocket('udp4')
    await new Promise<void>((resolve, reject) => free.on('error', reject).bind(STATSD_PORT, edgeAddress(NUMBER + 2), resolve))
    free.close()
  } finally {
    statsd.close()
  }
})
