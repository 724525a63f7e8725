import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Service } from '../model/app-graph.ts'
import type { ObservedReplica } from '../model/replica.ts'
import { graph, release, service, TinyWorld } from '../testing.ts'

const api = service('api')
const web = service('web', { dependsOn: { api: { condition: 'healthy' } }, routes: [{ host: null, path: '/', port: 'http' }] })
const worker = service('worker', { ports: {}, healthcheck: { ...api.healthcheck, kind: 'none' } as never })
const shop = graph([api, web, worker])

function started(world: TinyWorld, from = 0): string[] {
  return world.done.slice(from).flatMap((it) => (it.kind === 'start-replica' ? [`${it.service}@${it.origin}`] : []))
}

test('the first release starts callees before callers, and serves once all is ready', () => {
  const world = new TinyWorld().add(release(1, shop)).deploy(1)
  assert.equal(world.state.current, 1)
  assert.equal(world.state.rollout, null)
  assert.deepEqual(started(world).slice(-1), ['web@1'])
  assert.deepEqual(world.serving(), ['api@1', 'web@1', 'worker@1'])
})

test('a caller starts only when its edges are acknowledged, and the edge is its own', () => {
  const world = new TinyWorld().add(release(1, shop)).deploy(1)
  assert.deepEqual(
    world.state.edges.map((it) => it.id),
    ['e1:web@1>api.http'],
  )
  const publishedFirst = world.done.findIndex((it) => it.kind === 'publish-table' && it.table.listeners.some((l) => l.kind === 'edge'))
  assert.ok(publishedFirst < world.done.findIndex((it) => it.kind === 'start-replica' && it.service === 'web'))
})

test('only changed services are started again; the rest keeps its origin', () => {
  const world = new TinyWorld().add(release(1, shop), release(2, shop, { web: 'new' })).deploy(1)
  const from = world.done.length
  world.deploy(2)
  assert.deepEqual(started(world, from), ['web@2'])
  assert.deepEqual(world.known[2]?.origins, { api: 1, web: 2, worker: 1 })
  assert.deepEqual(world.serving(), ['api@1', 'web@2', 'worker@1'])
})

test('the previous release stays warm, so going back starts nothing', () => {
  const world = new TinyWorld()
    .add(release(1, shop), release(2, shop, { web: 'new' }))
    .deploy(1)
    .deploy(2)
  assert.deepEqual(world.running(), ['api@1', 'web@1', 'web@2', 'worker@1'])
  const from = world.done.length
  world.ask({ kind: 'rollback', to: null, acceptSchema: false })
  const decision = world.pass()
  assert.equal(decision.state.current, 1, 'switched in the very pass that took the command')
  world.settle()
  assert.deepEqual(started(world, from), [])
  assert.deepEqual(world.serving(), ['api@1', 'web@1', 'worker@1'])
})

test('warm replicas leave when their time is over', () => {
  const world = new TinyWorld()
    .add(release(1, shop), release(2, shop, { web: 'new' }))
    .deploy(1)
    .deploy(2)
  world.now += 300_001
  world.settle()
  assert.deepEqual(world.running(), ['api@1', 'web@2', 'worker@1'])
})

test('a worker is never warm beside its successor', () => {
  const world = new TinyWorld()
    .add(release(1, shop), release(2, shop, { worker: 'new', web: 'new' }))
    .deploy(1)
    .deploy(2)
  assert.deepEqual(world.running(), ['api@1', 'web@1', 'web@2', 'worker@2'])
})

test('a stage that fails restores what was, and says what the process said', () => {
  const world = new TinyWorld().add(release(1, shop), release(2, shop, { api: 'new', web: 'new' })).deploy(1)
  world.behaviour.set('web@2', 'failed')
  world.deploy(2)
  const ended = world.decisions.flatMap((it) => it.ended).at(-1)
  assert.equal(ended?.outcome, 'failed')
  assert.match(ended?.because?.text ?? '', /web: exited with 1: Error: boom/)
  assert.equal(world.state.current, 1)
  assert.deepEqual(world.running(), ['api@1', 'web@1', 'worker@1'])
  assert.deepEqual(world.serving(), ['api@1', 'web@1', 'worker@1'])
})

