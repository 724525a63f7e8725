import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StatePaths } from '../../config.ts'

const LINES = 4

/** What one of Weir's own processes printed last, from its log: the cause of its end is mostly among it. */
export function lastWords(paths: StatePaths, daemon: string): string[] {
  try {
    const lines = readFileSync(join(paths.logs, 'weir', `${daemon}.jsonl`), 'utf8')
      .trimEnd()
      .split('\n')
      .slice(-LINES)
    return lines.flatMap(textOf)
  } catch {
    return [] // it never said anything, or it is not ours to read
  }
}

function textOf(line: string): string[] {
  try {
    const { text } = JSON.parse(line) as { readonly text?: unknown }
    return typeof text === 'string' ? [text] : []
  } catch {
    return [] // cut off while it was written
  }
}
