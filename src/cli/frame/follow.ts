import type { Client } from '../../../packages/client/src/client.ts'
import type { EventView } from '../../../packages/client/src/types.ts'
import { escapeControl } from '../output/escape.ts'
import { failureOf } from '../output/failure.ts'
import { LiveBlock } from '../output/live.ts'
import { type Progress, progressOf, type Snapshot } from '../output/progress.ts'
import { changeLines, progressLines } from '../output/progress-lines.ts'
import { durationText } from '../output/units.ts'
import type { AppContext } from './context.ts'
import type { Session } from './session.ts'

/** A rollback's rollout is known by its id; a deploy's is the one of its release. */
export interface Followed {
  readonly release: number
  readonly rollout: string | null
}

export interface Ended {
  /** `detached`: Ctrl-C; `timeout`: the wait was over. The work goes on in both. */
  readonly outcome: NonNullable<Progress['outcome']> | 'detached' | 'timeout'
  readonly snapshot: Snapshot | null
  readonly tookMs: number
}

const HEARTBEAT_MS = 30_000
const POLL_MS = 1000
const REPAINT_MS = 200
/** How long the server may be away (a restart, an update) before the wait is given up. */
const PATIENCE_MS = 60_000

/**
 * Follows a release until it serves, waits for a person or is taken back. Events only say "look again": what is shown comes from the state,
 * so a lost event costs a moment, never a wrong picture. Open it before the request, so that no event is missed.
 */
export class Follower {
  readonly #session: Session
  readonly #client: Client
  readonly #context: AppContext
  readonly #ended = new AbortController()
  readonly #startedAt: number
  #wake: () => void = () => {}
  #woken = false
  #detached = false

  constructor(session: Session, client: Client, context: AppContext) {
    this.#session = session
    this.#client = client
    this.#context = context
    this.#startedAt = session.terminal.now()
    void this.#hear()
  }

  async follow(followed: Followed, timeoutMs: number | null): Promise<Ended> {
    const { terminal } = this.#session
    const release = terminal.onInterrupt(() => {
      this.#detached = true
      this.#wake()
    })
    const view = this.#view()
    let lastAnswer = terminal.now()
    let snapshot: Snapshot | null = null
    let buildLog: Promise<void> | null = null
    try {
      for (;;) {
        this.#woken = false
        const elapsed = terminal.now() - this.#startedAt
        if (this.#detached) return { outcome: 'detached', snapshot, tookMs: elapsed }
        if (timeoutMs !== null && elapsed > timeoutMs) return { outcome: 'timeout', snapshot, tookMs: elapsed }
        try {
          snapshot = await this.#look(followed)
          lastAnswer = terminal.now()
        } catch (error) {
          if (!isPassing(failureOf(error).code) || terminal.now() - lastAnswer > PATIENCE_MS) throw error
          view.away()
        }
        if (snapshot) {
          const progress = progressOf(snapshot)
          view.show(progress)
          buildLog ??= view.wantsBuildLog && snapshot.release.status === 'building' ? this.#printBuildLog(followed.release) : null
          if (progress.outcome !== null) {
            await buildLog
            return { outcome: progress.outcome, snapshot, tookMs: terminal.now() - this.#startedAt }
          }
        }
        await this.#pause(view, timeoutMs === null ? POLL_MS : Math.min(POLL_MS, timeoutMs - elapsed))
      }
    } finally {
      release()
      view.end()
      this.close()
    }
  }

  close(): void {
    this.#ended.abort()
  }

  /** Until something happened, at most `ms`; the elapsed time goes on meanwhile. */
  async #pause(view: View, ms: number): Promise<void> {
    for (let waited = 0; waited < ms && !this.#woken && !this.#detached; waited += REPAINT_MS) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, REPAINT_MS)
        this.#wake = () => {
          this.#woken = true
          clearTimeout(timer)
          resolve()
        }
      })
      view.tick()
    }
    this.#wake = () => {
      this.#woken = true
    }
  }

  async #look(followed: Followed): Promise<Snapshot> {
    const params = this.#context
    const [release, environment] = await Promise.all([
      this.#client.call('releases.show', { params: { ...params, release: followed.release } }),
      this.#client.call('environments.show', { params }),
    ])
    const id = followed.rollout ?? release.rollout
    const rollout =
      id === null
        ? null
        : environment.rollout?.id === id
          ? environment.rollout
          : await this.#client.call('rollouts.show', { params: { ...params, rollout: id } })
    return { release, environment, rollout }
  }

  async #hear(): Promise<void> {
    try {
      for await (const { data } of this.#client.stream('events.follow', { query: this.#context }, { signal: this.#ended.signal })) {
        if (this.#session.format === 'jsonl') this.#session.terminal.out(`${JSON.stringify(eventLine(data))}\n`)
        this.#wake()
      }
    } catch {
      // without events the next look comes a second later
    }
  }

  async #printBuildLog(release: number): Promise<void> {
    try {
      for await (const { event, data } of this.#client.stream('releases.log', { params: { ...this.#context, release } }, { signal: this.#ended.signal })) {
        if (event !== 'log') continue
        for (const line of data.text.split('\n'))
          if (line !== '') this.#session.terminal.out(`${stamp(this.#session.terminal.now())} ${data.service} | ${escapeControl(line)}\n`)
      }
    } catch {
      // the log is an extra: how the build ended is in the release
    }
  }

  #view(): View {
    const { terminal, format, quiet } = this.#session
    const elapsed = () => durationText(terminal.now() - this.#startedAt)
    if (quiet || (format !== 'table' && format !== 'wide')) return SILENT
    return terminal.interactive ? liveView(this.#session, elapsed) : plainView(this.#session, elapsed)
  }
}

