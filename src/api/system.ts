import type { Handlers } from './route.ts'

type Ids = 'system.livez' | 'system.readyz' | 'system.metrics' | 'system.openapi' | 'system.version' | 'system.health' | 'settings.show' | 'settings.update'

export const system: Handlers<Ids> = {
  'system.livez': async () => ({ ok: true }),
  'system.readyz': async ({ ports }) => {
    await ports.queries.health()
    return { ok: true }
  },
  'system.metrics': async ({ metrics }) => metrics.text(),
  'system.openapi': async ({ options }) => (await import('./openapi.ts')).openapi(options.version),
  'system.version': async ({ options }) => ({ version: options.version, api: 'v1' }),
  'system.health': async ({ ports, options }) => ({ version: options.version, ...(await ports.queries.health()) }),
  'settings.show': async ({ ports }) => ({ registration: (await ports.queries.registrationOpen()) ? 'open' : 'closed' }),
  'settings.update': ({ body, write }) =>
    write(async (writer) => {
      await writer.setRegistration(body.registration === 'open')
      return { registration: body.registration }
    }),
}
