/** What is checked without running anything of ours. `npm run check` runs these alone. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

export interface Check {
  readonly title: string
  readonly argv: readonly string[]
}

export const BUILD: Check = { title: 'build', argv: [process.execPath, 'scripts/build.ts'] }

export const CHECKS: readonly Check[] = [
  { title: 'types', argv: bin('tsc', '--noEmit') },
  { title: 'lint', argv: bin('oxlint', '--type-aware', '--deny-warnings') },
  { title: 'format', argv: bin('biome', 'check', '--error-on-warnings', '--colors=off') },
  { title: 'import law', argv: bin('depcruise', '--output-type', 'err-long', 'src', 'packages') },
  { title: 'dead code', argv: bin('knip', '--no-progress') },
]

function bin(name: string, ...args: string[]): string[] {
  return [process.execPath, join(import.meta.dirname, '../node_modules/.bin', name), ...args]
}

if (import.meta.main) {
  for (const { title, argv } of CHECKS) {
    const [program = '', ...args] = argv
    const { status } = spawnSync(program, args, { stdio: 'inherit', cwd: join(import.meta.dirname, '..') })
    console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${title}`)
    if (status !== 0) process.exitCode = 1
  }
}
