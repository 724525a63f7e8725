import type { ReleaseSummary } from '../../../packages/client/src/types.ts'
import { escapeControl } from './escape.ts'

const COMMIT_LENGTH = 10

/** @example sourceText(release.source) // 'https://git.example.com/shop main 3f2a91c0de "Faster cart"' */
export function sourceText(source: ReleaseSummary['source']): string {
  const parts = [source.label, source.ref ?? '', source.commit?.slice(0, COMMIT_LENGTH) ?? '', source.subject === null ? '' : `"${source.subject}"`]
  return escapeControl(parts.filter(Boolean).join(' '))
}

/** What became of a release, in a word. */
export function releaseState(release: ReleaseSummary): string {
  if (release.serving) return 'serving'
  if (release.status !== 'ready') return release.status
  return release.promotedAt === null ? 'not served' : 'served'
}
