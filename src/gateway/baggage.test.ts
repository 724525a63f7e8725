import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { clientOf, markOf, withMark } from './baggage.ts'

const CLIENT = '0123456789abcdef'

test('the track is read among other members, with spaces and properties', () => {
  assert.equal(markOf('user=7 , weir-track = canary;ttl=1, x=y'), 'canary')
  assert.equal(markOf('weir-track=stable'), 'stable')
  for (const none of [null, '', 'user=7', 'weir-track=other', 'x-weir-track=canary', 'a=weir-track=canary']) assert.equal(markOf(none), null)
})

test('the client is read only where it can be one of ours', () => {
  assert.equal(clientOf(`weir-track=canary, weir-client=${CLIENT};p=1`), CLIENT)
  for (const none of [null, 'weir-track=canary', 'weir-client=', 'weir-client=me', `x-weir-client=${CLIENT}`]) assert.equal(clientOf(none), null)
})

test('writing replaces every earlier one and keeps what others put there', () => {
  assert.equal(withMark('weir-track=canary,a=1;p=2, weir-track=canary', 'stable', null), 'a=1;p=2,weir-track=stable')
  assert.equal(withMark(`a=1,weir-client=${CLIENT}`, 'stable', null), 'a=1,weir-track=stable', 'a client from outside goes too')
  assert.equal(withMark(null, 'canary', CLIENT), `weir-track=canary,weir-client=${CLIENT}`)
  assert.equal(withMark('weir-track=canary', null, null), null)
  assert.equal(withMark('a=1', null, null), 'a=1')
  assert.equal(withMark('weir-tracker=1', null, null), 'weir-tracker=1')
})

test('what was written is what is read, whatever else is in it', () => {
  const marks = fc.constantFrom('stable', 'canary', 'shadow', 'trial-stable', 'trial-canary')
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z-]{1,8}=[a-z0-9%]{0,8}$/)), marks, fc.constantFrom(CLIENT, null), (members, mark, client) => {
      const written = withMark(members.join(','), mark, client)
      assert.deepEqual([markOf(written), clientOf(written)], [mark, client])
      assert.equal(markOf(withMark(members.join(','), null, null)), null)
    }),
  )
})