interface View {
  readonly wantsBuildLog: boolean
  show(progress: Progress): void
  /** The server does not answer. */
  away(): void
  tick(): void
  end(): void
}

const SILENT: View = { wantsBuildLog: false, show() {}, away() {}, tick() {}, end() {} }

function liveView({ terminal }: Session, elapsed: () => string): View {
  const block = new LiveBlock(terminal)
  let last: Progress | null = null
  let note = ''
  const linesOf = (progress: Progress) =>
    progressLines(progress, elapsed(), {
      width: terminal.width() ?? 80,
      height: Math.max(3, terminal.height() - 2),
      unicode: terminal.unicode,
      colours: terminal.colours,
    })
  const paint = () => {
    if (last) block.show([...linesOf(last), ...(note === '' ? [] : [terminal.colours.dim(note)])])
  }
  return {
    wantsBuildLog: false,
    show: (progress) => {
      last = progress
      note = ''
      paint()
    },
    away: () => {
      note = 'the server does not answer; the release goes on when it is back'
      paint()
    },
    tick: paint,
    // the services stay; how it ended is said below them
    end: () => last && block.show(linesOf(last).slice(1)),
  }
}

function plainView({ terminal }: Session, elapsed: () => string): View {
  let last: Progress | null = null
  let said = terminal.now()
  const say = (line: string) => {
    said = terminal.now()
    terminal.out(`${stamp(said)} ${line}\n`)
  }
  return {
    wantsBuildLog: true,
    show: (progress) => {
      for (const line of changeLines(last, progress)) say(line)
      last = progress
    },
    away: () => {
      if (terminal.now() - said > POLL_MS * 5) say('the server does not answer; waiting for it')
    },
    tick: () => {
      if (terminal.now() - said >= HEARTBEAT_MS) say(`${last?.headline ?? 'waiting'} (${elapsed()})`)
    },
    end: () => {},
  }
}

function eventLine(event: EventView): Record<string, unknown> {
  const { kind, ...rest } = event
  return { event: kind, ...rest }
}

/** Time of day for log lines, in UTC so that logs of several machines compare. */
export function stamp(at: number): string {
  return new Date(at).toISOString().slice(0, 19).concat('Z')
}

function isPassing(code: string): boolean {
  return code === 'E_UNAVAILABLE' || code === 'E_RATE' || code === 'E_TIMEOUT'
}
