import { escapeControl } from '../output/escape.ts'
import { usage } from './usage.ts'

/** @example releaseNumber('v42') // 42 */
export function releaseNumber(text: string): number {
  const digits = text.match(/^v?([1-9]\d{0,8})$/)?.[1]
  if (digits === undefined) throw usage(`"${escapeControl(text)}" is no release`, 'releases are called v1, v2, …', 'weir releases')
  return Number(digits)
}
