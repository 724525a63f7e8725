import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DesignEffect } from './design-effect.ts'

/** 20 timed requests a block of half a second; `slow` of them. */
function effectOf(slow: (block: number) => number, blocks = 2_000): number {
  const effect = new DesignEffect()
  for (let at = 0; at < blocks; at++) {
    const counts = [0, 0, slow(at), 0, 0]
    const row = { service: 'web', replica: 'w1', side: 'stable', requests: 20, errors: 0, timed: 20, slow: counts } as const
    effect.add({ rollout: 'aa-1', stage: 0, fromMs: at * 500, toMs: at * 500 + 500, rows: [], replicas: [row], clients: [] })
  }
  return effect.value
}

function seeded(): () => number {
  let state = 7
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
}

test('slow requests that come one by one have no design effect', () => {
  const random = seeded()
  const binomial = () => Array.from({ length: 20 }, random).filter((it) => it < 0.1).length
  const value = effectOf(binomial)
  assert.ok(value >= 1 && value < 1.3, `${value}`)
})

test('slow requests that come together have one as large as the crowds are', () => {
  const random = seeded()
  const value = effectOf(() => (random() < 0.1 ? 20 : 0))
  assert.ok(value > 14 && value <= 20, `${value}`)
})

test('too little says nothing', () => {
  assert.equal(
    effectOf(() => 20, 40),
    1,
  )
  assert.equal(
    effectOf(() => 0),
    1,
  )
})
