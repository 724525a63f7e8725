import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { ServiceGraph, Trace } from '../../packages/client/src/types.ts'
import { eventually, get, type Installation, installation } from './installation.ts'
import type { EnvironmentView } from './views.ts'

let weir: Installation
let cwd = ''
let url = ''
before(async () => {
  weir = await installation()
  const up = await weir.weir(['up', '--no-deploy'])
  assert.equal(up.code, 0, up.stderr)
  cwd = weir.example('playlist')
  const deployed = await weir.weir(['deploy'], { cwd })
  assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr)
  url = (await weir.json<EnvironmentView>(['status', 'playlist'])).urls[0] ?? ''
})
after(() => weir.remove())

const graph = () => weir.json<ServiceGraph>(['map', '-a', 'playlist'])
const callsIn = ({ edges }: ServiceGraph) => edges.map(({ caller, callee }) => `${caller} → ${callee}`)
/** Of the requests from outside, newest first. */
const requests = async () => (await weir.json<Trace[]>(['traces', '-a', 'playlist', '-n', '200'])).filter((it) => it.service === 'gateway')
const ask = async () => assert.equal((await get(`${url}api/home`)).status, 200)
const pidOf = (daemon: string) =>
  (JSON.parse(readFileSync(join(weir.env['WEIR_HOME'] ?? '', 'runner/daemons', `${daemon}.json`), 'utf8')) as { process: { pid: number } }).process.pid

test('a request shows who calls whom, without a line changed in the app', async () => {
  await ask()
  const seen = await eventually('the way of the request', async () => {
    const it = await graph()
    return ['gateway → web', 'web → home', 'home → songs'].every((call) => callsIn(it).includes(call)) && it
  })
  assert.ok(
    callsIn(seen).some((call) => /^songs → postgresql/.test(call)),
    callsIn(seen).join(', '),
  )
  assert.deepEqual(
    seen.edges.filter(({ caller, callee }) => caller === callee),
    [],
    'no service calls itself: each call is there once',
  )
  assert.equal(seen.edges.find(({ caller }) => caller === 'gateway')?.calls, 1)
})

test('its trace is one, from the gateway to the database, with the critical path marked', async () => {
  const [line] = await eventually('the trace', async () => {
    const found = await requests()
    return (found[0]?.spans ?? 0) > 6 && found
  })
  const trace = await weir.json<Trace>(['trace', line?.id ?? '', '-a', 'playlist'])
  assert.equal(trace.orphans, 0)
  for (const service of ['gateway', 'web', 'home', 'songs']) assert.ok(trace.services.includes(service), service)
  const critical = trace.tree.reduce((sum, it) => sum + it.criticalMs, 0)
  assert.ok(Math.abs(critical - trace.durationMs) < 0.01 * trace.durationMs + 0.1, `${critical} of ${trace.durationMs} ms`)
  const shown = await weir.weir(['trace', trace.id, '-a', 'playlist'])
  assert.match(shown.stdout, /\n\* .* gateway: web GET \/api\/home|\n\* .*web: GET \/api\/home/)
})

test('what replicas print is found by its words', async () => {
  const found = async () => (await weir.weir(['logs', '-a', 'playlist', '--grep', 'listens', '-s', 'songs'])).stdout
  await eventually('the line', async () => /songs.*listens on/.test(await found()), 15_000)
})

test('checks of health leave no traces', async () => {
  const all = await weir.json<Trace[]>(['traces', '-a', 'playlist', '-n', '200'])
  assert.deepEqual(
    all.filter((it) => /healthz/.test(it.operation)),
    [],
  )
})

test('nobody writes into the telemetry of an environment without its key', async () => {
  const port = Number(weir.env['WEIR_OTLP_PORT'])
  const span = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), name: 'made up' }
  const body = JSON.stringify({ resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ spans: [span] }] }] })
  const statusWith = (headers: Record<string, string>) => post(port, '/v1/traces', body, headers)
  // Without root there is one tenant, and no key is needed; a wrong one is refused all the same.
  if (process.getuid?.() === 0) assert.equal(await statusWith({}), 401)
  assert.equal(await statusWith({ 'x-weir-key': `e1.${'0'.repeat(64)}` }), 401)
  const key = await keyOf('songs')
  assert.equal(await statusWith({ 'x-weir-key': key }), 200)
  assert.equal(await statusWith({ 'x-weir-key': key.replace(/^e\d+/, 'e999') }), 401)
})

test('the telemetry process dies: no request fails, and the graph is back at once', async () => {
  const before = pidOf('telemetry')
  process.kill(before, 'SIGKILL')
  for (let n = 0; n < 10; n++) await ask()
  await eventually('another process', async () => pidOf('telemetry') !== before)
  await ask()
  await eventually('the graph', async () => {
    const calls = callsIn(await graph())
    return ['gateway → web', 'web → home', 'home → songs'].every((call) => calls.includes(call))
  })
})

test('turned off, nothing is instrumented, and the gateway alone shows the same way in one trace', async () => {
  weir.write('playlist', { 'weir.yaml': `telemetry: off\n${readFileSync(join(cwd, 'weir.yaml'), 'utf8')}` })
  const deployed = await weir.weir(['deploy'], { cwd })
  assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr)
  await ask()
  const [line] = await eventually('the trace', async () => {
    const found = (await requests()).filter((it) => it.services.includes('songs'))
    const newest = found[0] && (await weir.json<Trace>(['trace', found[0].id, '-a', 'playlist']))
    return newest?.tree.every(({ release }) => release === null || release === 'v2') && [newest]
  })
  assert.deepEqual([...(line?.services ?? [])].sort(), ['gateway', 'home', 'songs', 'web'])
  assert.equal(line?.orphans, 0)
  assert.ok(!callsIn(await graph()).some((call) => /^(\w+) → \1$/.test(call)), 'no service calls itself')
})

/** As a process of the service knows it. */
async function keyOf(service: string): Promise<string> {
  const { stdout } = await weir.weir(['exec', service, '--', 'node', '-p', 'process.env.OTEL_EXPORTER_OTLP_HEADERS'], { cwd })
  return stdout.trim().replace('x-weir-key=', '')
}

function post(port: number, path: string, body: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, path, method: 'POST', headers: { 'content-type': 'application/json', ...headers }, agent: false },
      (answer) => {
        answer.resume()
        resolve(answer.statusCode ?? 0)
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}
