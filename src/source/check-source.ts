import { WeirError } from '../errors.ts'
import { refProblem } from './ref-name.ts'
import { parseRepositoryUrl, shownUrl } from './repository-url.ts'

/**
 * Refuses what can never be fetched, before anything is acknowledged: an address that Weir does not follow (`E_SOURCE_URL`), a branch, tag
 * or commit that none can be called (`E_USAGE`).
 *
 * @example checkGitSource({ url: 'https://example.com/a.git', ref: '--upload-pack=x', commit: null }) // throws E_USAGE
 */
export function checkGitSource({ url, ref, commit }: { readonly url: string; readonly ref: string | null; readonly commit: string | null }): void {
  parseRepositoryUrl(url)
  for (const name of [ref, commit]) {
    const problem = name === null ? null : refProblem(name)
    if (problem === null || name === null) continue
    throw new WeirError('E_USAGE', {
      message: `"${shownUrl(name)}" is no branch, tag or commit`,
      cause: `it ${problem}`,
      state: 'nothing was changed',
      next: 'weir deploy --branch main',
    })
  }
}
