import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The programs that Weir is made of, each with the file under src/ it begins in; built, `dist/NAME.js`. */
export const PROGRAMS = {
  weir: 'main.ts',
  runner: 'drivers/process/runner/main.ts',
  gateway: 'gateway/main.ts',
  'gateway-worker': 'gateway/worker.ts',
  telemetry: 'telemetry/main.ts',
} as const

/** The module that instruments Node services, one file without imports of ours; null where Weir was not built. */
export function instrumentationFile(): string | null {
  const built = join(import.meta.dirname, 'instrumentation/register.cjs')
  return existsSync(built) ? built : null
}

/**
 * The file to start a program from: beside this one where Weir is built, else its source.
 *
 * @example spawn(process.execPath, [programFile('runner')]) // …/dist/runner.js
 */
export function programFile(name: keyof typeof PROGRAMS): string {
  const built = join(import.meta.dirname, `${name}.js`)
  return existsSync(built) ? built : join(import.meta.dirname, PROGRAMS[name])
}
