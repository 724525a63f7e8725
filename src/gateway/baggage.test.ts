import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { trackOf, withTrack } from './baggage.ts'

test('the track is read among other members, with spaces and properties', () => {
  assert.equal(trackOf('user=7 , weir-track = canary;ttl=1, x=y'), 'canary')
  assert.equal(trackOf('weir-track=stable'), 'stable')
  for (const none of [null, '', 'user=7', 'weir-track=other', 'x-weir-track=canary', 'a=weir-track=canary']) assert.equal(trackOf(none), null)
})

test('writing the track replaces every earlier one and keeps what others put there', () => {
  assert.equal(withTrack('weir-track=canary,a=1;p=2, weir-track=canary', 'stable'), 'a=1;p=2,weir-track=stable')
  assert.equal(withTrack(null, 'canary'), 'weir-track=canary')
  assert.equal(withTrack('weir-track=canary', null), null)
  assert.equal(withTrack('a=1', null), 'a=1')
})

test('what was written is what is read, whatever else is in it', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z-]{1,8}=[a-z0-9%]{0,8}$/)), fc.constantFrom('stable' as const, 'canary' as const), (members, track) => {
      assert.equal(trackOf(withTrack(members.join(','), track)), track)
      assert.equal(trackOf(withTrack(members.join(','), null)), null)
    }),
  )
})
