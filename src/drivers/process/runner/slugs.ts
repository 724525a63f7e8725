import { chmodSync, chownSync, createReadStream, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { WeirError } from '../../../errors.ts'
import { crashPoint } from './crash-point.ts'
import type { Machine } from './machine.ts'

const LIMITS = { bytes: 4 * 1024 ** 3, entries: 500_000 }
/** Groups of slugs lie apart from the accounts: `base + FIRST_GROUP …`. */
const FIRST_GROUP = 1_000_000
const GROUPS = 16_000_000

/**
 * Unpacked folders are not flushed file by file: after a power cut one may hold empty files. The archives are, so after a boot everything
 * is unpacked again from them.
 */
export function forgetUnpacked(slugs: string): void {
  if (!existsSync(slugs)) return
  for (const entry of readdirSync(slugs, { withFileTypes: true })) {
    if (entry.isDirectory() && /^[0-9a-f]{64}$/.test(entry.name)) rmSync(join(slugs, entry.name), { recursive: true, force: true })
  }
}

/**
 * Unpacks slugs, each once, for all replicas that start from it. The folder belongs to root and to a group of its own, which only the
 * replicas that run this slug are given: nobody else can read it, and no one can change it.
 */
export class Slugs {
  readonly #machine: Machine
  readonly #unpacking = new Map<string, Promise<string>>()

  constructor(machine: Machine) {
    this.#machine = machine
    for (const name of readdirSync(machine.paths.runner)) {
      if (name.startsWith('unpack-')) rmSync(join(machine.paths.runner, name), { recursive: true }) // a runner before us died in it
    }
  }

  /** The folder of the slug `sha256:<hex>`, unpacked now if it was not. */
  unpacked(digest: string): Promise<string> {
    const hex = hexOf(digest)
    const folder = join(this.#machine.paths.slugs, hex)
    if (existsSync(folder)) return Promise.resolve(folder)
    let work = this.#unpacking.get(hex)
    if (!work) {
      work = this.#unpack(hex, folder).finally(() => this.#unpacking.delete(hex))
      this.#unpacking.set(hex, work)
    }
    return work
  }

  remove(digest: string): void {
    const folder = join(this.#machine.paths.slugs, hexOf(digest))
    rmSync(folder, { recursive: true, force: true })
    rmSync(`${folder}.tar`, { force: true })
  }

  async #unpack(hex: string, folder: string): Promise<string> {
    const { paths, accounts } = this.#machine
    const archive = `${folder}.tar`
    if (!existsSync(archive))
      throw new WeirError('E_NOT_FOUND', {
        message: `the slug ${hex.slice(0, 12)} is not on this machine`,
        cause: `${archive} is missing`,
        next: 'deploy again',
      })
    mkdirSync(paths.slugs, { recursive: true, mode: 0o711 })
    const { unpackTar } = await import('../../../archive/unpack.ts')
    const fresh = mkdtempSync(join(paths.runner, 'unpack-'))
    try {
      await unpackTar(createReadStream(archive), fresh, LIMITS)
      if (accounts) {
        chownSync(fresh, 0, this.#group(hex, accounts.server - 1))
        chmodSync(fresh, 0o750)
      } else {
        chmodSync(fresh, 0o700)
      }
      renameSync(fresh, folder)
    } finally {
      rmSync(fresh, { recursive: true, force: true })
    }
    crashPoint('slug-unpacked')
    return folder
  }

  /** A number that no other unpacked slug has; begins at one made of the digest, so that it seldom has to look further. */
  #group(hex: string, base: number): number {
    const taken = new Set(
      readdirSync(this.#machine.paths.slugs, { withFileTypes: true })
        .filter((it) => it.isDirectory())
        .map((it) => statSync(join(this.#machine.paths.slugs, it.name)).gid),
    )
    let group = base + FIRST_GROUP + (Number.parseInt(hex.slice(0, 8), 16) % GROUPS)
    while (taken.has(group)) group++
    return group
  }
}

function hexOf(digest: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1]
  if (!hex) throw new WeirError('E_USAGE', { message: 'not a slug digest', cause: digest.slice(0, 80) })
  return hex
}
