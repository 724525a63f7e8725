/** The suite that every gateway passes. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { RoutingTable, TargetGroup } from '../core/model/routing.ts'
import { isWeirError } from '../errors.ts'
import type { Gateway } from './gateway.ts'

export interface GatewayUnderTest {
  readonly gateway: Gateway
  /** Something that answers, as a target. */
  target(id: string): TargetGroup['targets'][number]
  /** Sends a request to `hostOf(environment)` and waits for the answer, a page if `html`; false: nobody took it. */
  request(environment: string, html?: boolean): Promise<boolean>
  /** Sends a request that stays with its target until the returned function is called. */
  hold(environment: string): Promise<() => Promise<void>>
  /** Waits, by the gateway's own idea of time, until `check` holds. */
  eventually(check: () => Promise<boolean>, what: string): Promise<void>
  close(): Promise<void>
}

/** Where the tests' environments are reached. */
export function hostOf(environment: string): string {
  return `${environment}.example.com`
}

export function gatewayContract(name: string, start: () => Promise<GatewayUnderTest>): void {
  describe(`${name} keeps the gateway's contract`, () => {
    let under: GatewayUnderTest
    before(async () => {
      under = await start()
    })
    after(() => under.close())

    const tableFor = (environment: string, version: RoutingTable['version'], replicas: readonly string[], more: Partial<RoutingTable> = {}): RoutingTable => ({
      environment,
      version,
      label: `${environment}/production`,
      listeners: [{ kind: 'route', host: hostOf(environment), path: '/', service: 'web', port: 'http', protocol: 'http' }],
      services: {
        web: {
          stable: { origin: 1, targets: replicas.map((id) => under.target(id)), cause: null },
          canary: null,
          timeoutMs: 5000,
          drainMs: 200,
          bodyLimit: 1_000_000,
        },
      },
      split: null,
      trial: null,
      shadow: null,
      ...more,
    })
    const acknowledged = (environment: string, version: RoutingTable['version']) =>
      under.eventually(async () => {
        const seen = (await under.gateway.observe(environment)).acknowledged
        return seen?.epoch === version.epoch && seen.n === version.n
      }, `${environment} is at ${version.epoch}.${version.n} everywhere`)
    const refusedAsStale = (promise: Promise<void>) => assert.rejects(promise, (error) => isWeirError(error, 'E_STALE_EPOCH'))

    test('what nobody published is not acknowledged', async () => {
      assert.deepEqual(await under.gateway.observe('nobody'), { hasTable: false, acknowledged: null, inflight: {}, refused: [] })
    })

    test('a published table is acknowledged, listed, and routed by', async () => {
      await under.gateway.publish(tableFor('c1', { epoch: 1, n: 1 }, ['c1-a']))
      assert.equal((await under.gateway.observe('c1')).hasTable, true, 'at once: it is durable, whoever has it yet')
      await acknowledged('c1', { epoch: 1, n: 1 })
      assert.ok((await under.gateway.environments()).includes('c1'))
      assert.equal(await under.request('c1'), true)
    })

    test('the same version again is fine and changes nothing', async () => {
      await under.gateway.publish(tableFor('c2', { epoch: 1, n: 5 }, ['c2-a']))
      await under.gateway.publish(tableFor('c2', { epoch: 1, n: 5 }, []))
      await acknowledged('c2', { epoch: 1, n: 5 })
      assert.equal(await under.request('c2'), true)
    })

    test('an older version is refused', async () => {
      await under.gateway.publish(tableFor('c3', { epoch: 1, n: 7 }, ['c3-a']))
      await refusedAsStale(under.gateway.publish(tableFor('c3', { epoch: 1, n: 6 }, [])))
      await refusedAsStale(under.gateway.withdraw('c3', { epoch: 1, n: 6 }))
      await acknowledged('c3', { epoch: 1, n: 7 })
      assert.equal(await under.request('c3'), true)
    })

    test('a request in flight is counted at its replica until it ends, also after the replica left the table', async () => {
      await under.gateway.publish(tableFor('c4', { epoch: 1, n: 1 }, ['c4-a']))
      await acknowledged('c4', { epoch: 1, n: 1 })
      const end = await under.hold('c4')
      await under.eventually(async () => (await under.gateway.observe('c4')).inflight['c4-a'] === 1, 'the request is in flight')
      await under.gateway.publish(tableFor('c4', { epoch: 1, n: 2 }, ['c4-b']))
      await acknowledged('c4', { epoch: 1, n: 2 })
      assert.equal((await under.gateway.observe('c4')).inflight['c4-a'], 1, 'known together with the acknowledgement')
      await end()
      await under.eventually(async () => (await under.gateway.observe('c4')).inflight['c4-a'] === undefined, 'nothing is in flight')
    })

    test('a change is hinted at', async () => {
      const hinted = new Set<string>()
      const stop = under.gateway.watch((environment) => hinted.add(environment))
      await under.gateway.publish(tableFor('c5', { epoch: 1, n: 1 }, ['c5-a']))
      await under.eventually(async () => hinted.has('c5'), 'a hint came')
      stop()
    })

    test('a withdrawn environment is gone, and an older table does not bring it back', async () => {
      await under.gateway.publish(tableFor('c6', { epoch: 1, n: 1 }, ['c6-a']))
      await under.gateway.withdraw('c6', { epoch: 1, n: 2 })
      assert.equal((await under.gateway.observe('c6')).hasTable, false)
      await acknowledged('c6', { epoch: 1, n: 2 })
      assert.ok(!(await under.gateway.environments()).includes('c6'))
      assert.equal(await under.request('c6'), false)
      await refusedAsStale(under.gateway.publish(tableFor('c6', { epoch: 1, n: 1 }, ['c6-a'])))
    })

    test('every request is counted once, and kept until it is acknowledged', async () => {
      await under.gateway.publish(tableFor('c7', { epoch: 1, n: 1 }, ['c7-a']))
      await acknowledged('c7', { epoch: 1, n: 1 })
      for (let i = 0; i < 5; i++) assert.equal(await under.request('c7'), true)
      const counted = async () => {
        const rows = (await under.gateway.counters(1000)).flatMap((block) => block.rows).filter((row) => row.environment === 'c7')
        return rows.reduce((sum, row) => sum + row.requests, 0)
      }
      await under.eventually(async () => (await counted()) === 5, 'all five are counted')
      assert.equal(await counted(), 5, 'asked again, not acknowledged: still there')
      const blocks = await under.gateway.counters(1000)
      assert.equal(new Set(blocks.map((it) => `${it.incarnation} ${it.sequence}`)).size, blocks.length)
      await under.gateway.acknowledgeCounters(blocks)
      assert.equal(await counted(), 0)
      await under.gateway.acknowledgeCounters(blocks)
      assert.ok((await under.gateway.counters(1)).length <= 1)
    })

    test('pages among the answers are counted', async () => {
      await under.gateway.publish(tableFor('c9', { epoch: 1, n: 1 }, ['c9-a']))
      await acknowledged('c9', { epoch: 1, n: 1 })
      for (const html of [true, false, true]) assert.equal(await under.request('c9', html), true)
      await under.eventually(async () => {
        const rows = (await under.gateway.counters(1000)).flatMap((block) => block.rows).filter((row) => row.environment === 'c9')
        const sum = (of: 'requests' | 'html') => rows.reduce((total, row) => total + row[of], 0)
        return sum('requests') === 3 && sum('html') === 2
      }, 'three answers, two of them pages')
    })

    const evidenceOf = async (environment: string) =>
      (await under.gateway.counters(1000)).flatMap((block) => block.evidence).filter((block) => block.environment === environment)
    const requestsOf = async (environment: string, side: 'stable' | 'canary') =>
      (await evidenceOf(environment)).flatMap((block) => block.rows).reduce((sum, row) => sum + (row.side === side ? row.requests : 0), 0)

    test('what is judged is counted by side, for its rollout and stage, once, and kept until it is acknowledged', async () => {
      const version = { epoch: 1, n: 1 }
      const plain = tableFor('c10', version, ['c10-a'])
      const web = { ...(plain.services['web'] as RoutingTable['services'][string]), canary: { origin: 2, targets: [under.target('c10-b')], cause: null } }
      const judge = { stage: 3, unit: 'request' as const, thresholds: {} }
      await under.gateway.publish({ ...plain, services: { web }, split: { rollout: 'r5', weight: 50, by: { kind: 'request' }, judge } })
      await acknowledged('c10', version)
      for (let i = 0; i < 40; i++) assert.equal(await under.request('c10'), true)
      const [stable, canary] = await (async () => {
        await under.eventually(async () => (await requestsOf('c10', 'stable')) + (await requestsOf('c10', 'canary')) === 40, 'all are counted')
        return [await requestsOf('c10', 'stable'), await requestsOf('c10', 'canary')]
      })()
      assert.ok((stable ?? 0) > 5 && (canary ?? 0) > 5, `${stable} and ${canary}`)
      const blocks = await evidenceOf('c10')
      assert.deepEqual([...new Set(blocks.map((block) => `${block.rollout} ${block.stage}`))], ['r5 3'])
      assert.deepEqual([...new Set(blocks.flatMap((block) => block.replicas).map((row) => `${row.replica} ${row.side}`))].sort(), [
        'c10-a stable',
        'c10-b canary',
      ])
      await under.gateway.acknowledgeCounters(await under.gateway.counters(1000))
      assert.deepEqual(await evidenceOf('c10'), [])
    })

    test('by client, evidence names each by a hash', async () => {
      const judge = { stage: 1, unit: 'client' as const, thresholds: {} }
      await under.gateway.publish(tableFor('c11', { epoch: 1, n: 1 }, ['c11-a'], { split: { rollout: 'r6', weight: 10, by: { kind: 'client' }, judge } }))
      await acknowledged('c11', { epoch: 1, n: 1 })
      assert.equal(await under.request('c11'), true)
      await under.eventually(async () => (await evidenceOf('c11')).length === 1, 'it is counted')
      const [client] = (await evidenceOf('c11')).flatMap((block) => block.clients)
      assert.match(client?.client ?? '', /^[0-9a-f]{16}$/)
      assert.equal(client?.requests, 1)
    })

    test('in a trial stable serves all, and evidence has both sides', async () => {
      await under.gateway.publish(tableFor('c12', { epoch: 1, n: 1 }, ['c12-a'], { trial: { id: 'aa-1', weight: 50, unit: 'request', thresholds: {} } }))
      await acknowledged('c12', { epoch: 1, n: 1 })
      for (let i = 0; i < 40; i++) assert.equal(await under.request('c12'), true)
      await under.eventually(async () => (await requestsOf('c12', 'stable')) + (await requestsOf('c12', 'canary')) === 40, 'all are counted')
      assert.ok((await requestsOf('c12', 'stable')) > 5 && (await requestsOf('c12', 'canary')) > 5)
      const rows = (await under.gateway.counters(1000)).flatMap((block) => block.rows).filter((row) => row.environment === 'c12')
      assert.deepEqual([...new Set(rows.map((row) => row.track))], ['stable'])
    })

    // Last, because it raises the epoch for all.
    test('a higher epoch shuts out the lower ones', async () => {
      await under.gateway.publish(tableFor('c8', { epoch: 1, n: 9 }, ['c8-a']))
      await under.gateway.fence(3)
      await refusedAsStale(under.gateway.publish(tableFor('c8', { epoch: 2, n: 10 }, [])))
      await refusedAsStale(under.gateway.withdraw('c8', { epoch: 2, n: 10 }))
      await refusedAsStale(under.gateway.fence(2))
      await under.gateway.fence(3)
      await under.gateway.publish(tableFor('c8', { epoch: 3, n: 1 }, ['c8-b']))
      await acknowledged('c8', { epoch: 3, n: 1 })
    })
  })
}
