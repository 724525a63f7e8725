import type { Builder } from '../build/builder.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { Clock, Random } from '../core/model/world.ts'
import type { Driver } from '../drivers/driver.ts'
import { isWeirError } from '../errors.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { Source } from '../source/source.ts'
import type { Beside } from './beside.ts'
import { Checks } from './checking.ts'
import type { EnvironmentPorts } from './environment.ts'
import { followBranches } from './follow.ts'
import { type Journal, RENEW_MS, type ReleaseKey, type RetentionPolicy } from './journal.ts'
import { Judges } from './judging.ts'
import { Loop } from './loop.ts'
import { reconcileToldEnvironment, reconcileToldRelease } from './stuck.ts'
import { collect, type FileStore, sweep, takeCounters } from './upkeep.ts'

const ACQUIRE_EVERY_MS = 500
const ENVIRONMENTS_AT_ONCE = 16
const RELEASES_AT_ONCE = 4
const UPKEEP_AT_ONCE = 4

/** Everything that touches the world, injected: the real ones by server.ts, simulated ones by test/simulation. */
export interface World {
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
  readonly driver: Driver
  readonly gateway: Gateway
  readonly builder: Builder
  readonly source: Source
  readonly beside: Beside
}

export interface ControlPlaneOptions {
  /** Who holds the lease, for people: host and process. */
  readonly holder: string
  /** The state folder's lock proves that a previous holder is dead: do not wait for its lease. */
  readonly force: boolean
  readonly edgeAddress: (environment: string) => string
  readonly retention: RetentionPolicy
  readonly fileStores: readonly FileStore[]
  readonly failed: (key: string, error: unknown, retryInMs: number) => void
  readonly led: (epoch: Epoch) => void
  /** The lease is gone: nothing acts any more; it is acquired again when it becomes free. */
  readonly lost: () => void
  readonly point?: EnvironmentPorts['point']
}

export interface ControlPlane {
  /** `env:e12`, `release:e12/7`, `follow`: look at it now. */
  enqueue(key: string): void
  /** null: another server leads. */
  epoch(): Epoch | null
  stop(): Promise<void>
}

/**
 * Leads when it can get the lease, and follows otherwise. While it leads, three loops turn keys into passes; everything it is told is only a
 * hint to look at a key again.
 */
export function startControlPlane(world: World, options: ControlPlaneOptions): ControlPlane {
  let term: Term | null = null
  let stopped = false
  let cancel: (() => void) | null = null
  // Whoever loses the lease later lost it to a server that is alive.
  let force = options.force

  const tick = async (): Promise<void> => {
    try {
      if (!term) {
        const epoch = await world.journal.acquire(options.holder, force)
        force = false
        if (epoch !== null && !stopped) {
          await Promise.all([world.driver.fence(epoch), world.gateway.fence(epoch)])
          world.builder.fence(epoch)
          term = await Term.start(world, options, epoch)
          options.led(epoch)
        }
      } else if (!(await world.journal.renew(term.epoch))) await lose()
    } catch (error) {
      if (isWeirError(error, 'E_STALE_EPOCH')) await lose()
      else options.failed('lease', error, term ? RENEW_MS : ACQUIRE_EVERY_MS)
    }
    if (!stopped) cancel = world.clock.after(term ? RENEW_MS : ACQUIRE_EVERY_MS, () => void tick())
  }

  const lose = async (): Promise<void> => {
    const lost = term
    term = null
    if (!lost) return
    await lost.stop()
    options.lost()
  }

  void tick()
  return {
    enqueue: (key) => term?.enqueue(key),
    epoch: () => term?.epoch ?? null,
    stop: async () => {
      stopped = true
      cancel?.()
      const last = term
      term = null
      await last?.stop()
      if (last) await world.journal.release(last.epoch).catch((error: unknown) => options.failed('lease', error, 0))
    },
  }
}

/** One term of leading: everything in it carries its epoch and ends with it. */
class Term {
  readonly epoch: Epoch
  readonly #environments: Loop
  readonly #releases: Loop
  readonly #upkeep: Loop
  readonly #unwatch: (() => void)[] = []

  private constructor(world: World, options: ControlPlaneOptions, epoch: Epoch) {
    this.epoch = epoch
    const { clock, random } = world
    const judges = new Judges({ ...world, hurry: () => this.enqueue('counters') })
    const counting = { isHurried: () => judges.isBusy, evidenceOf: (id: string) => this.enqueue(`env:${id}`) }
    const checks = new Checks({ ...world, answered: (id) => this.enqueue(`env:${id}`) })
    const ports = { ...world, judges, checks, edgeAddress: options.edgeAddress, epoch: () => epoch, ...(options.point ? { point: options.point } : {}) }
    const loop = (concurrency: number, reconcile: (key: string, failures: number) => Promise<number | null>) =>
      new Loop({ clock, random, concurrency, reconcile, failed: options.failed })
    this.#environments = loop(ENVIRONMENTS_AT_ONCE, (key, failures) => reconcileToldEnvironment(ports, key, failures))
    this.#releases = loop(RELEASES_AT_ONCE, async (key, failures) => {
      const { environment, number } = parseReleaseKey(key)
      const wakeInMs = await reconcileToldRelease(ports, { environment, number }, failures)
      if (wakeInMs === null) this.enqueue(`env:${environment}`)
      return wakeInMs
    })
    // Side by side: a repository that does not answer holds up neither counters nor clean-up.
    this.#upkeep = loop(UPKEEP_AT_ONCE, async (key) => {
      switch (key) {
        case 'counters':
          return takeCounters({ ...ports, ...counting })
        case 'follow':
          return followBranches({ ...ports, released: (it) => this.enqueue(releaseKey(it)) })
        case 'sweep':
          for (const it of await world.journal.unfinishedReleases()) this.enqueue(releaseKey(it))
          return sweep({ ...ports, enqueue: (id) => this.#environments.attend(id) })
        default:
          return collect({ ...ports, policy: options.retention, stores: options.fileStores })
      }
    })
    this.#unwatch.push(
      world.driver.watch((id) => this.enqueue(`env:${id}`)),
      world.gateway.watch((id) => this.enqueue(`env:${id}`)),
      world.journal.watch((key) => this.enqueue(key)),
      world.builder.watch(() => void this.#lookAtReleases(world, options)),
    )
  }

  static async start(world: World, options: ControlPlaneOptions, epoch: Epoch): Promise<Term> {
    const term = new Term(world, options, epoch)
    for (const key of ['sweep', 'counters', 'follow', 'collect']) term.#upkeep.enqueue(key)
    return term
  }

  enqueue(key: string): void {
    if (key.startsWith('env:')) this.#environments.enqueue(key.slice(4))
    else if (key.startsWith('release:')) this.#releases.enqueue(key.slice(8))
    else this.#upkeep.enqueue(key)
  }

  async stop(): Promise<void> {
    for (const unwatch of this.#unwatch) unwatch()
    await Promise.all([this.#environments.stop(), this.#releases.stop(), this.#upkeep.stop()])
  }

  async #lookAtReleases(world: World, options: ControlPlaneOptions): Promise<void> {
    try {
      for (const it of await world.journal.unfinishedReleases()) this.enqueue(releaseKey(it))
    } catch (error) {
      options.failed('releases', error, 0) // the sweep looks again
    }
  }
}

function releaseKey({ environment, number }: ReleaseKey): string {
  return `release:${environment}/${number}`
}

function parseReleaseKey(key: string): ReleaseKey {
  const [environment = '', number = ''] = key.split('/')
  return { environment, number: Number(number) }
}
