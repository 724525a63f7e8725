import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawOf, identify } from './client-identity.ts'
import { forwardedFrom, TrustedProxies } from './forwarded.ts'
import { type RequestHead, readHead } from './request-head.ts'

const head = (...raw: string[]) => readHead('GET', '/', ['host', 'a.test', ...raw]) as RequestHead

test('a client is its cookie, else its Authorization, else its address', () => {
  const cookie = '0123456789abcdef'
  const fresh = () => 'feedfeedfeedfeed'
  assert.deepEqual(identify(head('cookie', `a=1; weir-client=${cookie}`, 'authorization', 'x'), '9.9.9.9', fresh), {
    client: `cookie:${cookie}`,
    newCookie: null,
  })
  assert.deepEqual(identify(head('authorization', 'Bearer x', 'accept', 'text/html'), '9.9.9.9', fresh), { client: 'authorization:Bearer x', newCookie: null })
  assert.deepEqual(identify(head('accept', 'text/html,*/*'), '9.9.9.9', fresh), { client: 'cookie:feedfeedfeedfeed', newCookie: 'feedfeedfeedfeed' })
  assert.deepEqual(identify(head('accept', '*/*'), '9.9.9.9', fresh), { client: 'address:9.9.9.9', newCookie: null })
  assert.deepEqual(identify(head('cookie', 'weir-client=<script>'), '9.9.9.9', fresh), { client: 'address:9.9.9.9', newCookie: null })
})

test('positions are even, stable, and differ by rollout and key', () => {
  const units = Array.from({ length: 4000 }, (_, i) => `address:10.0.${i >> 8}.${i & 255}`)
  const below = units.filter((unit) => drawOf(unit, 'r1', 'k').position < 10)
  assert.ok(below.length > 320 && below.length < 480, String(below.length))
  assert.deepEqual(
    below,
    units.filter((unit) => drawOf(unit, 'r1', 'k').position < 10),
  )
  for (const [rollout, key] of [
    ['r2', 'k'],
    ['r1', 'other'],
  ] as const) {
    const again = below.filter((unit) => drawOf(unit, rollout, key).position < 10)
    assert.ok(again.length < below.length / 3, 'another draw')
  }
})

test('the name of a unit says nothing of where it stands', () => {
  const draws = Array.from({ length: 4000 }, (_, i) => drawOf(`address:10.0.${i >> 8}.${i & 255}`, 'r1', 'k'))
  const sample = draws.filter(({ client }) => Number.parseInt(client.slice(0, 8), 16) < 2 ** 30)
  const share = sample.filter(({ position }) => position < 10).length / sample.length
  assert.ok(sample.length > 850 && sample.length < 1150 && share > 0.06 && share < 0.14, `${share} of ${sample.length}`)
})

test('only trusted proxies may say who the client is', () => {
  const trusted = new TrustedProxies(['10.0.0.0/8', '::1'])
  assert.deepEqual(forwardedFrom('6.6.6.6', '1.1.1.1', 'https', trusted), { client: '6.6.6.6', chain: '6.6.6.6', proto: 'http' })
  assert.deepEqual(forwardedFrom('10.0.0.1', '1.1.1.1, 2.2.2.2', 'https', trusted), { client: '2.2.2.2', chain: '1.1.1.1, 2.2.2.2, 10.0.0.1', proto: 'https' })
  assert.deepEqual(forwardedFrom('::ffff:10.0.0.1', '1.1.1.1, 10.2.2.2', null, trusted), {
    client: '1.1.1.1',
    chain: '1.1.1.1, 10.2.2.2, 10.0.0.1',
    proto: 'http',
  })
  assert.equal(forwardedFrom('::1', 'nonsense, 10.0.0.2', null, trusted).client, '10.0.0.2')
  assert.equal(forwardedFrom('10.0.0.1', null, null, trusted).client, '10.0.0.1')
  assert.throws(() => new TrustedProxies(['ten']), /WEIR_TRUSTED_PROXIES/)
})
