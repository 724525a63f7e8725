import { statePaths } from '../config.ts'
import type { Session } from './frame/session.ts'
import { examine, type Finding } from './machine/checks.ts'
import { escapeControl } from './output/escape.ts'

/** Checks this machine, a line each; exit 1 when something does not work. */
export async function doctor(session: Session): Promise<number> {
  const { env } = session.terminal
  const findings = await examine(statePaths(env), env)
  await session.print(findings, () => findings.flatMap((it) => findingLines(session, it)))
  return findings.some((it) => it.level === 'fail') ? 1 : 0
}

function findingLines({ terminal }: Session, { name, level, text, todo }: Finding): string[] {
  const { colours, unicode } = terminal
  const mark = { ok: colours.green(unicode ? '✓' : '*'), warn: colours.yellow('!'), fail: colours.red(unicode ? '✗' : 'x') }[level]
  const lines = [`${mark} ${name.padEnd(14)} ${escapeControl(text)}`]
  return todo === null ? lines : [...lines, `  ${' '.repeat(14)} ${colours.dim(`→ ${escapeControl(todo)}`)}`]
}
