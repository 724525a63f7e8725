import assert from 'node:assert/strict'
import { test } from 'node:test'
import { processEnvironment } from './environment.ts'

const machine = { path: '/usr/bin', paths: { runtimes: '/runtimes' } } as Parameters<typeof processEnvironment>[0]

function environment(environmentVariables: Record<string, string>) {
  return processEnvironment(machine, {
    runtime: null,
    telemetry: () => ({}),
    environmentVariables,
    secretVariables: { KEY: '$HOME' },
    resources: { db: { kind: 'postgres', fields: { url: 'postgres://x', host: '127.0.0.1' } } },
    ports: { http: 4000, admin: 4001 },
    folders: { home: '/home', tmp: '/tmp', secrets: '/secrets' },
  })
}

test('variables of the manifest may name what the driver gives, resources and each other', () => {
  const env = environment({
    URL: 'http://$HOST:${PORT}/',
    ADMIN: '$PORT_ADMIN',
    DB: '${resources.db.url}',
    AGAIN: '$DATABASE_URL',
    MODE: '${LEVEL:-info}',
    NEXT: '$URL',
  })
  assert.deepEqual(
    [env['URL'], env['ADMIN'], env['DB'], env['AGAIN'], env['MODE'], env['NEXT']],
    ['http://127.0.0.1:4000/', '4001', 'postgres://x', 'postgres://x', 'info', 'http://$HOST:${PORT}/'],
  )
})

test('a doubled sign is a plain one, and secrets are never looked into', () => {
  const env = environment({ PRICE: '5 $$', OTHER: '${resources.other.url}' })
  assert.deepEqual([env['PRICE'], env['OTHER'], env['KEY']], ['5 $', '${resources.other.url}', '$HOME'])
})

test('what only the driver knows cannot be overwritten', () => {
  const env = environment({ PORT: '80', HOST: '0.0.0.0' })
  assert.deepEqual([env['PORT'], env['HOST'], env['PATH']], ['4000', '127.0.0.1', '/usr/bin'])
})
