import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import type { CountedEvidence } from '../core/model/evidence.ts'
import type { Judging, Listener, RoutingTable, TrafficSplit } from '../core/model/routing.ts'
import { ask, freePort, group, route, service, startTarget, type Target, table, until } from './testing.ts'
import { type Carried, startCarrier } from './testing-carrier.ts'

describe('requests that are judged', () => {
  let it: Carried
  let old: Target
  let young: Target
  let version = 0
  const heard: (string | undefined)[] = []
  before(async () => {
    it = await startCarrier()
    old = await startTarget((request, response) => {
      heard.push(request.headers.baggage as string | undefined)
      response.end('stable')
    })
    young = await startTarget((request, response) => {
      heard.push(request.headers.baggage as string | undefined)
      response.writeHead(500).end('canary')
    })
  })
  after(() => {
    it.carrier.destroy()
    old.close()
    young.close()
  })
  afterEach(() => {
    heard.length = 0
    it.carrier.closeBlock()
  })

  const both = () => ({ web: service(group(1, { w1: old.port }), { canary: group(2, { w2: young.port }) }) })
  const publish = (more: Partial<RoutingTable>, listeners: readonly Listener[] = [route('judged.test')]) =>
    it.carrier.apply(table('judged', ++version, listeners, both(), more))
  const judging = (weight: number, by: TrafficSplit['by'], judge: Partial<Judging> = {}) => ({
    split: {
      rollout: 'r1',
      weight,
      by,
      judge: { stage: 1, unit: by.kind === 'request' ? ('request' as const) : ('client' as const), thresholds: {}, ...judge },
    },
  })
  const send = (headers: Readonly<Record<string, string>> = {}) => ask({ port: it.port, headers: { host: 'judged.test', ...headers } })
  const evidence = (): CountedEvidence | undefined => it.carrier.closeBlock()?.evidence[0]
  const requests = (block: CountedEvidence | undefined, side: string) =>
    block?.rows.filter((row) => row.side === side).reduce((sum, row) => sum + row.requests, 0) ?? 0

  test('nothing is counted while nothing is judged', async () => {
    publish({ split: { ...judging(50, { kind: 'request' }).split, judge: null } })
    assert.equal(it.carrier.directory.judging, false)
    await send()
    assert.deepEqual(it.carrier.closeBlock()?.evidence, [])
  })

  test('by request, each is counted on the side that served it', async () => {
    publish(judging(50, { kind: 'request' }))
    assert.equal(it.carrier.directory.judging, true)
    let canary = 0
    for (let i = 0; i < 40; i++) if ((await send()).body === 'canary') canary++
    const block = evidence()
    assert.deepEqual([requests(block, 'canary'), requests(block, 'stable'), block?.clients], [canary, 40 - canary, []])
    assert.ok(canary > 5 && canary < 35, String(canary))
    assert.deepEqual(
      block?.replicas.map(({ replica, side, errors }) => [replica, side, errors]).sort(),
      [
        ['w1', 'stable', 0],
        ['w2', 'canary', canary],
      ],
      'each replica on its side',
    )
  })

  test('by client, a row for each, told to the next hop as a hash', async () => {
    publish(judging(50, { kind: 'client' }))
    for (let i = 0; i < 10; i++) for (let time = 0; time < 2; time++) await send({ authorization: `client ${i}` })
    const block = evidence()
    assert.equal(block?.clients.length, 10)
    for (const row of block?.clients ?? []) {
      assert.deepEqual([row.requests, row.errors, row.failed], row.side === 'canary' ? [2, 2, ['web /']] : [2, 0, []])
      assert.equal(heard.filter((baggage) => baggage === `weir-track=${row.side},weir-client=${row.client}`).length, 2)
    }
  })

  test('by header, who names the same value is one client, and who names none is not counted', async () => {
    publish(judging(50, { kind: 'header', name: 'X-Group' }))
    for (let i = 0; i < 6; i++) await send({ 'x-group': `group ${i % 3}`, authorization: `someone else ${i}` })
    for (let i = 0; i < 4; i++) await send({ authorization: 'nobody' })
    const block = evidence()
    assert.deepEqual(
      block?.clients.map((row) => row.requests),
      [2, 2, 2],
    )
    assert.equal(requests(block, 'stable') + requests(block, 'canary'), 6)
    assert.deepEqual([...new Set(heard.slice(6))], ['weir-track=stable'])
  })

  test('an inner hop counts for the side and the client that baggage tells of; where it was lost, for none', async () => {
    const listen = await freePort()
    const edge: Listener = {
      kind: 'edge',
      id: 'front-web',
      address: '127.0.0.1',
      listen,
      caller: 'front',
      origin: 1,
      service: 'web',
      port: 'http',
      protocol: 'http',
      track: 'baggage',
    }
    publish(judging(50, { kind: 'client' }), [edge])
    await new Promise<void>((resolve) => it.carrier.open(`127.0.0.1:${listen}`, { host: '127.0.0.1', port: listen }, resolve))
    const client = '0123456789abcdef'
    await ask({ port: listen, headers: { baggage: `weir-track=canary,weir-client=${client}` } })
    await ask({ port: listen, headers: { baggage: 'a=1' } })
    const block = evidence()
    assert.deepEqual([requests(block, 'canary'), requests(block, 'stable')], [1, 0])
    assert.deepEqual(
      block?.clients.map((row) => [row.client, row.failed]),
      [[client, ['web /']]],
    )
  })

  test('in a trial all are served by stable, and counted as a split would have served them', async () => {
    publish({ trial: { id: 'aa-7', weight: 50, unit: 'request', thresholds: {} } })
    for (let i = 0; i < 40; i++) assert.equal((await send()).body, 'stable')
    const closed = it.carrier.closeBlock()
    const [block] = closed?.evidence ?? []
    assert.deepEqual([block?.rollout, block?.stage], ['aa-7', 0])
    const canary = requests(block, 'canary')
    assert.ok(canary > 5 && canary < 35, String(canary))
    assert.equal(requests(block, 'stable'), 40 - canary)
    assert.deepEqual([...new Set(closed?.rows.map((row) => row.track))], ['stable'], 'only the evidence knows of it')
    assert.equal(heard.filter((baggage) => baggage === 'weir-track=trial-canary').length, canary)
  })

  test('a trial by client gives each client one side', async () => {
    publish({ trial: { id: 'aa-8', weight: 50, unit: 'client', thresholds: {} } })
    for (let time = 0; time < 2; time++) for (let i = 0; i < 10; i++) await send({ authorization: `client ${i}` })
    assert.deepEqual(
      evidence()?.clients.map((row) => row.requests),
      Array.from({ length: 10 }, () => 2),
    )
  })

  test('at weight 0 the canary gets no new request, whatever baggage and cookies say', async () => {
    publish(judging(0, { kind: 'client' }, { stage: 2 }))
    for (let i = 0; i < 20; i++) assert.equal((await send({ authorization: `client ${i}`, baggage: 'weir-track=canary' })).body, 'stable')
    const block = evidence()
    assert.deepEqual([block?.stage, requests(block, 'canary'), requests(block, 'stable')], [2, 0, 20])
  })

  test('a request that is under way when the weight changes counts for the stage that it began in', async () => {
    let release: (() => void) | null = null
    const slow = await startTarget((_request, response) => {
      release = () => response.end('late')
    })
    const web = service(group(1, { s1: slow.port }))
    it.carrier.apply(table('judged', ++version, [route('judged.test')], { web }, judging(0, { kind: 'request' }, { stage: 5 })))
    const answer = send()
    const end = await until(() => release, 'the request is with the service')
    it.carrier.apply(table('judged', ++version, [route('judged.test')], { web }, judging(10, { kind: 'request' }, { stage: 6 })))
    end()
    await answer
    assert.equal(evidence()?.stage, 5)
    slow.close()
  })
})
