import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decideTrack, type Hop, type TrackDecision } from './track.ts'

const split = (weight: number) => ({ rollout: 'r', weight, by: { kind: 'request' }, judge: null }) as const
const hop = (it: Partial<Hop>): Hop => ({ track: 'entry', split: split(50), baggage: null, position: 40, ...it })
const decision = (serve: TrackDecision['serve'], counted: TrackDecision['counted'], write: TrackDecision['write']): TrackDecision => ({ serve, counted, write })

const TABLE: readonly [what: string, hop: Hop, decision: TrackDecision][] = [
  ['no split', hop({ split: null }), decision('stable', 'stable', null)],
  ['the entry, below the weight', hop({}), decision('canary', 'canary', 'canary')],
  ['the entry, above the weight', hop({ position: 50 }), decision('stable', 'stable', 'stable')],
  ['the entry, whatever baggage says', hop({ position: 50, baggage: 'canary' }), decision('stable', 'stable', 'stable')],
  ['the entry, a request without the unit of the split', hop({ position: null }), decision('stable', 'stable', 'stable')],
  ['the entry at weight 100, even without the unit', hop({ split: split(100), position: null }), decision('canary', 'canary', 'canary')],
  ['the entry at weight 0', hop({ split: split(0), position: 0 }), decision('stable', 'stable', 'stable')],
  ['an edge of a changed caller of the old release', hop({ track: 'stable', baggage: 'canary' }), decision('stable', 'stable', 'stable')],
  ['an edge of a changed caller of the new release', hop({ track: 'canary', baggage: null, split: split(0) }), decision('canary', 'canary', 'canary')],
  ['the same after the split was taken back', hop({ track: 'canary', split: null }), decision('canary', 'canary', 'canary')],
  ['an edge of an unchanged caller with canary baggage', hop({ track: 'baggage', baggage: 'canary' }), decision('canary', 'canary', null)],
  ['the same at weight 0', hop({ track: 'baggage', baggage: 'canary', split: split(0) }), decision('stable', 'canary', null)],
  ['an edge of an unchanged caller with stable baggage', hop({ track: 'baggage', baggage: 'stable' }), decision('stable', 'stable', null)],
  ['an edge of an unchanged caller that lost its baggage', hop({ track: 'baggage' }), decision('stable', 'unknown', null)],
  ['a split edge with baggage', hop({ track: 'split', baggage: 'stable', position: 0 }), decision('stable', 'stable', null)],
  ['a split edge without baggage', hop({ track: 'split' }), decision('canary', 'canary', 'canary')],
  ['an edge of a caller that is shadowed', hop({ track: 'shadow', split: null }), decision('canary', 'unknown', 'shadow')],
  ['what a copy asks of the next through an unchanged caller', hop({ track: 'baggage', baggage: 'shadow' }), decision('canary', 'unknown', 'shadow')],
  ['the same when nothing is shadowed any more', hop({ track: 'stable', split: null, baggage: 'shadow' }), decision('canary', 'unknown', 'shadow')],
  ['a mark of a trial that a split overtook', hop({ track: 'baggage', baggage: 'trial-canary' }), decision('stable', 'unknown', null)],
]

for (const [what, given, expected] of TABLE) {
  test(`${what}: ${expected.serve}, counted as ${expected.counted}`, () => {
    assert.deepEqual(decideTrack(given), expected)
  })
}

test('raising the weight takes nobody out of the canary', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 99.999, noNaN: true }), fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }), (position, a, b) => {
      const serve = (weight: number) => decideTrack(hop({ split: split(weight), position })).serve
      if (serve(Math.min(a, b)) === 'canary') assert.equal(serve(Math.max(a, b)), 'canary')
    }),
  )
})
