import { CATALOGUE, type ErrorCode, WeirError } from '../../errors.ts'
import { escapeControl } from '../output/escape.ts'
import { durationText } from '../output/units.ts'
import type { AppContext } from './context.ts'
import type { Ended } from './follow.ts'
import type { Session } from './session.ts'

export interface Concluded extends AppContext {
  readonly kind: 'deploy' | 'rollback'
  readonly release: number
}

/** Says how a release ended, what serves now and what to type next; answers the exit code or throws the five parts. */
export async function conclude(session: Session, what: Concluded, ended: Ended): Promise<number> {
  const { snapshot, outcome } = ended
  const name = `v${what.release} of ${what.app}`
  const because = snapshot?.rollout?.because ?? snapshot?.release.because ?? null
  const state = servingText(ended)
  switch (outcome) {
    case 'promoted':
    case 'approval':
      await session.print(resultOf(what, ended), () => successLines(session, what, ended))
      return 0
    case 'held':
      throw failure(because?.code, 'E_MIGRATION_UNKNOWN', {
        message: `${name} is held`,
        because,
        state,
        next: 'look at what the migration did, then weir canary resume, or weir canary abort',
      })
    case 'failed':
      if (because?.code === 'E_REJECTED') throw rejection(what, ended, because)
      throw failure(because?.code, 'E_START_FAILED', { message: `release ${name} failed`, because, state, next: nextAfterFailure(because?.code, what) })
    case 'aborted':
      throw failure(because?.code, 'E_REJECTED', { message: `release ${name} was taken back`, because, state, next: `weir releases show v${what.release}` })
    case 'superseded':
      throw failure(because?.code, 'E_CONFLICT', { message: `release ${name} was superseded by another`, because, state, next: 'weir status' })
    case 'timeout':
      throw new WeirError('E_TIMEOUT', {
        message: `${name} is not done after ${durationText(ended.tookMs)}`,
        state: 'it goes on without this command',
        next: 'weir status, weir canary abort to cancel',
      })
    case 'detached':
      session.note('')
      session.note(`${name} goes on without this command. To look: weir status. To cancel: weir canary abort`)
      return 130
  }
}

/** Taken back for what it did with traffic: nothing is broken, and nothing has to be done in a hurry. */
function rejection({ app, release }: Concluded, ended: Ended, because: NonNullable<Said['because']>): WeirError {
  const { base = null, verdict = null } = ended.snapshot?.rollout ?? {}
  const share = verdict?.share ?? null
  const took = verdict === null ? '' : `; v${release} took ${verdict.counted.canary} ${verdict.counted.unit}`
  return new WeirError('E_REJECTED', {
    message: `release v${release} of ${app} rejected${share === null ? '' : ` at ${Math.max(1, Math.round(share * 100))} %`}`,
    cause: causeText(because),
    evidence: `weir releases show v${release}`,
    state: `${servingText(ended)}${took}`,
    next: base === null ? 'weir logs' : `weir releases diff ${base} ${release}`,
  })
}

function successLines(session: Session, what: Concluded, ended: Ended): string[] {
  const { colours, unicode } = session.terminal
  const { rollout, environment } = ended.snapshot ?? {}
  const took = durationText(ended.tookMs)
  const lines: string[] = []
  if (ended.outcome === 'approval') {
    lines.push(
      `${colours.yellow(unicode ? '◑' : '+')} v${what.release} of ${what.app} serves ${rollout?.weight ?? 0} % and waits for you  ${colours.dim(took)}`,
    )
    lines.push(`  ${colours.dim('next')}  weir canary resume   ${colours.dim('or')} weir canary promote, weir canary abort`)
    return lines
  }
  lines.push(`${colours.green(unicode ? '✓' : '*')} v${what.release} of ${what.app} serves 100 %  ${colours.dim(took)}`)
  for (const url of environment?.urls ?? []) lines.push(`  ${colours.cyan(escapeControl(url))}`)
  for (const problem of environment?.problems ?? []) lines.push(`  ${colours.yellow('!')} ${escapeControl(problem)}`)
  const base = rollout?.base ?? null
  if (what.kind === 'rollback' && base !== null) lines.push(`  ${colours.dim('undo')}  weir rollback v${base}`)
  else lines.push(`  ${colours.dim('next')}  weir logs -f${base === null ? '' : `   ${colours.dim('undo')}  weir rollback`}`)
  return lines
}

function resultOf(what: Concluded, { snapshot, outcome, tookMs }: Ended): Record<string, unknown> {
  return { outcome, ...what, rollout: snapshot?.rollout ?? null, urls: snapshot?.environment.urls ?? [], tookMs }
}

function servingText({ snapshot }: Ended): string {
  const serving = snapshot?.environment.release ?? null
  const rollout = snapshot?.rollout
  if (serving === null) return 'nothing served before, and nothing does now'
  return rollout && rollout.phase === 'splitting' ? `v${serving} serves ${100 - rollout.weight} %` : `v${serving} serves 100 %`
}

interface Said {
  readonly message: string
  readonly because: { readonly text: string; readonly lines: readonly string[] } | null
  readonly state: string
  readonly next: string
}
function failure(code: string | undefined, otherwise: ErrorCode, { message, because, state, next }: Said): WeirError {
  const known = code !== undefined && code in CATALOGUE ? (code as ErrorCode) : otherwise
  return new WeirError(known, {
    message,
    ...(because === null ? {} : { cause: causeText(because) }),
    state,
    next,
  })
}

/** A process that was tried again said the same each time: once is enough. */
function causeText({ text, lines }: { readonly text: string; readonly lines: readonly string[] }): string {
  return [text, ...lines.filter((line, at) => line !== lines[at - 1]).map((line) => `  ${line}`)].join('\n')
}

function nextAfterFailure(code: string | undefined, what: Concluded): string {
  if (code?.startsWith('E_BUILD_')) return 'correct it, then weir deploy'
  if (code === 'E_SECRET_MISSING') return 'weir secrets set NAME < FILE, then weir deploy'
  if (code === 'E_MANIFEST' || code === 'E_UNSUPPORTED' || code === 'E_NAME') return 'correct the manifest, then weir deploy'
  if (code?.startsWith('E_SOURCE_')) return 'weir doctor, or another source'
  return `weir logs --release v${what.release}, then weir deploy`
}
