const FORBIDDEN = /[\u0000-\u0020\u007f~^:?*[\\]/

/**
 * Why `ref` cannot be a branch, tag or commit, or null: the rules of `git check-ref-format`, and nothing that looks like an option.
 *
 * @example refProblem('release/1.2') // null
 * @example refProblem('--upload-pack=x') // "looks like an option"
 */
export function refProblem(ref: string): string | null {
  if (ref === '') return 'is empty'
  if (Buffer.byteLength(ref) > 250) return 'is over 250 bytes long'
  if (ref.startsWith('-')) return 'looks like an option'
  if (FORBIDDEN.test(ref)) return 'has a character that no branch or tag has'
  if (ref.includes('..') || ref.includes('@{') || ref === '@') return 'is an expression, not a name'
  if (ref.includes('//') || ref.startsWith('/') || ref.endsWith('/') || ref.endsWith('.')) return 'is malformed'
  if (ref.split('/').some((part) => part.startsWith('.') || part.endsWith('.lock') || part.startsWith('-'))) return 'is malformed'
  return null
}

/** A whole commit id: SHA-1 or SHA-256 in lower-case hex. */
export function isCommitId(text: string): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text)
}

/** The beginning of one, long enough to mean something. */
export function isShortCommitId(text: string): boolean {
  return /^[0-9a-f]{7,63}$/.test(text)
}
