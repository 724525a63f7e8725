import type { NewEvent } from '../controllers/journal.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { Clock } from '../core/model/world.ts'
import { type DueProbe, dueProbes, type ProbedEnvironment, type ProbeResult, turnOf } from '../core/probes/probes.ts'

const LOOK_EVERY_MS = 2_000
/** Nothing is told when a person stops a service: what is declared is read again this often all the same. */
const READ_EVERY_MS = 60_000
/** Of those that are due together. */
const AT_ONCE = 16

/** What a prober remembers by; PostgreSQL's is in store/probes.ts. */
export interface ProbeMemory {
  environments(): Promise<readonly ProbedEnvironment[]>
  last(environments: readonly string[]): Promise<readonly Pick<ProbeResult, 'environment' | 'service' | 'probe' | 'ok'>[]>
  commit(epoch: Epoch, results: readonly ProbeResult[], events: ReadonlyMap<string, readonly NewEvent[]>): Promise<void>
}

export interface ProberParts {
  readonly clock: Clock
  readonly memory: ProbeMemory
  /** null: another server leads, which does the asking. */
  readonly epoch: () => Epoch | null
  readonly eventsChanged: (changed: () => void) => () => void
  /** Never throws: what goes wrong is the result. */
  readonly ask: (probe: DueProbe, signal: AbortSignal) => Promise<ProbeResult>
  readonly failed: (error: unknown) => void
}

/**
 * Makes the declared requests while this server leads, and stores what came of them. Returns the way to stop.
 *
 * @example const stop = startProber({ clock, memory: store.probes, epoch: plane.epoch, eventsChanged, ask, failed })
 */
export function startProber(parts: ProberParts): () => Promise<void> {
  const { clock, memory } = parts
  let declared: readonly ProbedEnvironment[] = []
  let readAtMs: number | null = null
  let lookedAtMs: number | null = null
  const stopping = new AbortController()
  const asked = new Set<string>()
  const batches = new Set<Promise<void>>()

  const look = async (): Promise<void> => {
    const epoch = parts.epoch()
    const nowMs = clock.wall()
    const fromMs = lookedAtMs
    lookedAtMs = epoch === null ? null : nowMs
    if (epoch === null || fromMs === null) return
    if (readAtMs === null || clock.monotonic() - readAtMs >= READ_EVERY_MS) {
      readAtMs = clock.monotonic()
      declared = await memory.environments()
    }
    const due = dueProbes(declared, fromMs, nowMs).filter((it) => !asked.has(keyOf(it)))
    if (due.length === 0) return
    // Not waited for: an app that does not answer holds up no other's probes.
    const batch = run(due, epoch)
      .catch(parts.failed)
      .finally(() => batches.delete(batch))
    batches.add(batch)
  }

  const run = async (due: readonly DueProbe[], epoch: Epoch): Promise<void> => {
    for (const it of due) asked.add(keyOf(it))
    try {
      const last = new Map((await memory.last([...new Set(due.map((it) => it.environment))])).map((it) => [keyOf(it), it.ok]))
      const results: ProbeResult[] = []
      const waiting = due.values()
      const worker = async () => {
        for (const probe of waiting) if (!stopping.signal.aborted) results.push(await parts.ask(probe, stopping.signal))
      }
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, due.length) }, worker))
      // What was broken off because this server ends says nothing about the app.
      if (!stopping.signal.aborted && parts.epoch() === epoch) await memory.commit(epoch, results, eventsOf(results, last))
    } finally {
      for (const it of due) asked.delete(keyOf(it))
    }
  }

  const unwatch = parts.eventsChanged(() => (readAtMs = null))
  let cancel = () => {}
  let looking: Promise<void> = Promise.resolve()
  const again = () => {
    looking = look()
      .catch((error: unknown) => {
        readAtMs = null
        parts.failed(error)
      })
      .then(() => {
        if (!stopping.signal.aborted) cancel = clock.after(LOOK_EVERY_MS, again)
      })
  }
  again()
  return async () => {
    stopping.abort()
    unwatch()
    cancel()
    await looking
    await Promise.all(batches)
  }
}

function eventsOf(results: readonly ProbeResult[], last: ReadonlyMap<string, boolean>): ReadonlyMap<string, readonly NewEvent[]> {
  const turned = results.flatMap((it) => {
    const kind = turnOf(last.get(keyOf(it)) ?? null, it)
    if (kind === null) return []
    const text = kind === 'probe.failing' ? `probe ${it.probe} of ${it.service} fails: ${it.cause}` : `probe ${it.probe} of ${it.service} succeeds again`
    const event: NewEvent = { kind, text, service: it.service, release: null, data: { probe: it.probe, durationMs: Math.round(it.durationMs) } }
    return [{ environment: it.environment, event }]
  })
  const groups = Map.groupBy(turned, (it) => it.environment)
  return new Map([...groups].map(([environment, its]) => [environment, its.map((it) => it.event)]))
}

function keyOf({ environment, service, probe }: Pick<ProbeResult, 'environment' | 'service' | 'probe'>): string {
  return `${environment}/${service}/${probe}`
}
