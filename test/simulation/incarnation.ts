import { edgeAddress } from '../../src/config.ts'
import { type ControlPlane, startControlPlane, type World } from '../../src/controllers/control-plane.ts'
import type { Clock } from '../../src/core/model/world.ts'

const NEVER = new Promise<never>(() => {})

export interface Incarnation {
  readonly name: string
  readonly plane: ControlPlane
  /** As `kill -9`: from this instruction on nothing of it runs any more; what it had sent has been sent. */
  kill(): void
  readonly alive: () => boolean
}

export interface IncarnationOptions {
  readonly name: string
  readonly world: World
  /** The state folder's lock was free, so the one before is dead. */
  readonly force: boolean
  /** Called at every point of every pass; true: die here. */
  readonly dieAt: (point: string) => boolean
  readonly failed: (error: unknown) => void
}

/** One life of a server over the shared simulated world. A dead one's calls never return, so nothing behind them happens. */
export function incarnate({ name, world, force, dieAt, failed }: IncarnationOptions): Incarnation {
  let dead = false
  const mortal = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key, target)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          if (dead) return NEVER
          if (key === 'watch')
            return value.call(target, (hint: string) => void world.clock.after(0, () => !dead && (args[0] as (hint: string) => void)(hint))) as unknown
          const result: unknown = value.apply(target, args)
          return result instanceof Promise
            ? Promise.resolve(result).then(
                (it: unknown) => (dead ? NEVER : it),
                (error: unknown) => (dead ? NEVER : Promise.reject(error as Error)),
              )
            : result
        }
      },
    })
  const clock: Clock = {
    monotonic: () => world.clock.monotonic(),
    wall: () => world.clock.wall(),
    after: (ms, call) => world.clock.after(ms, () => !dead && call()),
  }
  const plane = startControlPlane(
    {
      clock,
      random: world.random,
      journal: mortal(world.journal),
      driver: mortal(world.driver),
      gateway: mortal(world.gateway),
      builder: mortal(world.builder),
      source: mortal(world.source),
      beside: mortal(world.beside),
    },
    {
      holder: name,
      force,
      edgeAddress: (environment) => edgeAddress(Number(environment.slice(1)), 64),
      retention: { releases: 50, eventsMs: 1e9, countersMs: 1e9, evidence: 50 },
      fileStores: [],
      failed: (_key, error) => failed(error),
      led: () => {},
      lost: () => {},
      point: (point) => {
        if (dead || !dieAt(point)) return
        dead = true
        throw new Error('killed')
      },
    },
  )
  return { name, plane, kill: () => (dead = true), alive: () => !dead }
}
