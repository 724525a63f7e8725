import { statePaths } from '../config.ts'
import type { Session } from './frame/session.ts'
import { stopEverything } from './machine/service.ts'

/** Stops apps, gateway, databases, server and runner of this machine; data stays, and `weir up` brings them back. */
export async function down(session: Session): Promise<undefined> {
  const { env } = session.terminal
  const paths = statePaths(env)
  session.note('stopping')
  const ran = await stopEverything(paths, env)
  const said = ran ? `stopped; the data stays in ${paths.home}, weir up brings everything back` : `nothing ran in ${paths.home}`
  await session.print({ running: false, ran, home: paths.home }, () => [said])
}
