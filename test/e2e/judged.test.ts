import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { RpcClient } from '../../src/rpc/client.ts'
import { eventually, type Installation, installation } from './installation.ts'

/** Answers at once; `FAILS` is the share of requests that it answers with 500. */
const SERVER = (fails: number, note: string) => `
import { createServer } from 'node:http'
// ${note}
let count = 0
createServer((request, response) => {
  if (request.url === '/healthz') return response.end('ok')
  const fails = Math.floor(++count * ${fails}) > Math.floor((count - 1) * ${fails})
  response.writeHead(fails ? 500 : 200).end('answer')
}).listen(Number(process.env.PORT), process.env.HOST)
process.on('SIGTERM', () => process.exit(0))
`
const MANIFEST = `
version: 1
app: shop
services:
  web:
    build: .
    command: ["node", "server.js"]
    ports: { http: 8080 }
    healthcheck: { http: /healthz }
    # on a machine that does other things too, a pause of one replica is no fault of the release
    release: { strategy: canary, steps: [50%], split: { by: request }, keep: 5s, analysis: { compare: [errors, throughput, restarts] } }
`
/** Of requests that come evenly, whatever becomes of those before. */
const RATE_MS = 12

let weir: Installation
let cwd: string
let load: { url: string | null; readonly statuses: Map<number, number>; stop(): void }

before(async () => {
  weir = await installation()
  cwd = weir.write('shop', { 'weir.yaml': MANIFEST, 'server.js': SERVER(0, 'v1'), 'package.json': '{"name":"shop","type":"module"}' })
  load = evenly()
  const up = await weir.weir(['up', '--json'], { cwd })
  assert.equal(up.code, 0, up.stdout + up.stderr)
  const { urls } = JSON.parse(up.stdout.trim().split('\n').at(-1) ?? '{}') as { urls: string[] }
  load.url = urls[0] ?? assert.fail(up.stdout)
  // enough of them for thresholds of latency
  await new Promise((resolve) => setTimeout(resolve, 6_000))
})

after(async () => {
  load?.stop()
  await weir?.remove()
})

const deployed = (fails: number, note: string) => {
  weir.write('shop', { 'server.js': SERVER(fails, note) })
  return weir.weir(['deploy', '--json'], { cwd, timeoutMs: 300_000 })
}
const evidenceOf = async (release: number) => {
  const { stdout, code } = await weir.weir(['releases', 'show', `v${release}`, '--replay', '--json'], { cwd })
  assert.equal(code, 0, stdout)
  return (JSON.parse(stdout) as { evidence: Evidence }).evidence
}
interface Evidence {
  readonly verdict: { readonly kind: string; readonly text: string; readonly counted: { readonly canary: number; readonly stable: number } }
  readonly tests: readonly { readonly name: string; readonly state: string }[]
  readonly replay: { readonly same: boolean; readonly blocks: number; readonly problem: string | null } | null
}

test('a broken release is taken back by what it did, with the sentence, and its verdict can be made again', async () => {
  const { code, stdout, stderr } = await deployed(0.3, 'broken')
  assert.equal(code, 3, `${stdout}\n${stderr}`)
  const failure = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Record<string, string>
  assert.equal(failure['code'], 'E_REJECTED')
  assert.match(failure['cause'] ?? '', /canary [\d,]+ of [\d,]+ errors, expected/)
  const { verdict, tests, replay } = await evidenceOf(2)
  assert.equal(verdict.kind, 'fail')
  assert.ok(tests.some((it) => it.state === 'fails'))
  assert.ok(replay?.same, JSON.stringify(replay))
  const { stdout: status } = await weir.weir(['status', '--json'], { cwd })
  assert.equal((JSON.parse(status) as { release: number }).release, 1)
})

test('the same source is refused until somebody says --again', async () => {
  const { code, stdout, stderr } = await deployed(0.3, 'broken')
  assert.equal(code, 6, `${stdout}\n${stderr}`)
  assert.match(stderr + stdout, /E_REJECTED_BEFORE/)
})

