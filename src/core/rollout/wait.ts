import { waitOfBlueGreen } from './blue-green.ts'
import type { Wait } from './judging.ts'
import { waitOfShadow } from './shadow.ts'
import { waitOfSplit } from './split.ts'
import type { Rollout } from './state.ts'

/** The rollout, with why it does not go on by itself just now, and since when it waits for that. */
export function withWait(rollout: Rollout, now: number): Rollout {
  const wait = waitOf(rollout, now)
  const before = rollout.waits ?? null
  if (wait === null) return before === null ? rollout : { ...rollout, waits: null }
  if (before?.for === wait.for && before.text === wait.text) return rollout
  return { ...rollout, waits: { ...wait, since: before?.for === wait.for ? before.since : now } }
}

function waitOf(rollout: Rollout, now: number): Omit<Wait, 'since'> | null {
  const { phase, paused } = rollout
  if (phase.name === 'restoring' || phase.name === 'switching') return null
  if (paused) return { for: 'pause', text: 'paused by a person: weir canary resume' }
  switch (phase.name) {
    case 'splitting':
      return waitOfSplit(rollout, now)
    case 'shadowing':
      return waitOfShadow(rollout)
    case 'checking':
    case 'watching':
      return waitOfBlueGreen(rollout)
    case 'held':
      return { for: 'decision', text: phase.because.text }
    case 'starting':
    case 'replacing':
      return null
  }
}
