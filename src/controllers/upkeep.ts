import type { Epoch } from '../core/model/epoch.ts'
import type { Driver } from '../drivers/driver.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { Journal, Kept, RetentionPolicy } from './journal.ts'

const COUNTERS_EVERY_MS = 2_000
/** While something is judged: half of this passes before its evidence is seen. */
const EVIDENCE_EVERY_MS = 250
const BLOCKS_AT_ONCE = 500
const COLLECT_EVERY_MS = 10 * 60 * 1000
const SWEEP_EVERY_MS = 30_000

export interface CounterPorts {
  readonly journal: Journal
  readonly gateway: Gateway
  readonly epoch: () => Epoch
  /** Something is judged by what is counted. */
  readonly isHurried: () => boolean
  /** Evidence of the environment has been stored. */
  readonly evidenceOf: (environment: string) => void
}

/** Takes the gateway's closed counter blocks into the store, then lets the gateway forget them; none counts twice, none is lost between. */
export async function takeCounters(ports: CounterPorts): Promise<number> {
  const blocks = await ports.gateway.counters(BLOCKS_AT_ONCE)
  const everyMs = ports.isHurried() ? EVIDENCE_EVERY_MS : COUNTERS_EVERY_MS
  if (blocks.length === 0) return everyMs
  await ports.journal.commitCounters(ports.epoch(), blocks)
  for (const environment of new Set(blocks.flatMap((block) => block.evidence.map((it) => it.environment)))) ports.evidenceOf(environment)
  await ports.gateway.acknowledgeCounters(blocks.map(({ incarnation, sequence }) => ({ incarnation, sequence })))
  return blocks.length < BLOCKS_AT_ONCE ? everyMs : 0
}

export interface CollectPorts {
  readonly journal: Journal
  readonly epoch: () => Epoch
  readonly policy: RetentionPolicy
  /** The file stores: each forgets what is not in `kept`. */
  readonly stores: readonly FileStore[]
}

export interface FileStore {
  collect(kept: Kept, epoch: Epoch): Promise<void>
}

/** Retention: the journal says what history still needs, the file stores drop the rest. */
export async function collect(ports: CollectPorts): Promise<number> {
  const kept = await ports.journal.collect(ports.epoch(), ports.policy)
  for (const store of ports.stores) await store.collect(kept, ports.epoch())
  return COLLECT_EVERY_MS
}

/** Environments that run something or that exist: whoever was forgotten by a lost hint is looked at again. */
export async function sweep(ports: { journal: Journal; driver: Driver; gateway: Gateway; enqueue: (environment: string) => void }): Promise<number> {
  const ids = new Set([...(await ports.journal.environments()), ...(await ports.driver.environments()), ...(await ports.gateway.environments())])
  for (const id of ids) ports.enqueue(id)
  return SWEEP_EVERY_MS
}
