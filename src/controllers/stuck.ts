import { isWeirError } from '../errors.ts'

import { type EnvironmentPorts, reconcileEnvironment } from './environment.ts'
import type { NewEvent, ReleaseKey, Trouble } from './journal.ts'
import { failRelease, type ReleasePorts, reconcileRelease } from './release.ts'

/** Fewer failures in a row than this are a part that restarts, and nobody's news. */
const QUIET_FAILURES = 3
/** What nobody foresaw is tried again for so long; a part that is away or a full disk, until it is mended. */
const GIVE_UP_AFTER_MS = 10 * 60_000
const MAX_TEXT = 300

/** A pass over an environment; when it fails again and again, people can see why, and when it no longer does, that too. */
export async function reconcileToldEnvironment(ports: EnvironmentPorts, id: string, failures: number): Promise<number | null> {
  try {
    return await reconcileEnvironment(ports, id)
  } catch (error) {
    if (failures >= QUIET_FAILURES && !isOver(error)) await tellOfEnvironment(ports, id, error).catch(() => {}) // the first failure is the one to report
    throw error
  }
}

async function tellOfEnvironment({ journal, epoch }: EnvironmentPorts, id: string, error: unknown): Promise<void> {
  const record = await journal.loadEnvironment(id)
  if (!record) return
  const trouble = troubleOf(error, record.trouble, journal.now())
  if (trouble.text === record.trouble?.text) return
  await journal.noteTrouble(epoch(), id, trouble, [event('environment.stuck', `stuck: ${trouble.text}`, null, trouble)])
}

/**
 * A pass over a release; when it fails again and again, the release says why, and goes on being tried. What nobody foresaw ends it after a
 * while: a release that can neither go on nor fail would hide that it never will.
 */
export async function reconcileToldRelease(ports: ReleasePorts, key: ReleaseKey, failures: number): Promise<number | null> {
  try {
    return await reconcileRelease(ports, key)
  } catch (error) {
    if (failures < QUIET_FAILURES || isOver(error)) throw error
    if (await tellOfRelease(ports, key, error).catch(() => false)) return null
    throw error
  }
}

/** Whether it was given up. */
async function tellOfRelease(ports: ReleasePorts, key: ReleaseKey, error: unknown): Promise<boolean> {
  const record = await ports.journal.loadRelease(key)
  if (!record || record.status === 'ready' || record.status === 'failed') return false
  const now = ports.journal.now()
  const trouble = troubleOf(error, record.trouble, now)
  if (!isForeseen(error) && now - trouble.since >= GIVE_UP_AFTER_MS) {
    const lines = [`tried again for ${Math.round((now - trouble.since) / 60_000)} min`, "what happened inside stands in the server's log: weir logs --help"]
    await failRelease(ports, record, { code: trouble.code, text: trouble.text, lines })
    return true
  }
  if (trouble.text !== record.trouble?.text) {
    const events = [event('release.stuck', `v${key.number} is not built yet: ${trouble.text}`, key.number, trouble)]
    await ports.journal.commitRelease(ports.epoch(), key, { status: record.status, because: trouble, events })
  }
  return false
}

function troubleOf(error: unknown, before: Trouble | null, now: number): Trouble {
  const text = isWeirError(error)
    ? [error.message, error.explanation.cause].filter(Boolean).join(': ')
    : `something inside Weir failed: ${error instanceof Error ? error.message : String(error)}`
  const [line = ''] = text.split('\n')
  return { code: isWeirError(error) ? error.code : 'E_INTERNAL', text: line.slice(0, MAX_TEXT), lines: [], since: before?.since ?? now }
}

/** Another server leads: what this one meets is no news any more. */
function isOver(error: unknown): boolean {
  return isWeirError(error, 'E_STALE_EPOCH')
}

function isForeseen(error: unknown): boolean {
  return isWeirError(error, 'E_UNAVAILABLE') || isWeirError(error, 'E_DISK_FULL')
}

function event(kind: string, text: string, release: number | null, because: Trouble): NewEvent {
  return { kind, text, service: null, release, data: { because: { code: because.code, text: because.text } } }
}
