import { deploySource } from './frame/deploy-source.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'

/** Builds twice from nothing and lists what differs; exit 1 when something does. */
export async function build(session: Session): Promise<number> {
  if (!session.flag('verify')) throw usage('weir build only knows --verify', 'weir deploy builds what is released', 'weir build --verify')
  const source = await deploySource(session)
  const client = await session.client()
  const request = await source.request(client)
  const { services } = await client.call('build.verify', {
    params: source.context,
    body: { source: request.source, manifest: request.manifest ?? null, service: session.text('service') ?? null },
  })
  const { green, red } = session.terminal.colours
  await session.print(services, () =>
    services.flatMap(({ service, differs }) =>
      differs.length === 0
        ? [`${green('=')} ${service}: both builds are the same`]
        : [
            `${red('≠')} ${service}: ${differs.length === 1 ? '1 file differs' : `${differs.length} files differ`}`,
            ...differs.map((file) => `    ${escapeControl(file)}`),
          ],
    ),
  )
  return services.some((it) => it.differs.length > 0) ? 1 : 0
}
