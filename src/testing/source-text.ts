import { globSync } from 'node:fs'
import { join, relative } from 'node:path'

/** Files of Weir's own code below `folder` (from the root of the repository), without tests and what only tests import. */
export function sourceFiles(folder: string): string[] {
  const root = join(import.meta.dirname, '../..')
  return globSync(`${folder}/**/*.{ts,mts}`, { cwd: root })
    .filter((file) => !/(\.test|\/testing)\.ts$|\/(node_modules|testing|fixtures)\//.test(file))
    .sort()
    .map((file) => relative(process.cwd(), join(root, file)))
}

/** The same lines with comments blanked out, and by choice what stands in quotes. Templates stay: they hold code. */
export function codeOnly(source: string, { strings }: { readonly strings: 'keep' | 'blank' }): string {
  const blank = (text: string) => text.replace(/[^\n]/g, ' ')
  return source.replace(/('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")|(`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|(?<!\\)\/\/[^\n]*/g, (all, quoted, template) => {
    if (template !== undefined) return all
    return quoted !== undefined && strings === 'keep' ? all : blank(all)
  })
}

/** `file:line reason` for each line that a pattern matches. */
export function findLines(file: string, text: string, patterns: readonly (readonly [RegExp, string])[]): string[] {
  return text.split('\n').flatMap((line, at) => patterns.filter(([pattern]) => pattern.test(line)).map(([, reason]) => `${file}:${at + 1} ${reason}`))
}
