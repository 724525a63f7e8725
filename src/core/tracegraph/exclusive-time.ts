import type { Scratch } from './scratch.ts'

/**
 * What of a span's time no child covers that was waited for. Children must be sorted as they returned, the last one first, so one pass is
 * enough: whatever lies above `reach` is covered already.
 */
export function uncovered(s: Scratch, p: number): number {
  const end = s.endUs[p] as number
  let reach = end
  let covered = 0
  const until = s.firstChild[p + 1] as number
  for (let at = s.firstChild[p] as number; at < until; at++) {
    const child = s.children[at] as number
    const from = s.seenStartUs[child] as number
    if (s.waited[child] === 0 || from >= reach) continue
    const to = s.seenEndUs[child] as number
    covered += (to < reach ? to : reach) - (from < to ? from : to)
    reach = from
  }
  const exclusive = end - (s.startUs[p] as number) - covered
  return exclusive > 0 ? exclusive : 0
}
