import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'

/** Takes an app away, or with -e one environment of it. The name has to be said twice: there is no way back from it. */
export async function remove(session: Session): Promise<undefined> {
  const { app, environment } = await session.app('argument')
  const whole = session.text('env') === undefined
  const name = whole ? app : environment
  const withData = session.flag('withData')
  const confirm =
    session.text('confirm') ?? (await ask(session, whole ? `the app ${app} with all its environments` : `${environment} of ${app}`, name, withData))
  if (confirm !== name)
    throw usage(`--confirm says "${escapeControl(confirm)}", but what would be removed is "${name}"`, undefined, `the same with --confirm ${name}`)
  const client = await session.client()
  const query = { confirm: name, withData: withData ? ('true' as const) : ('false' as const) }
  const answer = whole
    ? await client.call('apps.remove', { params: { app }, query })
    : await client.call('environments.remove', { params: { app, environment }, query })
  await session.print(answer, () => [
    `${whole ? app : `${environment} of ${app}`} is being removed; ${withData ? 'its data too' : 'its data stays, a deploy of the same name finds it again'}`,
  ])
}

async function ask(session: Session, what: string, name: string, withData: boolean): Promise<string> {
  if (session.flag('yes')) return name
  const warning = `This removes ${what}${withData ? ' and deletes its data' : ''}.`
  if (!session.terminal.asks) throw usage('remove needs --confirm', warning, `the same with --confirm ${name}`)
  return session.terminal.ask(`${warning} Type ${name} to go on: `, false)
}
