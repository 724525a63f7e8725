import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AT } from './fixtures.ts'
import { fakeServer, type Handlers, weir } from './testing.ts'

async function run(handlers: Handlers, ...argv: string[]) {
  const server = await fakeServer(handlers)
  try {
    const ran = await weir(server, argv, { env: { WEIR_APP: 'shop' } })
    return { ...ran, query: server.calls.find((it) => it.route === 'errors.show')?.asked.query }
  } finally {
    await server.close()
  }
}

const item = {
  service: 'web',
  signature: 'TypeError at cart (cart.js) · GET /cart 500\u001b[2J',
  count: 12,
  before: 0,
  releases: [
    { release: 'v4', count: 12, before: 0 },
    { release: 'v3', count: 0, before: 0 },
  ],
  firstSeen: AT,
  lastSeen: AT,
  trace: 'ab'.repeat(16),
}

test('errors are a table: how often, by which releases, whether they are new, and where to look', async () => {
  const { out, query } = await run(
    { 'errors.show': () => ({ since: AT, items: [item, { ...item, before: 7, trace: null }] }) },
    'errors',
    '-s',
    'web',
    '--release',
    'v4',
    '-n',
    '5',
  )
  const [head, first, second] = out.split('\n')
  assert.match(head ?? '', /^COUNT +SERVICE +RELEASES +FIRST +LAST +TRACE +ERROR$/)
  assert.match(first ?? '', /^12 +web +v4: 12 +new +.*abababababababab +TypeError/)
  assert.match(second ?? '', /^12 +web +v4: 12 +(?!new).* - +TypeError/)
  assert.equal(out.includes('\u001b[2J'), false)
  const wide = await run({ 'errors.show': () => ({ since: AT, items: [item] }) }, 'errors', '-o', 'wide')
  assert.match(wide.out, /(?:ab){16} +TypeError at cart \(cart\.js\) · GET \/cart 500/)
  assert.deepEqual(query, { service: 'web', release: '4', limit: '5' })
})

test('none is said in words; what is no release or time is refused before the server is asked', async () => {
  assert.match((await run({ 'errors.show': () => ({ since: AT, items: [] }) }, 'errors')).out, /no errors/)
  assert.equal((await run({}, 'errors', '--release', 'newest')).exit, 64)
  assert.equal((await run({}, 'errors', '--since', 'soon')).exit, 64)
})