test('a first release that fails leaves nothing running', () => {
  const world = new TinyWorld().add(release(1, shop))
  world.behaviour.set('api@1', 'failed')
  world.deploy(1)
  assert.equal(world.state.current, null)
  assert.deepEqual(world.running(), [])
})

const canary = { strategy: 'canary' as const, steps: [{ weight: 5 }, { weight: 50 }], split: null, keepMs: 60_000 }
const split = graph([service('api', { release: canary }), service('web', { ...web, release: canary })])

test('a canary waits for approval at every weight, and both tracks run', () => {
  const world = new TinyWorld()
    .add(release(1, split), release(2, split, { web: 'new' }))
    .deploy(1)
    .deploy(2)
  assert.equal(world.table?.split?.weight, 5)
  assert.equal(world.table?.services['web']?.canary?.targets.length, 1)
  assert.equal(world.table?.services['api']?.canary, null)
  world.ask({ kind: 'resume' })
  world.settle()
  assert.equal(world.table?.split?.weight, 50)
  world.ask({ kind: 'weight', weight: 12 })
  world.settle()
  assert.equal(world.table?.split?.weight, 12)
  world.ask({ kind: 'resume' })
  world.settle()
  assert.equal(world.state.current, 2, 'past the last step it gets everything')
  assert.equal(world.table?.split, null)
})

test('a canary that says nothing is split by client where most answers were pages, by request elsewhere, and stays so', () => {
  const begun = (answers: TinyWorld['answers'], over: Partial<Service['release']> = {}) => {
    const shop = graph([service('web', { ...web, dependsOn: {}, calls: [], release: { ...canary, ...over } })])
    const world = new TinyWorld().add(release(1, shop), release(2, shop, { web: 'new' })).deploy(1)
    world.answers = answers
    world.deploy(2)
    return world
  }
  const by = (world: TinyWorld) => world.table?.split?.by
  assert.deepEqual(by(begun(null)), { kind: 'request' }, 'nobody has asked yet')
  assert.deepEqual(by(begun({ total: 0, html: 0 })), { kind: 'request' })
  assert.deepEqual(by(begun({ total: 10, html: 5 })), { kind: 'request' }, 'half is not most')
  assert.deepEqual(by(begun({ total: 10, html: 6 })), { kind: 'client' })
  assert.deepEqual(by(begun({ total: 10, html: 10 }, { split: { by: 'request' } })), { kind: 'request' }, 'the manifest has the last word')
  const world = begun({ total: 10, html: 10 })
  world.answers = { total: 1_000, html: 0 }
  world.ask({ kind: 'resume' })
  world.settle()
  assert.deepEqual([world.table?.split?.weight, by(world)], [50, { kind: 'client' }], 'what it was decided by has changed, the rollout has not')
})

test('promote skips the steps that are left, and resume of a paused canary only lets it go on', () => {
  const world = new TinyWorld()
    .add(release(1, split), release(2, split, { web: 'new' }))
    .deploy(1)
    .deploy(2)
  for (const kind of ['pause', 'resume'] as const) world.ask({ kind })
  world.settle()
  assert.equal(world.table?.split?.weight, 5)
  assert.equal(world.state.rollout?.paused, false)
  world.ask({ kind: 'promote' })
  world.settle()
  assert.equal(world.state.current, 2)
})

test('edges: a changed caller keeps to its own track, an unchanged one goes by baggage', () => {
  const both = new TinyWorld()
    .add(release(1, split), release(2, split, { web: 'new', api: 'new' }))
    .deploy(1)
    .deploy(2)
  const tracks = (world: TinyWorld) => (world.table?.listeners ?? []).flatMap((it) => (it.kind === 'edge' ? [`${it.caller}@${it.origin}: ${it.track}`] : []))
  assert.deepEqual(tracks(both), ['web@1: baggage', 'web@2: canary'])
  const alone = new TinyWorld()
    .add(release(1, split), release(2, split, { api: 'new' }))
    .deploy(1)
    .deploy(2)
  assert.deepEqual(tracks(alone), ['web@1: split'])
})

