import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BesideRequest } from '../../controllers/beside.ts'
import type { CustomIndicator } from '../../core/canary/analysis.ts'
import { handClock } from '../../store/journal-contract.ts'
import { customIndicators } from './custom.ts'

const indicator = (source: CustomIndicator['source']): CustomIndicator => ({ name: 'orders', source, max: null, min: 1, dryRun: false })
const promql = (query: string) => indicator({ kind: 'promql', url: 'http://prometheus:9090/', query })
const json = (path: string) => indicator({ kind: 'http-json', url: 'http://shop/stats?of=${release}', path })

function asked(answers: (url: string) => unknown) {
  const urls: string[] = []
  const clock = handClock()
  const custom = customIndicators({
    clock,
    fetch: async (_request, url) => {
      urls.push(url)
      return answers(url)
    },
    query: async (_request, resource, query) => (resource === 'db' && query.includes("'v5'") ? 5 : 3),
  })
  const ask = async (it: CustomIndicator) =>
    (await custom({ id: 'e1', rollout: 'r2', services: [{ service: 'web', stable: 3, canary: 5 }], custom: [it] } as unknown as BesideRequest))[0]
  return { ask, urls, clock }
}

test('a query of Prometheus is asked for the new release and for the one that serves', async () => {
  const { ask, urls } = asked((url) => ({ data: { resultType: 'vector', result: [{ value: [0, url.includes('v5') ? '0.5' : '3'] }] } }))
  assert.deepEqual(await ask(promql('sum(rate(orders{release="${release}"}[1m]))')), { name: 'orders', canary: 0.5, stable: 3, problem: null })
  assert.ok(urls[0]?.startsWith('http://prometheus:9090/api/v1/query?query=sum(rate(orders%7Brelease%3D%22v5%22'), urls[0])
})

test('a query that names no release has one figure', async () => {
  const { ask } = asked(() => ({ data: { resultType: 'scalar', result: [0, '7'] } }))
  assert.deepEqual(await ask(promql('1 + 6')), { name: 'orders', canary: 7, stable: null, problem: null })
})

test('a database is asked by its resource', async () => {
  const { ask } = asked(() => null)
  const sql = indicator({ kind: 'sql', resource: 'db', query: "select count(*) from orders where release = '${release}'" })
  assert.deepEqual(await ask(sql), { name: 'orders', canary: 5, stable: 3, problem: null })
})

test('JSON is read by a path or a pointer, and what has no figure there is a problem and no figure', async () => {
  const { ask, clock } = asked(() => ({ data: { rates: [1, 2.5], 'a/b': '4', text: 'many' } }))
  const read = async (path: string) => {
    clock.pass(60_000)
    return ask(json(path))
  }
  assert.equal((await read('data.rates.1'))?.canary, 2.5)
  assert.equal((await read('/data/a~1b'))?.canary, 4)
  for (const path of ['data.text', 'data.none.x', '__proto__.x', 'data'])
    assert.deepEqual(await read(path), { name: 'orders', canary: null, stable: null, problem: 'the answer has no figure there' })
})

test('answers that are no single figure say so, as does a source that is away', async () => {
  const vector = (result: unknown[]) => ({ data: { resultType: 'vector', result } })
  assert.equal((await asked(() => vector([])).ask(promql('x')))?.problem, 'the query finds nothing')
  assert.equal((await asked(() => vector([{}, {}])).ask(promql('x')))?.problem, 'the query answers with 2 figures')
  assert.equal(
    (
      await asked(() => {
        throw new Error('answered 503')
      }).ask(promql('x'))
    )?.problem,
    'answered 503',
  )
})

test('it is asked for every few seconds, however often somebody looks', async () => {
  const { ask, urls, clock } = asked(() => ({ data: 1 }))
  for (let at = 0; at < 6; at++) {
    await ask(json('data'))
    clock.pass(1_000)
  }
  assert.equal(urls.length, 4, 'twice, for two releases')
})
