import { displayWidth, escapeControl, padEnd, truncate } from './escape.ts'
import type { Progress, ServiceProgress, ServiceState } from './progress.ts'

export interface LineStyle {
  readonly width: number
  /** Lines that fit; what is ready folds together when there are more. */
  readonly height: number
  readonly unicode: boolean
  readonly colours: Readonly<Record<'green' | 'red' | 'yellow' | 'cyan' | 'dim' | 'bold', (text: string) => string>>
}

type Mark = { readonly unicode: string; readonly ascii: string; readonly colour: 'green' | 'red' | 'yellow' | 'cyan' | 'dim'; readonly word: string }

export const MARKS: Readonly<Record<ServiceState, Mark>> = {
  queued: { unicode: '●', ascii: '.', colour: 'dim', word: 'queued' },
  building: { unicode: '◐', ascii: '-', colour: 'cyan', word: 'building' },
  built: { unicode: '●', ascii: 'o', colour: 'dim', word: 'waiting' },
  starting: { unicode: '◑', ascii: '+', colour: 'yellow', word: 'starting' },
  ready: { unicode: '✓', ascii: '*', colour: 'green', word: 'ready' },
  failed: { unicode: '✗', ascii: 'x', colour: 'red', word: 'failed' },
  stopping: { unicode: '●', ascii: '.', colour: 'dim', word: 'stopping' },
}

const BUILD_LINES = 4

/**
 * The live picture: a headline with the time that has passed and a line a service in release order; under a running build, its last
 * lines, which fold away when it succeeds. Never a line wider than the terminal, because a wrapped one could not be painted over.
 */
export function progressLines(progress: Progress, elapsed: string, style: LineStyle): string[] {
  const { colours } = style
  const head = truncate(escapeControl(progress.headline), Math.max(10, style.width - elapsed.length - 2))
  const lines = [`${colours.bold(head)}  ${colours.dim(elapsed)}`]
  const nameWidth = Math.min(30, Math.max(0, ...progress.services.map((it) => displayWidth(it.name))))
  for (const service of folded(progress.services, style.height - 1)) {
    if ('count' in service) {
      lines.push(`  ${colours.green(style.unicode ? MARKS.ready.unicode : MARKS.ready.ascii)} ${colours.dim(`${service.count} services ready`)}`)
      continue
    }
    lines.push(serviceLine(service, nameWidth, style))
    for (const line of service.lines.slice(-BUILD_LINES)) lines.push(colours.dim(truncate(`    │ ${escapeControl(line)}`, style.width)))
  }
  return lines.slice(0, Math.max(1, style.height))
}

function serviceLine(service: ServiceProgress, nameWidth: number, style: LineStyle): string {
  const mark = MARKS[service.state]
  const name = padEnd(truncate(service.name, nameWidth), nameWidth)
  const room = style.width - nameWidth - 6 - mark.word.length - 2
  const note = service.note === '' || room < 4 ? '' : `  ${style.colours.dim(truncate(escapeControl(service.note), room))}`
  return `  ${style.colours[mark.colour](style.unicode ? mark.unicode : mark.ascii)} ${name}  ${style.colours[mark.colour](mark.word)}${note}`
}

function folded(services: readonly ServiceProgress[], room: number): readonly (ServiceProgress | { readonly count: number })[] {
  const needed = services.reduce((sum, it) => sum + 1 + Math.min(BUILD_LINES, it.lines.length), 0)
  const ready = services.filter((it) => it.state === 'ready').length
  if (needed <= room || ready < 2) return services
  return [{ count: ready }, ...services.filter((it) => it.state !== 'ready')]
}

/**
 * What changed between two pictures, as plain lines for where there is no terminal: one for each service that is somewhere else now.
 *
 * @example changeLines(null, progress) // ['v3 of shop: building', 'web: queued']
 */
export function changeLines(before: Progress | null, now: Progress): string[] {
  const lines = before?.headline === now.headline ? [] : [escapeControl(now.headline)]
  for (const service of now.services) {
    const was = before?.services.find((it) => it.name === service.name)
    if (was?.state === service.state && (was.note === service.note || service.state !== 'failed')) continue
    lines.push(`${service.name}: ${MARKS[service.state].word}${service.note === '' ? '' : ` (${escapeControl(service.note)})`}`)
  }
  return lines
}