test('aborting a canary sends everybody back before its replicas leave', () => {
  const world = new TinyWorld()
    .add(release(1, split), release(2, split, { web: 'new' }))
    .deploy(1)
    .deploy(2)
  world.ask({ kind: 'abort' })
  const decision = world.pass()
  assert.equal(world.table?.services['web']?.canary, null)
  assert.ok(!decision.operations.some((it) => it.kind === 'stop-replica'))
  world.settle()
  assert.deepEqual(world.running(), ['api@1', 'web@1'])
})

test('a canary whose pre_start is not compatible is refused', () => {
  const unsafe = graph([
    service('web', { ...web, release: canary, dependsOn: {}, calls: [], preStart: [{ name: 'migrate', command: ['m'], compatible: false, timeoutMs: 1000 }] }),
  ])
  const world = new TinyWorld()
    .add(release(1, unsafe), release(2, unsafe, { web: 'new' }))
    .deploy(1)
    .deploy(2)
  assert.match(world.decisions.flatMap((it) => it.refused)[0]?.because.text ?? '', /migrate is not declared/)
  assert.equal(world.state.current, 1)
})

const migrate = { name: 'migrate', command: ['node', 'migrate.js'], compatible: true, timeoutMs: 60_000 }
const migrating = graph([service('api', { preStart: [migrate] })])

test('pre_start runs once, before the replica, and blocks it when it fails', () => {
  const world = new TinyWorld().add(release(1, migrating), release(2, migrating, { api: 'new' })).deploy(1)
  const order = world.done.map((it) => it.kind).filter((it) => it === 'start-task' || it === 'start-replica')
  assert.deepEqual(order, ['start-task', 'start-replica'])
  world.taskBehaviour.set('migrate', 'failed')
  const from = world.done.length
  world.deploy(2)
  assert.deepEqual(started(world, from), [])
  assert.equal(world.decisions.flatMap((it) => it.ended).at(-1)?.because?.code, 'E_MIGRATION_FAILED')
  assert.deepEqual(world.serving(), ['api@1'])
})

test('a migration whose outcome is unknown holds the rollout until a person decides', () => {
  const world = new TinyWorld().add(release(1, migrating))
  world.taskBehaviour.set('migrate', 'unknown')
  world.deploy(1)
  assert.equal(world.state.rollout?.phase.name, 'held')
  const from = world.done.length
  world.ask({ kind: 'resume' })
  world.settle()
  assert.equal(world.state.current, 1)
  assert.ok(!world.done.slice(from).some((it) => it.kind === 'start-task'), 'it is not run a second time')
})

const stateful = graph([service('db', { volumes: [{ resource: 'data', path: '/data' }], uses: ['data'] })], {
  resources: { data: { kind: 'volume', name: 'data' } },
})

test('a service with a volume is replaced: old and new never run side by side', () => {
  const world = new TinyWorld().add(release(1, stateful), release(2, stateful, { db: 'new' })).deploy(1)
  world.ask({ kind: 'deploy', release: 2, whenBusy: 'wait' })
  for (let i = 0; i < 20; i++) {
    world.pass()
    assert.ok(world.replicas.size <= 1, `both run: ${[...world.replicas.keys()].join()}`)
  }
  assert.deepEqual(world.serving(), ['db@2'])
})

test('a replacement that fails brings the old one back', () => {
  const world = new TinyWorld().add(release(1, stateful), release(2, stateful, { db: 'new' })).deploy(1)
  world.behaviour.set('db@2', 'failed')
  world.deploy(2)
  assert.equal(world.state.current, 1)
  assert.deepEqual(world.serving(), ['db@1'])
})

