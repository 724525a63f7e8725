import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readRecord, writeRecord } from '../durable.ts'
import type { Cgroups } from './cgroups.ts'
import { CgroupsV1, type V1Folders, v1Folders } from './v1.ts'
import { CgroupsV2 } from './v2.ts'

/**
 * The machine's control groups for one installation, or null where they cannot be used (not root, not mounted).
 * Version 1 groups lie below the one that the runner was first started in; a later runner may be elsewhere, so the place is kept.
 */
export function findCgroups({ parent, folder }: { parent: string; folder: string }): Cgroups | null {
  if (process.getuid?.() !== 0) return null
  const own = readFileSync('/proc/self/cgroup', 'utf8')
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
  const here = v1Folders(own, mounts)
  if (here) {
    const place = join(folder, 'cgroups.json')
    const first = readRecord<V1Folders>(place)
    if (first) {
      try {
        return new CgroupsV1({ own: here, base: first, parent })
      } catch {
        // made before a reboot, in a group that is no more
      }
    }
    writeRecord(place, here, { durable: false })
    return new CgroupsV1({ own: here, base: here, parent })
  }
  const v2 = mounts.split('\n').find((line) => line.includes(' - cgroup2 '))
  const group = own.split('\n').find((line) => line.startsWith('0::'))
  if (!v2 || !group) return null
  return new CgroupsV2({ mount: v2.split(' ')[4] ?? '', own: group.slice(3), parent })
}
