import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import type { NewEvent } from '../controllers/journal.ts'
import type { DueProbe, ProbedEnvironment, ProbeResult } from '../core/probes/probes.ts'
import { askProbe } from './probe-request.ts'
import { type ProberParts, startProber } from './prober.ts'

const seen: { url: string | undefined; headers: NodeJS.Dict<string | string[]> }[] = []
const web = createServer((request, answer) => {
  seen.push({ url: request.url, headers: request.headers })
  if (request.url === '/never') return
  answer.statusCode = request.url === '/broken' ? 503 : 200
  answer.write('x')
  if (request.url === '/half') setTimeout(() => answer.destroy(), 20)
  else answer.end()
})
await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
after(() => {
  web.closeAllConnections()
  web.close()
})
const gateway = { host: '0.0.0.0', port: (web.address() as AddressInfo).port }
const ask = askProbe(gateway, (bytes) => 'ab'.repeat(bytes))
const due = (path: string, more: Partial<DueProbe> = {}): DueProbe => ({
  environment: 'e1',
  service: 'web',
  probe: 'home',
  port: null,
  host: 'shop.example.com',
  path,
  expect: 200,
  timeoutMs: 100,
  ...more,
})
const never = new AbortController().signal

test('a probe is a request like any, and says that it is one', async () => {
  const { ok, cause, durationMs } = await ask(due('/home?x=1'), never)
  assert.deepEqual([ok, cause], [true, null])
  assert.ok(durationMs > 0 && durationMs < 100)
  const { url, headers } = seen.at(-1) ?? { url: '', headers: {} }
  assert.deepEqual([url, headers['host'], headers['user-agent']], ['/home?x=1', 'shop.example.com', 'weir-probe'])
  assert.equal(headers['traceparent'], `00-${'ab'.repeat(16)}-${'ab'.repeat(8)}-00`)
})

test('another status, no answer, half of one and nobody there are each told', async () => {
  const causes = await Promise.all([due('/broken'), due('/never'), due('/half'), due('/', { port: 1 })].map(async (it) => (await ask(it, never)).cause ?? ''))
  assert.equal(causes[0], 'answered 503 instead of 200')
  assert.equal(causes[1], 'no complete answer in 100 ms')
  assert.match(causes[2] ?? '', /broke off/)
  assert.match(causes[3] ?? '', /ECONNREFUSED/)
  assert.equal((await ask(due('/broken', { expect: 503 }), never)).ok, true)
})

function fixture(answer: (probe: DueProbe, signal: AbortSignal) => Promise<ProbeResult>) {
  const service = {
    name: 'web',
    ports: {},
    routes: [{ host: null, path: '/', port: 'http' }],
    probes: { home: { path: '/', expect: 200, timeoutMs: 100, everyMs: 10_000 } },
  }
  const graph = { entry: null, services: { web: { ...service, ports: { http: { number: 1, protocol: 'http' } } } } } as unknown as ProbedEnvironment['graph']
  const committed: { results: readonly ProbeResult[]; events: NewEvent[] }[] = []
  const errors: unknown[] = []
  let nowMs = 0
  let call = () => {}
  const world = { epoch: 1 as number | null, committed, errors }
  const parts: ProberParts = {
    clock: { monotonic: () => nowMs, wall: () => nowMs, after: (_ms, again) => ((call = again), () => (call = () => {})) },
    memory: {
      environments: async () => [{ id: 'e1', port: null, graph, stopped: [] }],
      last: async () => committed.flatMap((it) => it.results).slice(-1),
      commit: async (_epoch, results, events) => void committed.push({ results, events: [...events.values()].flat() }),
    },
    epoch: () => world.epoch,
    eventsChanged: () => () => {},
    ask: answer,
    failed: (error) => errors.push(error),
  }
  const stop = startProber(parts)
  const turn = () => new Promise((resolve) => setTimeout(resolve, 5))
  return {
    ...world,
    world,
    stop,
    later: async (ms: number) => {
      await turn()
      nowMs += ms
      call()
      await turn()
    },
  }
}
const result = (ok: boolean): ProbeResult => ({
  environment: 'e1',
  service: 'web',
  probe: 'home',
  ok,
  durationMs: 5,
  cause: ok ? null : 'answered 500 instead of 200',
})

test('what came of it is stored, and told of when it turns', async () => {
  const answers = [true, false, false, true]
  const { later, committed, errors, stop } = fixture(async () => result(answers.shift() ?? true))
  for (let n = 0; n < 4; n++) await later(10_000)
  await stop()
  assert.deepEqual(errors, [])
  assert.deepEqual(
    committed.map((it) => it.results.map((one) => one.ok)),
    [[true], [false], [false], [true]],
  )
  assert.deepEqual(
    committed.map((it) => it.events.map(({ kind, text }) => `${kind}: ${text}`)),
    [[], ['probe.failing: probe home of web fails: answered 500 instead of 200'], [], ['probe.recovered: probe home of web succeeds again']],
  )
})

test('who does not lead asks nothing, and who begins to lead asks for nothing that is past', async () => {
  let asked = 0
  const { world, later, stop } = fixture(async () => (asked++, result(true)))
  world.epoch = null
  for (let n = 0; n < 3; n++) await later(10_000)
  world.epoch = 2
  await later(1)
  assert.equal(asked, 0)
  await later(10_000)
  assert.equal(asked, 1)
  await stop()
})

test('the end does not wait for an answer, and what it broke off is not held against the app', async () => {
  const { later, committed, stop } = fixture((_probe, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(result(false)))))
  await later(10_000)
  await later(10_000)
  await stop()
  assert.deepEqual(committed, [])
})
