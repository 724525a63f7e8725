import { chmodSync, existsSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { BuildPlace } from '../../confined.ts'

/**
 * What a build changes in folders that other servers' builds use too: done here, at once and in the name of an epoch, so that a server that
 * slept cannot do it to its successor. What is moved aside is the server's to remove.
 */
export function placeBuild(builds: string, { stage, tenant }: BuildPlace, token: string): void {
  moveWorkAside(builds, token)
  const cache = join(builds, 'cache', tenant)
  const fresh = join(builds, stage, 'packages')
  if (existsSync(fresh)) {
    const packages = join(cache, 'packages')
    if (existsSync(packages)) renameSync(packages, join(builds, `old-${token}-packages`))
    renameSync(fresh, packages)
  }
  renameSync(join(builds, stage), join(builds, 'work'))
  chmodSync(cache, 0o711)
}

/** The build is over, however it went. */
export function clearBuild(builds: string, tenant: string, token: string): void {
  moveWorkAside(builds, token)
  closeCache(builds, tenant)
}

function moveWorkAside(builds: string, token: string): void {
  const work = join(builds, 'work')
  if (existsSync(work)) renameSync(work, join(builds, `old-${token}`))
}

/** All builds share one account; only the running build's tenant finds the door of its cache open. */
function closeCache(builds: string, tenant: string): void {
  const cache = join(builds, 'cache', tenant)
  if (existsSync(cache)) chmodSync(cache, 0o700)
}

export function closeCaches(builds: string): void {
  if (!existsSync(join(builds, 'cache'))) return
  for (const tenant of readdirSync(join(builds, 'cache'))) closeCache(builds, tenant)
}