test('a second deploy waits for the first, or takes its place', () => {
  const world = new TinyWorld()
    .add(release(1, split), release(2, split, { web: 'a' }), release(3, split, { web: 'b' }))
    .deploy(1)
    .deploy(2)
  world.ask({ kind: 'deploy', release: 3, whenBusy: 'wait' })
  world.settle()
  assert.equal(world.state.rollout?.target, 2)
  assert.deepEqual(
    world.state.waiting.map((it) => it.target),
    [3],
  )
  const other = new TinyWorld()
    .add(release(1, split), release(2, split, { web: 'a' }), release(3, split, { web: 'b' }))
    .deploy(1)
    .deploy(2)
  other.ask({ kind: 'deploy', release: 3, whenBusy: 'supersede' })
  other.settle()
  assert.equal(other.state.rollout?.target, 3)
  assert.equal(other.decisions.flatMap((it) => it.ended).at(-1)?.outcome, 'superseded')
})

test('scaling by hand adds and takes replicas, the youngest first', () => {
  const world = new TinyWorld().add(release(1, shop)).deploy(1)
  world.ask({ kind: 'scale', service: 'web', replicas: 3 })
  world.settle()
  assert.equal(world.serving().filter((it) => it === 'web@1').length, 3)
  world.ask({ kind: 'scale', service: 'web', replicas: null })
  world.settle()
  assert.deepEqual(world.serving(), ['api@1', 'web@1', 'worker@1'])
})

test('scaling by hand keeps to the bounds of the manifest', () => {
  const world = new TinyWorld().add(release(1, shop)).deploy(1)
  for (const [replicas, problem] of [
    [11, /web has at most 10 replicas: `scale.max`/],
    [0, /web has at least 1 replicas: `scale.min`/],
  ] as const) {
    world.ask({ kind: 'scale', service: 'web', replicas })
    world.settle()
    const refused = world.decisions.flatMap((it) => it.consumed).at(-1)?.refused
    assert.match(refused?.text ?? '', problem)
  }
  assert.deepEqual(world.state.wishes, {})
  world.ask({ kind: 'scale', service: 'web', replicas: 10 })
  world.settle()
  assert.equal(world.serving().filter((it) => it === 'web@1').length, 10)
})

test('a replica that dies after its promotion is counted, with the cause, once a death', () => {
  const world = new TinyWorld().add(release(1, shop)).deploy(1)
  const id = [...world.replicas.keys()].find((it) => it.includes('-web-')) ?? ''
  const seen = (change: Partial<ObservedReplica>) => world.replicas.set(id, { ...(world.replicas.get(id) as ObservedReplica), ...change })
  const died = () => world.state.replicas[id]?.died
  assert.equal(died(), undefined)
  seen({ phase: 'waiting', exit: { kind: 'code', code: 7 }, cause: 'exited with 7: Error: no luck', lastLines: ['Error: no luck'] })
  world.pass()
  assert.deepEqual(died(), { count: 1, cause: 'exited with 7: Error: no luck' })
  seen({ phase: 'ready', restarts: 1, cause: null })
  world.pass()
  assert.equal(died()?.count, 1)
  seen({ restarts: 2 }) // it died and was back before anybody looked
  world.pass()
  assert.deepEqual(died(), { count: 2, cause: 'exited with 7: Error: no luck' })
})

test('restart brings fresh replicas before the old ones leave', () => {
  const world = new TinyWorld().add(release(1, shop)).deploy(1)
  const before = new Set(world.replicas.keys())
  world.ask({ kind: 'restart', service: 'web' })
  world.settle()
  const after = [...world.replicas.keys()].filter((it) => it.includes('-web-'))
  assert.equal(after.length, 1)
  assert.ok(!before.has(after[0] as string))
})

test('stop takes everything down and start brings it back, in order', () => {
  const world = new TinyWorld().add(release(1, shop)).deploy(1)
  world.ask({ kind: 'stop', service: null })
  world.settle()
  assert.deepEqual(world.running(), [])
  assert.equal(world.table?.services['web']?.stable.cause, 'stopped by hand')
  world.ask({ kind: 'start', service: null })
  world.settle()
  assert.deepEqual(world.serving(), ['api@1', 'web@1', 'worker@1'])
})