test('a release without a fault is promoted by proof, though the server and a worker of the gateway are killed meanwhile', async () => {
  const runner = new RpcClient(join(weir.env['WEIR_HOME'] ?? '', 'run/runner.sock'))
  const pidOf = async (name: string) => ((await runner.call('daemons', {})) as { name: string; pid: number }[]).find((it) => it.name === name)?.pid as number
  const release = deployed(0, 'good')
  interface Rollout {
    readonly id: string
    readonly phase: string
    readonly verdict: { readonly kind: string; readonly counted: { readonly canary: number } } | null
  }
  const rollout = async () => (await weir.api<{ rollout: Rollout | null }>('GET', '/api/v1/apps/shop/environments/production/rollout')).body.rollout
  const before = await eventually(
    'it is judged',
    async () => {
      const now = await rollout()
      return now?.phase === 'splitting' && (now.verdict?.counted.canary ?? 0) > 50 ? now : null
    },
    60_000,
  )
  process.kill(await pidOf('server'), 'SIGKILL')
  const parent = await pidOf('gateway')
  const workers = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ').map(Number)
  process.kill(workers[0] as number, 'SIGKILL')
  runner.close()
  const later = await eventually(
    'it goes on where it was',
    async () => {
      const now = await rollout()
      return now && (now.verdict?.counted.canary ?? 0) > (before.verdict?.counted.canary ?? 0) ? now : null
    },
    60_000,
  )
  assert.equal(later.id, before.id)
  const { code, stdout, stderr } = await release
  assert.equal(code, 0, `${stdout}\n${stderr}`)
  const { verdict, replay } = await evidenceOf(4)
  assert.equal(verdict.kind, 'pass', verdict.text)
  assert.ok(replay?.same, JSON.stringify(replay))
  assert.ok(verdict.counted.canary + verdict.counted.stable <= load.statuses.size + total(load.statuses), 'nothing counts twice')
})

test('what was promoted is judged against itself, silently', async () => {
  interface Trial {
    readonly release: number
    readonly requests: number
    readonly alarm: boolean
  }
  const trials = async () => (await weir.api<{ items: Trial[] }>('GET', '/api/v1/apps/shop/environments/production/trials')).body.items
  const trial = await eventually('requests are tried', async () => (await trials()).find((it) => it.requests > 100), 60_000)
  assert.deepEqual([trial.release, trial.alarm], [4, false])
  const { stdout } = await weir.weir(['canary', 'status'], { cwd })
  assert.match(stdout, /no rollout is running/)
})

test('a blue-green release is asked its probes before it gets a request, and refused where it does not answer them', async () => {
  const blueGreen = 'release: { strategy: blue-green, keep: 1s, checks: { before: auto, after: { for: 2s, errors: 5% } } }'
  weir.write('shop', { 'weir.yaml': MANIFEST.replace(/release: \{.*\}/, `probes: { home: { http: / } }\n    ${blueGreen}`) })
  const good = await deployed(0, 'blue')
  assert.equal(good.code, 0, `${good.stdout}\n${good.stderr}`)
  const failed = load.statuses.get(500) ?? 0
  const bad = await deployed(1, 'green')
  assert.equal(bad.code, 3, `${bad.stdout}\n${bad.stderr}`)
  assert.match(bad.stdout + bad.stderr, /web\/home: GET \/ answered 500/)
  assert.equal(load.statuses.get(500) ?? 0, failed, 'no user has met it')
})

function total(statuses: ReadonlyMap<number, number>): number {
  return [...statuses.values()].reduce((sum, count) => sum + count, 0)
}

/** Asks at an even pace in the background. */
function evenly() {
  const agent = new Agent({ keepAlive: true, maxSockets: 20 })
  const statuses = new Map<number, number>()
  const count = (status: number) => statuses.set(status, (statuses.get(status) ?? 0) + 1)
  const self = {
    url: null as string | null,
    statuses,
    stop() {
      clearInterval(timer)
      agent.destroy()
    },
  }
  const timer = setInterval(() => {
    if (self.url === null) return
    const sent = request(self.url, { agent, timeout: 5_000 }, (answer) => {
      answer.resume()
      count(answer.statusCode ?? 0)
    })
    sent.on('error', () => count(0))
    sent.end()
  }, RATE_MS)
  return self
}
