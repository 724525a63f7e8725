/**
 * Recorded traces of two systems with faults put into them (IntelligentDDS/Nezha, FSE'23, MIT): where they lie, which windows of time are
 * faulty and which are quiet, and their spans as columns.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { columnsOf, type Names, type Span, type SpanColumns } from '../../../src/core/tracegraph/index.ts'

const ROOT = join(import.meta.dirname, '../../..')

export interface Day {
  readonly name: string
  readonly columns: SpanColumns
  readonly names: Names
  readonly traces: readonly Trace[]
  readonly faults: readonly Fault[]
}

export interface Trace {
  readonly startMs: number
  readonly rows: Int32Array
  /** Services that answered, once for each time that they did. */
  readonly visited: readonly string[]
}

export interface Fault {
  readonly service: string
  readonly type: string
  /** The file gives each fault's time twice, and for a few they differ by a minute: what lies between is neither faulty nor quiet. */
  readonly earliestMs: number
  readonly latestMs: number
}

/** Calls `use` with both days, unpacked into a folder that is then removed; null where the data are not there. */
export function withNezha<T>(use: (days: readonly Day[]) => T): T | null {
  const archive = join(process.env['WEIR_DATA'] ?? join(ROOT, '../shared/data'), 'blame-nezha/traces.tar.xz')
  if (!existsSync(archive)) return null
  const folder = mkdtempSync(join(tmpdir(), 'weir-nezha-'))
  try {
    execFileSync('tar', ['-xJf', archive, '-C', folder])
    const days = globSync('**/faults.json', { cwd: folder }).sort()
    return use(days.map((file) => readDay(join(folder, file, '..'))))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export function readDay(folder: string): Day {
  const rows = new Map<string, string[][]>()
  for (const file of globSync('trace/*.csv', { cwd: folder }).sort()) {
    for (const line of readFileSync(join(folder, file), 'utf8').split('\n').slice(1)) {
      const row = line.split(',')
      const trace = row[0]
      if (trace === undefined || row.length < 8) continue
      const known = rows.get(trace)
      if (known === undefined) rows.set(trace, [row])
      else known.push(row)
    }
  }
  const faults = Object.values(JSON.parse(readFileSync(join(folder, 'faults.json'), 'utf8')) as Record<string, Record<string, string>[]>).flat()
  const traces = [...rows.values()].map(toSpans)
  const { columns, names } = columnsOf(traces.flat())
  let row = 0
  return {
    columns,
    names,
    name: folder.split('/').at(-1) ?? folder,
    traces: traces
      .map((spans) =>
        toTrace(
          spans,
          Int32Array.from(spans, () => row++),
        ),
      )
      .sort((a, b) => a.startMs - b.startMs),
    faults: faults.map(toFault).sort((a, b) => a.earliestMs - b.earliestMs),
  }
}

function toFault(fault: Record<string, string>): Fault {
  const times = [Number(fault['inject_timestamp']) * 1000, Date.parse(`${fault['inject_time']?.replace(' ', 'T')}Z`)]
  return { service: serviceOf(fault['inject_pod'] ?? ''), type: fault['inject_type'] ?? '', earliestMs: Math.min(...times), latestMs: Math.max(...times) }
}

/** @example serviceOf('ts-food-service-f5756978c-6sb8t') // 'ts-food-service' */
function serviceOf(pod: string): string {
  return pod.replace(/-[0-9a-f]+-\w+$/, '')
}

/** The recording does not say what kind a span is: it is a client if a child of it ran elsewhere, a server if its parent did. */
function toSpans(rows: readonly string[][]): Span[] {
  const pods = new Map(rows.map((row) => [row[1] as string, row[3] as string]))
  const callers = new Set(rows.filter((row) => pods.has(row[2] as string) && pods.get(row[2] as string) !== row[3]).map((row) => row[2] as string))
  return rows.map((row): Span => {
    const [trace = '', id = '', parent = '', pod = '', operation = '', start = '', end = ''] = row
    const isServer = parent === 'root' || (pods.has(parent) && pods.get(parent) !== pod)
    return {
      trace,
      id,
      ...(parent === 'root' ? {} : { parent }),
      service: serviceOf(pod),
      instance: pod,
      operation,
      kind: isServer
        ? operation.endsWith(' process')
          ? 'consumer'
          : 'server'
        : callers.has(id)
          ? operation.endsWith(' send')
            ? 'producer'
            : 'client'
          : 'internal',
      startUs: Number(BigInt(start) / 1000n),
      durationUs: Number(BigInt(end) - BigInt(start)) / 1000,
    }
  })
}

function toTrace(spans: readonly Span[], rows: Int32Array): Trace {
  const root = spans.find(({ parent }) => parent === undefined) ?? spans[0]
  const visited = spans.filter(({ kind }) => kind === 'server').map(({ service }) => service)
  return { startMs: (root?.startUs ?? 0) / 1000, rows, visited }
}
