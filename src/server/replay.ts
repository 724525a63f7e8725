import type { ApiPorts, Replayed } from '../api/ports.ts'
import { createJudge } from '../core/canary/judge.ts'
import type { Queries } from '../store/queries.ts'

/**
 * Judges a rollout again from its stored blocks, up to the one that its newest verdict stands on. The order in which they are stored is the
 * order in which they were judged, so the same must come of it.
 */
export function replayFrom(queries: Pick<Queries, 'look' | 'evidence'>): ApiPorts['replay'] {
  return async (ref, rollout): Promise<Replayed | null> => {
    const look = await queries.look(ref, rollout)
    if (!look) return null
    const judge = createJudge(look.rules.analysis, look.rules)
    let blocks = 0
    let cursor = 0
    while (cursor < look.cursor) {
      const piece = await queries.evidence(ref, rollout, cursor)
      for (const { seq, block } of piece) {
        cursor = seq
        if (seq > look.cursor || block.stage > 0 !== look.isSplit) continue
        judge.add(block)
        blocks++
      }
      if (piece.length === 0) return { blocks, same: false, problem: 'its blocks are no longer kept' }
    }
    const same = JSON.stringify(judge.verdict(look.side, look.at)) === JSON.stringify(look.verdict)
    return { blocks, same, problem: same ? null : 'another verdict comes of the stored blocks' }
  }
}
