import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { eventually, get, installation } from './installation.ts'

const weir = await installation()
after(() => weir.remove())

/** What it catches it prints, as many apps do; a warning and a word are printed too, which are no errors. */
const server = (fault: string) => `const cart = (id) => { ${fault} }
require('node:http').createServer((request, answer) => {
  if (request.url === '/health') return answer.end('ok')
  console.warn('WARN slow, Error: maybe')
  console.log('Error: only a word')
  try {
    answer.end(cart(request.url))
  } catch (error) {
    console.error('request failed:', error)
    answer.statusCode = 500
    answer.end('sorry')
  }
}).listen(process.env.PORT, process.env.HOST)`
const MANIFEST = `version: 1
app: thrower
services:
  web:
    build: app
    command: [node, server.js]
    routes: [{ host: thrower.localhost }]
    healthcheck: { http: /health }
`
interface Listed {
  readonly items: readonly {
    readonly signature: string
    readonly count: number
    readonly before: number
    readonly trace: string | null
    readonly releases: readonly { readonly release: string; readonly count: number }[]
  }[]
}

test('what a replica throws is counted by signature and release; a new release’s new error is told from the old one', async () => {
  const up = await weir.weir(['up', '--no-deploy'])
  assert.equal(up.code, 0, up.stderr)
  const deploy = async (fault: string) => {
    const cwd = weir.write('thrower', { 'weir.yaml': MANIFEST, 'app/package.json': '{"name":"thrower","version":"1.0.0"}', 'app/server.js': server(fault) })
    const { code, stdout, stderr } = await weir.weir(['deploy'], { cwd })
    assert.equal(code, 0, stdout + stderr)
  }
  const ask = async (times: number) => {
    for (let n = 0; n < times; n++)
      assert.equal((await get(`http://127.0.0.1:${weir.http.port}/cart/${n}`, { headers: { host: 'thrower.localhost' } })).status, 500)
  }
  const errors = async (since: string) => (await weir.api<Listed>('GET', `/api/v1/apps/thrower/environments/production/errors?since=${since}`)).body.items
  const counted = (items: Listed['items'], of: string) => items.find((it) => it.signature === of)

  await deploy('return null.lines[id]')
  await ask(5)
  const long = new Date(Date.now() - 3_600_000).toISOString()
  const OLD = 'TypeError at cart (server.js) < server.js'
  const first = await eventually('five of the old error', async () => {
    const items = await errors(long)
    const old = counted(items, OLD)
    if (old?.count === 5) return old
    throw new Error(JSON.stringify(items))
  })
  assert.deepEqual(first.releases, [{ release: 'v1', count: 5, before: 0 }])

  // by the gateway's span: the release has only just begun to serve, and sends none of its own
  const asked = await eventually('the failed requests, of which no span of the app tells', async () => {
    const items = await errors(long)
    const failed = counted(items, 'GET /cart/:id 500')
    if (failed?.count === 5) return failed
    throw new Error(JSON.stringify(items))
  })
  assert.deepEqual(asked.releases, [{ release: 'v1', count: 5, before: 0 }])
  assert.match(asked.trace ?? '', /^[0-9a-f]{32}$/)

  await deploy(`throw new RangeError('cart ' + id + ' of ' + Date.now())`)
  await ask(4)
  const fresh = await eventually('four of the new error', async () => {
    const found = counted(await errors(long), 'RangeError at cart (server.js) < server.js')
    return found?.count === 4 && found
  })
  assert.deepEqual([fresh.releases, fresh.before], [[{ release: 'v2', count: 4, before: 0 }], 0])
  const { stdout } = await weir.weir(['errors', '-a', 'thrower', '--release', 'v2', '-o', 'wide'])
  assert.match(stdout, /\n4 +web +v2: 4 +new .*RangeError at cart \(server\.js\)/)
  assert.doesNotMatch(stdout, /TypeError|maybe|only a word/)

  const path = '/api/v1/apps/thrower/environments/production/indicators?by=release'
  const usage = await eventually(
    'what the replicas took',
    async () => {
      const { items } = (await weir.api<{ items: { release: number; cpu: number | null; memoryBytes: number | null }[] }>('GET', path)).body
      return items.find((it) => it.release === 2 && it.cpu !== null)
    },
    45_000,
  )
  assert.ok((usage.cpu ?? -1) >= 0 && (usage.memoryBytes ?? 0) > 2 ** 20, JSON.stringify(usage))
})
