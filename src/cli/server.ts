import type { Session } from './frame/session.ts'

/** The control plane in the foreground; ends by SIGTERM or SIGINT. Nothing that runs notices. */
export async function server(session: Session): Promise<number> {
  const { startServer } = await import('../server.ts')
  const running = await startServer({ join: session.flag('join') })
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve)
    process.once('SIGINT', resolve)
  })
  await running.close()
  return 0
}
