import { createHash } from 'node:crypto'
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { instrumentationFile } from '../../../programs.ts'
import type { Machine } from './machine.ts'

/**
 * Copies the module that instruments Node services to where every account can read it, in a folder that is named by its content:
 * replicas that run go on with the one they were started with. null: this installation has none.
 */
export function placeInstrumentation({ paths }: Pick<Machine, 'paths'>): string | null {
  const source = instrumentationFile()
  if (source === null) return null
  const name = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16)
  const folder = join(paths.instrumentation, name)
  const file = join(folder, 'register.cjs')
  if (existsSync(file)) return file
  mkdirSync(paths.instrumentation, { recursive: true, mode: 0o755 })
  const fresh = mkdtempSync(join(paths.instrumentation, '.new-'))
  chmodSync(fresh, 0o755)
  cpSync(source, join(fresh, 'register.cjs'))
  chmodSync(join(fresh, 'register.cjs'), 0o644)
  try {
    renameSync(fresh, folder)
  } catch {
    rmSync(fresh, { recursive: true, force: true }) // another made it meanwhile
  }
  return file
}
