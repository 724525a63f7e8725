import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { NamedEnvironment } from '../telemetry.ts'
import type { Sender } from '../window/trace-window.ts'
import { RECORD, recordsOf, TRACE_BYTES, traceKey } from './records.ts'

/** Traces closed before these numbers are counted, and drawn in the saved graph. */
export interface Marks {
  readonly counted: number
  readonly drawn: number
}

export interface Left {
  readonly environments: readonly NamedEnvironment[]
  /** Keys of traces. */
  readonly counted: ReadonlySet<string>
  readonly drawn: ReadonlySet<string>
  requests(): Generator<{ readonly sender: Sender; readonly request: Uint8Array }>
  /** Its files. */
  forget(): void
}

/**
 * What processes before this one left in their journals.
 *
 * @example
 * const left = leftIn(folder, 'a1b2', new Map([['9f00', { counted: 4200, drawn: 3100 }]]))
 * for (const { sender, request } of left.requests()) window.accept(sender, request)
 * left.forget()
 */
export function leftIn(folder: string, own: string, marks: ReadonlyMap<string, Marks>): Left {
  const files = journalsIn(folder).filter(({ name }) => name !== own)
  const counted = new Set<string>()
  const drawn = new Set<string>()
  let environments: readonly NamedEnvironment[] = []
  for (const { path, name } of files) {
    const mark = marks.get(name) ?? { counted: 0, drawn: 0 }
    for (const { kind, head, body } of recordsOf(readFileSync(path))) {
      if (kind === RECORD.environments) environments = JSON.parse(head.toString()) as NamedEnvironment[]
      else if (kind === RECORD.closed) {
        const first = head.readDoubleLE()
        addTraces(counted, body, mark.counted - first)
        addTraces(drawn, body, mark.drawn - first)
      } else if (kind === RECORD.counted) addTraces(counted, head)
      else if (kind === RECORD.drawn) addTraces(drawn, head)
    }
  }
  return {
    environments,
    counted,
    drawn,
    *requests() {
      for (const { path } of files)
        for (const { kind, head, body } of recordsOf(readFileSync(path)))
          if (kind === RECORD.request) yield { sender: senderOf(head.toString()), request: body }
    },
    forget() {
      for (const { path } of files) rmSync(path, { force: true })
    },
  }
}

function addTraces(to: Set<string>, traces: Buffer, most = Number.POSITIVE_INFINITY): void {
  const count = Math.min(most, traces.length / TRACE_BYTES)
  for (let n = 0; n < count; n++) to.add(traceKey(traces, n * TRACE_BYTES))
}

function senderOf(text: string): Sender {
  return text === 'trusted' || text === 'claimed' ? text : Number(text)
}

/** Names of the files, from the oldest on. */
export function filesLeft(folder: string, own: string): string[] {
  return journalsIn(folder).flatMap(({ path, name }) => (name === own ? [] : [basename(path)]))
}

/** From the oldest on. */
function journalsIn(folder: string): { path: string; name: string; turn: number }[] {
  try {
    return readdirSync(folder)
      .flatMap((file) => {
        const [, name, turn] = /^([0-9a-f]+)-(\d+)\.journal$/.exec(file) ?? []
        return name === undefined ? [] : [{ path: join(folder, file), name, turn: Number(turn) }]
      })
      .sort((a, b) => a.turn - b.turn)
  } catch {
    return [] // there was none before
  }
}
