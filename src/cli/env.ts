import type { Variables } from '../../packages/client/src/types.ts'
import { followRelease } from './frame/follow-release.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'

const ALL = '*'

export async function list(session: Session): Promise<undefined> {
  const client = await session.client()
  const variables = await client.call('variables.show', { params: await session.app() })
  await session.print(variables, () => variableLines(session, variables))
}

export async function set(session: Session): Promise<undefined> {
  await stage(session, { set: Object.fromEntries(session.args.map(parseAssignment)) })
}

export async function unset(session: Session): Promise<undefined> {
  await stage(session, { unset: [...session.args] })
}

/** The source of the current release again, with what is staged. */
export async function apply(session: Session): Promise<number> {
  const context = await session.app()
  const client = await session.client()
  const { release } = await client.call('environments.show', { params: context })
  if (release === null) throw usage(`${context.app} has no release yet`, 'the first one takes what is set', 'weir deploy')
  return followRelease(session, client, context, () =>
    client.call('releases.create', { params: context, body: { source: { kind: 'release', number: release } } }),
  )
}

/** @example parseAssignment('LEVEL=info') // ['LEVEL', 'info'] */
export function parseAssignment(text: string): [name: string, value: string] {
  const at = text.indexOf('=')
  const name = at === -1 ? text : text.slice(0, at)
  if (at === -1 || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw usage(
      `"${escapeControl(name)}" is no NAME=value`,
      'a name has letters, digits and _ and does not begin with a digit',
      'weir env set LEVEL=info; for what nobody may read: weir secrets set',
    )
  }
  return [name, text.slice(at + 1)]
}

async function stage(session: Session, changes: { readonly set?: Record<string, string>; readonly unset?: string[] }): Promise<void> {
  const client = await session.client()
  const variables = await client.call('variables.update', { params: await session.app(), body: { service: session.text('service') ?? ALL, ...changes } })
  await session.print(variables, () => [variables.changed ? 'staged; the next release takes it. To release now: weir env apply' : 'nothing changed'])
}

function variableLines({ terminal: { colours } }: Session, { staged, current, changed }: Variables): string[] {
  const lines: string[] = []
  for (const service of [...new Set([...Object.keys(current), ...Object.keys(staged)])].sort()) {
    const [now, next] = [current[service] ?? {}, staged[service] ?? {}]
    for (const name of [...new Set([...Object.keys(now), ...Object.keys(next)])].sort()) {
      const [was, is] = [now[name], next[name]]
      const prefix = service === ALL ? '' : `${service}: `
      if (was === is) lines.push(`  ${prefix}${name}=${escapeControl(is ?? '')}`)
      if (was !== undefined && was !== is) lines.push(colours.red(`- ${prefix}${name}=${escapeControl(was)}`))
      if (is !== undefined && was !== is) lines.push(colours.green(`+ ${prefix}${name}=${escapeControl(is)}`))
    }
  }
  if (lines.length === 0) return ['none set; next: weir env set NAME=value']
  return changed ? [...lines, 'staged changes wait for the next release; weir env apply makes one'] : lines
}