test('remove takes table, replicas and resources, and is then gone', () => {
  const world = new TinyWorld().add(release(1, stateful)).deploy(1)
  world.ask({ kind: 'remove', withData: false })
  world.settle()
  assert.equal(world.decisions.at(-1)?.gone, true)
  assert.deepEqual([world.replicas.size, world.resources.size, world.table], [0, 0, null])
})

test('a rollback over a migration that is not compatible needs a word', () => {
  const unsafe = graph([service('api', { preStart: [{ ...migrate, compatible: false }] })])
  const world = new TinyWorld()
    .add(release(1, unsafe), release(2, unsafe, { api: 'new' }))
    .deploy(1)
    .deploy(2)
  assert.equal(world.state.warm, null)
  world.ask({ kind: 'rollback', to: null, acceptSchema: false })
  assert.equal(world.pass().consumed[0]?.refused?.code, 'E_SCHEMA_BREAK')
  world.ask({ kind: 'rollback', to: 1, acceptSchema: true })
  world.settle()
  assert.equal(world.state.current, 1)
})

test('a replica that dies for good outside a rollout is replaced after a growing wait', () => {
  const world = new TinyWorld().add(release(1, shop)).deploy(1)
  const [id, replica] = [...world.replicas].find(([it]) => it.includes('-api-')) as [string, never]
  world.replicas.set(id, { ...(replica as object), phase: 'failed', cause: 'exited with 1' } as never)
  world.settle()
  assert.equal(world.running().filter((it) => it === 'api@1').length, 0)
  world.now += 1_001
  world.settle()
  assert.equal(world.serving().filter((it) => it === 'api@1').length, 1)
})

test('a job runs once at its minute, and missed minutes are made up by one run', () => {
  const jobs = { nightly: { name: 'nightly', service: 'api', schedule: '0 3 * * *', command: ['report'], timeoutMs: 60_000 } }
  const world = new TinyWorld().add(release(1, graph([api], { jobs }))).deploy(1)
  const runs = () => world.done.filter((it) => it.kind === 'start-task').length
  world.wall = 3 * 3_600_000 - 1
  world.settle()
  assert.equal(runs(), 0)
  world.wall = 3 * 3_600_000
  world.settle()
  assert.equal(runs(), 1)
  world.wall += 30 * 86_400_000
  world.settle()
  assert.equal(runs(), 2)
  world.wall -= 60 * 86_400_000
  world.settle()
  assert.equal(runs(), 2)
})

test('whoever asks learns the rollout at once, and its end even when another takes its place', () => {
  const world = new TinyWorld()
    .add(release(1, split), release(2, split, { web: 'a' }), release(3, split, { web: 'b' }), release(4, split, { web: 'c' }))
    .deploy(1)
    .deploy(2)
  world.ask({ kind: 'deploy', release: 3, whenBusy: 'wait' })
  assert.deepEqual(world.pass().consumed, [{ id: 3, refused: null, rollout: 'r3' }])
  world.ask({ kind: 'deploy', release: 4, whenBusy: 'supersede' })
  const decision = world.pass()
  assert.deepEqual(
    decision.dropped.map((it) => it.id),
    ['r3'],
  )
  assert.equal(decision.consumed[0]?.rollout, 'r4')
})

test('a rollout paused beyond its deadline is not looked at again and again', () => {
  const world = new TinyWorld().add(release(1, shop), release(2, shop, { web: 'new' })).deploy(1)
  world.behaviour.set('web@2', 'starting')
  world.deploy(2)
  world.ask({ kind: 'pause' })
  world.settle()
  world.now += 60 * 60 * 1000
  assert.notEqual(world.pass().wakeInMs, 0)
})

