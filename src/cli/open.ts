import { WeirError } from '../errors.ts'
import { runCommand } from '../spawn.ts'
import type { Session } from './frame/session.ts'
import { escapeControl } from './output/escape.ts'

const OPENER_TIMEOUT_MS = 5000

/** Prints where the app answers, and opens it where there is a browser. */
export async function open(session: Session): Promise<undefined> {
  const params = await session.app('argument')
  const client = await session.client()
  const { urls, services } = await client.call('environments.show', { params })
  const named = session.text('service')
  const url = (named === undefined ? urls : (services.find((it) => it.name === named)?.urls ?? []))[0]
  if (url === undefined)
    throw new WeirError('E_NOT_FOUND', {
      message: `${named ?? params.app} has no URL`,
      cause: 'nothing of it is reached from outside, or it is not released yet',
      next: 'weir status',
    })
  await session.print({ url }, () => [escapeControl(url)])
  const { env, interactive } = session.terminal
  if (!interactive || !(env['DISPLAY'] || env['WAYLAND_DISPLAY']) || !/^https?:\/\//.test(url)) return
  try {
    await runCommand({ argv: ['xdg-open', url], env: env as Record<string, string>, timeoutMs: OPENER_TIMEOUT_MS })
  } catch (error) {
    session.note(`no browser could be opened: ${(error as Error).message}`)
  }
}
