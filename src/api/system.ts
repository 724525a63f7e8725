import { WeirError } from '../errors.ts'
import type { ApiPorts } from './ports.ts'
import type { Handlers } from './route.ts'

type Ids = 'system.livez' | 'system.readyz' | 'system.openapi' | 'system.version' | 'system.health' | 'settings.show' | 'settings.update'

export const system: Handlers<Ids> = {
  'system.livez': async () => ({ ok: true }),
  'system.readyz': async ({ ports }) => {
    const [silent] = await Promise.all([ports.silentParts(), ports.queries.health()])
    if (silent.length > 0)
      throw new WeirError('E_UNAVAILABLE', {
        message: `${silent.map(({ part }) => part).join(' and ')} ${silent.length > 1 ? 'do' : 'does'} not answer`,
        cause: silent.map(({ part, cause }) => `${part}: ${cause}`).join('; '),
        state: 'what runs goes on',
        next: 'weir doctor',
      })
    return { ok: true }
  },
  'system.openapi': async ({ options }) => (await import('./openapi.ts')).openapi(options.version),
  'system.version': async ({ options }) => ({ version: options.version, api: 'v1' }),
  'system.health': async ({ ports, options }) => {
    const [store, telemetry] = await Promise.all([ports.queries.health(), ports.telemetry.health().catch(() => null)])
    return {
      version: options.version,
      ...store,
      telemetry: telemetry && {
        accepted: telemetry.spans.accepted,
        lost: { ...telemetry.lost },
        capped: [...telemetry.capped],
        unjournaled: telemetry.unjournaled,
        storage: telemetry.storage,
        links: telemetry.links.map((it) => ({ ...it, lost: { ...it.lost } })),
        memoryBytes: telemetry.memoryBytes,
      },
    }
  },
  'settings.show': ({ ports }) => settingsOf(ports),
  'settings.update': ({ body, ports, write }) =>
    write(async (writer) => {
      const before = await settingsOf(ports)
      if (body.registration !== undefined) await writer.setRegistration(body.registration === 'open')
      if (body.notifyReach !== undefined) await writer.setNotifyReach(body.notifyReach)
      return { registration: body.registration ?? before.registration, notifyReach: body.notifyReach ?? before.notifyReach }
    }),
}

async function settingsOf({ queries }: Pick<ApiPorts, 'queries'>) {
  const [isOpen, notifyReach] = await Promise.all([queries.registrationOpen(), queries.notifyReach()])
  return { registration: isOpen ? ('open' as const) : ('closed' as const), notifyReach }
}
