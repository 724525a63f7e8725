import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { runCommand } from '../../src/spawn.ts'
import { eventually, freePort, get, type Installation, installation } from './installation.ts'

const ROOT = join(import.meta.dirname, '../..')
const PROGRAMS = ['prometheus', 'prometheus-alertmanager', 'promtool'].map((name) => `/usr/bin/${name}`)
const missing = PROGRAMS.find((it) => !existsSync(it))

const FAILS = `require('node:http').createServer((request, answer) => {
  answer.statusCode = request.url === '/healthz' ? 200 : 500
  answer.end()
}).listen(process.env.PORT, process.env.HOST)`
const MANIFEST = `version: 1
app: fails
services:
  web:
    build: .
    command: [node, server.js]
    ports: { http: 8080 }
    healthcheck: { http: /healthz }
    slo: { availability: 99% }
    probes: { home: { http: /, expect: 200, timeout: 1s } }
`

let weir: Installation
const children: ChildProcess[] = []
before(async () => {
  if (missing) return
  weir = await installation()
  const up = await weir.weir(['up', '--no-deploy'])
  assert.equal(up.code, 0, up.stderr)
  const folder = weir.write('fails', { 'weir.yaml': MANIFEST, 'server.js': FAILS, 'package.json': '{"name":"fails","version":"1.0.0"}' })
  const deployed = await weir.weir(['deploy'], { cwd: folder })
  assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr)
})
after(async () => {
  for (const child of children) {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once('exit', resolve))
  }
  await weir?.remove()
})

/** Started without a shell; what it says is shown when it ends too early. */
function start(argv: readonly [string, ...string[]]): void {
  const [program, ...args] = argv
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4000)
  })
  child.once('exit', (code) => code !== null && code !== 0 && process.stderr.write(`${program} ended with ${code}: ${said}\n`))
  children.push(child)
}

const asJson = async <T>(url: string): Promise<T | null> => {
  const answer = await get(url).catch(() => null)
  return answer?.status === 200 ? (JSON.parse(answer.body) as T) : null
}

test('Prometheus scrapes a running Weir, its rules see the burning budget, and Alertmanager gets the alert', {
  skip: missing ? `${missing} is not installed` : false,
}, async () => {
  const { secret } = await weir.json<{ secret: string }>(['token', 'create', 'prometheus', '--verbs', 'app:read', '--expires', '1d'])
  const [prometheusPort, alertsPort] = [await freePort(), await freePort()]
  const configured = readFileSync(join(ROOT, 'infra/prometheus/prometheus.yml'), 'utf8')
    .replaceAll('15s', '1s')
    .replaceAll('127.0.0.1:7700', weir.env['WEIR_API_LISTEN'] ?? '')
    .replaceAll('127.0.0.1:9093', `127.0.0.1:${alertsPort}`)
  const folder = weir.write('prometheus', {
    'prometheus.yml': configured,
    'rules.yaml': readFileSync(join(ROOT, 'infra/prometheus/rules.yaml'), 'utf8').replaceAll('for: 2m', 'for: 1s'),
    'weir-token': secret,
    'weir-admin-token': 'none',
    'alertmanager.yml': 'route: { receiver: nobody, group_wait: 100ms }\nreceivers: [{ name: nobody }]\n',
  })
  const checkedConfig = await runCommand({
    argv: ['/usr/bin/promtool', 'check', 'config', join(folder, 'prometheus.yml')],
    cwd: folder,
    env: {},
    timeoutMs: 20_000,
  })
  assert.equal(checkedConfig.code, 0, checkedConfig.stdout + checkedConfig.stderr)
  const page = await runCommand({
    argv: ['/usr/bin/promtool', 'check', 'metrics'],
    cwd: folder,
    env: {},
    timeoutMs: 20_000,
    stdin: (await weir.api<string>('GET', '/metrics')).body,
  })
  assert.equal(page.code, 0, page.stdout + page.stderr)

  start([
    '/usr/bin/prometheus-alertmanager',
    `--config.file=${folder}/alertmanager.yml`,
    `--storage.path=${folder}/alerts`,
    `--web.listen-address=127.0.0.1:${alertsPort}`,
    '--cluster.listen-address=',
  ])
  start([
    '/usr/bin/prometheus',
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${prometheusPort}`,
  ])
  const url = (await weir.json<{ urls: string[] }>(['status', 'fails'])).urls[0] ?? ''
  for (let n = 0; n < 20; n++) assert.equal((await get(url)).status, 500)

  const alertOf = async (name: string) => {
    const all = await asJson<{ labels: Record<string, string>; annotations: Record<string, string> }[]>(`http://127.0.0.1:${alertsPort}/api/v2/alerts`)
    const own = all?.filter((it) => it.labels['alertname'] === name)
    return own && own.length > 0 && own
  }
  const alerts = await eventually('the alert at Alertmanager', () => alertOf('WeirErrorBudgetBurnsFast'), 120_000)
  assert.deepEqual(
    alerts.map(({ labels }) => [labels['app'], labels['environment'], labels['service'], labels['objective'], labels['severity']]),
    [['fails', 'production', 'web', 'availability', 'page']],
  )
  assert.equal(alerts[0]?.annotations['summary'], 'fails/production: web misses availability (gateway)')
  const probe = await eventually('the alert of the probe', () => alertOf('WeirProbeFails'), 120_000)
  assert.equal(probe[0]?.annotations['summary'], 'fails/production: web does not answer home as it should')
  const slo = await weir.weir(['slo', '-a', 'fails'])
  assert.match(slo.stdout, /\nweb +availability +99 % +0 % +no +100x +100x +100x +fast\n/)
})