test('a rollback to the warm release that is given up leaves it warm, and ends', () => {
  const world = new TinyWorld()
    .add(release(1, shop), release(2, shop, { web: 'new', api: 'new' }), release(3, shop, { web: 'newer' }))
    .deploy(1)
    .deploy(2)
  world.behaviour.set('worker@1', 'starting')
  const worker = [...world.replicas].find(([id]) => id.includes('-worker-')) as [string, never]
  world.replicas.set(worker[0], { ...(worker[1] as object), phase: 'starting' } as never)
  world.ask({ kind: 'rollback', to: 1, acceptSchema: false })
  world.ask({ kind: 'pause' })
  world.ask({ kind: 'deploy', release: 3, whenBusy: 'supersede' })
  world.settle()
  assert.notEqual(world.state.rollout?.phase.name, 'restoring')
})

test('warm replicas leave in time although another rollout waits', () => {
  const world = new TinyWorld()
    .add(release(1, split), release(2, split, { web: 'a' }), release(3, split, { web: 'b' }))
    .deploy(1)
    .deploy(2)
  world.ask({ kind: 'weight', weight: 100 })
  world.settle()
  world.deploy(3)
  assert.equal(world.state.rollout?.phase.name, 'splitting')
  world.now += 60_001
  world.settle()
  assert.equal(world.state.warm, null)
})

test('a migration that never began does not begin after its rollout was given up', () => {
  const world = new TinyWorld().add(release(1, migrating))
  world.ask({ kind: 'deploy', release: 1, whenBusy: 'wait' })
  while (!world.pass().operations.some((it) => it.kind === 'start-task')) assert.ok(world.decisions.length < 20)
  world.tasks.clear() // the runner never heard of it
  const from = world.done.length
  world.ask({ kind: 'abort' })
  world.settle()
  assert.ok(!world.done.slice(from).some((it) => it.kind === 'start-task'))
  assert.equal(world.state.rollout, null)
})

test('the next rollout waits for a migration that cannot be taken back', () => {
  const world = new TinyWorld().add(release(1, migrating), release(2, migrating, { api: 'new' }), release(3, migrating, { api: 'newer' })).deploy(1)
  world.taskBehaviour.set('migrate', 'running')
  world.deploy(2)
  world.ask({ kind: 'deploy', release: 3, whenBusy: 'supersede' })
  world.settle()
  assert.equal([...world.tasks.values()].filter((it) => it.phase === 'running').length, 1)
  world.taskBehaviour.set('migrate', 'succeeded')
  for (const [id, task] of world.tasks) world.tasks.set(id, { ...task, phase: 'succeeded' })
  world.settle()
  assert.equal(world.state.current, 3)
})

test('a retired replica is not stopped while a worker may still route to it, however long that takes', () => {
  const world = new TinyWorld().add(release(1, shop)).deploy(1)
  const { acknowledged } = world
  world.ask({ kind: 'stop', service: 'web' })
  world.pass()
  world.acknowledged = acknowledged
  world.now += 60 * 60 * 1000
  assert.ok(!world.pass().operations.some((it) => it.kind === 'stop-replica'))
})

test('removing an app ends its running rollout in the history', () => {
  const world = new TinyWorld()
    .add(release(1, split), release(2, split, { web: 'a' }))
    .deploy(1)
    .deploy(2)
  world.ask({ kind: 'remove', withData: false })
  assert.equal(world.pass().ended[0]?.outcome, 'aborted')
})

test('a job with another schedule does not run at the old time', () => {
  const job = (schedule: string) => ({ nightly: { name: 'nightly', service: 'api', schedule, command: ['report'], timeoutMs: 60_000 } })
  const world = new TinyWorld()
    .add(release(1, graph([api], { jobs: job('* * * * *') })), release(2, graph([api], { jobs: job('0 3 * * *') }), { api: 'new' }))
    .deploy(1)
    .deploy(2)
  const from = world.done.length
  world.wall += 60_000
  world.settle()
  assert.ok(!world.done.slice(from).some((it) => it.kind === 'start-task'))
})

test('an environment that comes back publishes above whatever the gateway has seen of it', () => {
  const world = new TinyWorld().add(release(1, shop))
  world.acknowledged = { epoch: 1, n: 73 }
  world.deploy(1)
  assert.ok((world.table?.version.n ?? 0) > 73)
  assert.equal(world.state.current, 1)
})
