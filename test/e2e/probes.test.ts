import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { installation } from './installation.ts'

const weir = await installation()
after(() => weir.remove())
const SERVER = `require('node:http').createServer((request, answer) => {
  answer.statusCode = request.headers['user-agent'] === 'weir-probe' && request.url === '/api/home' ? 200 : 500
  answer.end()
}).listen(process.env.PORT, process.env.HOST)`
const manifest = (probe: string) => `version: 1
app: probed
services:
  web:
    build: app
    command: [node, server.js]
    routes: [{ host: probed.localhost }]
    probes: { home: { http: ${probe}, every: 10s } }
`

async function until<T>(look: () => Promise<T | null | undefined | false>): Promise<T> {
  for (const end = performance.now() + 40_000; performance.now() < end; await sleep(500)) {
    const found = await look()
    if (found) return found
  }
  throw new Error('it did not come')
}

test('a declared probe is asked through the gateway, counted, and told of when it turns; changing it restarts nothing', async () => {
  const up = await weir.weir(['up', '--no-deploy'])
  assert.equal(up.code, 0, up.stderr)
  const files = { 'app/server.js': SERVER, 'app/package.json': '{"name":"probed","version":"1.0.0"}' }
  const deploy = async (probe: string) => {
    const cwd = weir.write('probed', { ...files, 'weir.yaml': manifest(probe) })
    const { code, stdout, stderr } = await weir.weir(['deploy'], { cwd })
    assert.equal(code, 0, stdout + stderr)
  }
  const path = '/api/v1/apps/probed/environments/production'
  const home = async () => {
    const { body } = await weir.api<{ items: { probe: string; requests: number; availability: number }[] }>('GET', `${path}/indicators?by=probe`)
    return body.items[0]
  }
  const replicas = async () => {
    const { body } = await weir.api<{ items: { replica: string }[] }>('GET', `${path}/usage`)
    return body.items.map((it) => it.replica)
  }
  await deploy('/api/home')
  const first = await until(home)
  assert.equal(first.availability, 1)
  const before = await replicas()
  await deploy('/nowhere')
  const events = await until(async () => {
    const { stdout } = await weir.weir(['events', '-a', 'probed'])
    return /probe home of web fails: answered 500 instead of 200/.test(stdout) && stdout
  })
  assert.doesNotMatch(events, /succeeds again/)
  assert.deepEqual(await replicas(), before)
  const metrics = await weir.api<string>('GET', '/api/v1/metrics')
  assert.match(metrics.body, /\nweir_probe_success\{app="probed",environment="production",service="web",probe="home"\} [01]\n/)
  await deploy('/api/home')
  await until(async () => /probe home of web succeeds again/.test((await weir.weir(['events', '-a', 'probed'])).stdout))
})
