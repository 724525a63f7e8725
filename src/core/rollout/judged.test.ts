import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STANDARD_ANALYSIS } from '../canary/analysis.ts'
import type { Verdict } from '../canary/verdict.ts'
import type { CanaryStep, ReleasePolicy } from '../model/app-graph.ts'
import { graph, release, service, TinyWorld } from '../testing.ts'
import { NO_FINDINGS } from './findings.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const web = service('web', { routes: [{ host: null, path: '/', port: 'http' }] })
const PLAN: ReleasePolicy = {
  strategy: 'canary',
  steps: [{ weight: 5 }, { weight: 50 }],
  split: { by: 'request' },
  keepMs: 60_000,
  analysis: STANDARD_ANALYSIS,
}

/** v1 serves, v2 is on its way by this policy. */
function begun(over: Partial<ReleasePolicy> = {}): TinyWorld {
  const of = graph([{ ...web, release: { ...PLAN, ...over } }])
  return new TinyWorld()
    .add(release(1, of), release(2, of, { web: 'two' }), release(3, of, { web: 'three' }))
    .deploy(1)
    .deploy(2)
}

function verdict(kind: Verdict['kind'], text: string = kind): Verdict {
  return { kind, text, tests: [], unproven: [], needsS: null, share: 0.1, counted: { canary: 1, stable: 9, unit: 'requests' } }
}

/** A look with this result, then everything that follows from it. */
function look(world: TinyWorld, kind: Verdict['kind'], text?: string, cursor = 7): TinyWorld {
  const rollout = world.state.rollout?.id ?? ''
  world.findings = { ...NO_FINDINGS, judgement: { rollout, verdict: verdict(kind, text), cursor, thresholds: {} } }
  world.settle()
  world.findings = NO_FINDINGS
  return world
}

function ask(world: TinyWorld, kind: 'resume' | 'promote' | 'pause' | 'abort'): TinyWorld {
  world.ask({ kind })
  return world.settle()
}

const weight = (world: TinyWorld) => world.table?.split?.weight ?? null
const waits = (world: TinyWorld) => world.state.rollout?.waits?.for ?? null
const ended = (world: TinyWorld) => world.decisions.flatMap((it) => it.ended).at(-1)
const running = (world: TinyWorld) => world.state.rollout?.target ?? null
const refused = (world: TinyWorld) => world.decisions.flatMap((it) => it.consumed).at(-1)?.refused
const steps = (...list: CanaryStep[]): Partial<ReleasePolicy> => ({ steps: list })

test('a canary that is proven gets everything at once, whatever plain steps are left, and says by what', () => {
  const world = look(begun(), 'pass', 'errors within 0.5 pp')
  assert.equal(world.state.current, 2)
  assert.deepEqual([ended(world)?.outcome, ended(world)?.because?.code, ended(world)?.because?.text], ['promoted', 'passed', 'errors within 0.5 pp'])
  assert.equal(ended(world)?.because?.evidence?.cursor, 7)
})

test('a canary that fails is taken back in the pass of the look, and its sentence, tests and cursor are the reason', () => {
  const world = begun()
  world.findings = { ...NO_FINDINGS, judgement: { rollout: 'r2', verdict: verdict('fail', 'canary 41 of 52 errors'), cursor: 12, thresholds: {} } }
  const { operations } = world.pass()
  const published = operations.find((it) => it.kind === 'publish-table')
  assert.equal(published?.table.services['web']?.canary, null, 'the table of that very pass is without it')
  world.settle()
  const { outcome, because } = ended(world) ?? {}
  assert.deepEqual([outcome, because?.code, because?.text, because?.evidence?.cursor], ['failed', 'E_REJECTED', 'canary 41 of 52 errors', 12])
  assert.deepEqual([world.state.current, world.running()], [1, ['web@1']])
})

test('without a verdict nothing is promoted, however long it takes, and the rollout says why it waits', () => {
  const world = begun()
  assert.equal(waits(world), 'evidence')
  for (const hours of [0.5, 1, 24, 1000]) {
    world.now += hours * HOUR
    look(world, 'inconclusive', 'needs 400 more requests, 40 min')
    assert.deepEqual([world.state.current, weight(world)], [1, 5])
  }
  assert.deepEqual(world.state.rollout?.waits, {
    for: 'decision',
    text: 'no verdict after 1h: needs 400 more requests, 40 min',
    since: world.state.rollout?.waits?.since,
  })
})

test('a verdict about another rollout counts for nothing', () => {
  for (const kind of ['pass', 'fail'] as const) {
    const world = begun()
    world.findings = { ...NO_FINDINGS, judgement: { rollout: 'r1', verdict: verdict(kind), cursor: 1, thresholds: {} } }
    world.settle()
    assert.equal(weight(world), 5)
  }
})

test('proof waits for at_least, and goes on to the next step that asks for something', () => {
  const world = begun(steps({ weight: 5, atLeastMs: 10 * MINUTE }, { weight: 25 }, { weight: 50, approve: true }))
  look(world, 'pass')
  assert.deepEqual([weight(world), waits(world)], [5, 'time'])
  world.now += 10 * MINUTE
  look(world, 'pass')
  assert.deepEqual([weight(world), waits(world)], [50, 'approval'], 'the plain step between is skipped')
  ask(world, 'resume')
  assert.equal(weight(world), 50, 'agreed, but a look that proves it is still to come')
  look(world, 'inconclusive')
  assert.equal(weight(world), 50)
  look(world, 'pass')
  assert.equal(world.state.current, 2)
})

test('proof of an earlier look is no proof in a later one', () => {
  const world = begun(steps({ weight: 5, atLeastMs: 10 * MINUTE }))
  look(world, 'pass')
  world.now += 10 * MINUTE
  world.settle()
  assert.equal(weight(world), 5, 'nobody has looked')
  look(world, 'inconclusive')
  assert.equal(weight(world), 5)
})

test('a person widens without proof, but promotes without proof only by saying promote', () => {
  const world = ask(begun(), 'resume')
  assert.equal(weight(world), 50)
  ask(world, 'resume')
  assert.equal(weight(world), 50)
  assert.match(refused(world)?.text ?? '', /not proven yet.*weir canary promote/)
  ask(world, 'promote')
  assert.equal(world.state.current, 2)
  assert.match(ended(world)?.because?.text ?? '', /promoted by ann/)
})

test('on_inconclusive: widen, rollback and promote-after act when their time is over and the judge has looked', () => {
  const widened = begun({ onInconclusive: { kind: 'widen' } })
  widened.now += HOUR
  widened.settle()
  assert.equal(weight(widened), 5, 'time alone moves nothing')
  look(widened, 'inconclusive')
  assert.equal(weight(widened), 50)
  widened.now += HOUR
  look(widened, 'inconclusive')
  assert.deepEqual([weight(widened), waits(widened)], [50, 'decision'], 'there is no further step')

  const back = begun({ onInconclusive: { kind: 'rollback' } })
  back.now += HOUR
  look(back, 'inconclusive')
  assert.deepEqual([back.state.current, ended(back)?.outcome, back.state.rejected], [1, 'failed', []], 'nothing is held against it')

  const due = begun({ onInconclusive: { kind: 'promote-after', afterMs: 2 * HOUR } })
  due.now += 2 * HOUR - 1
  look(due, 'inconclusive')
  assert.equal(weight(due), 5)
  due.now += 1
  look(due, 'inconclusive')
  assert.deepEqual([due.state.current, ended(due)?.because?.code], [2, 'promote-after'])
})

test('paused, proof promotes nothing, and a fail takes it back all the same', () => {
  const world = ask(begun(), 'pause')
  look(world, 'pass')
  assert.deepEqual([weight(world), waits(world)], [5, 'pause'])
  look(world, 'fail')
  assert.equal(ended(world)?.outcome, 'failed')
})

test('every change of the weight is a stage, and thresholds that stand are never replaced', () => {
  const world = begun()
  assert.deepEqual(world.table?.split?.judge, { stage: 1, unit: 'request', thresholds: {} })
  const say = (thresholds: Record<string, Record<string, number[]>>) => {
    world.findings = { ...NO_FINDINGS, judgement: { rollout: 'r2', verdict: null, cursor: 0, thresholds } }
    world.settle()
  }
  say({ web: { '/': [1, 2, 3, 4, 5] } })
  say({ web: { '/': [9, 9, 9, 9, 9], '/pay': [2, 2, 2, 2, 2] } })
  const { thresholds } = world.table?.split?.judge ?? {}
  assert.deepEqual(thresholds, { web: { '/': [1, 2, 3, 4, 5], '/pay': [2, 2, 2, 2, 2] } })
  world.findings = NO_FINDINGS
  for (const [share, stage] of [
    [20, 2],
    [20, 2],
    [7, 3],
  ] as const) {
    world.ask({ kind: 'weight', weight: share })
    world.settle()
    assert.deepEqual([weight(world), world.table?.split?.judge?.stage], [share, stage])
  }
})

test('a split by header or cookie is judged by whoever carries the same value', () => {
  assert.equal(begun({ split: { by: 'header', name: 'x-tenant' } }).table?.split?.judge?.unit, 'client')
})

test('analysis: off leaves every step to a person, and nothing is counted', () => {
  const world = begun({ analysis: null })
  assert.deepEqual([world.table?.split?.judge, waits(world)], [null, 'approval'])
  look(world, 'fail')
  assert.equal(weight(world), 5)
  ask(world, 'resume')
  assert.equal(weight(world), 50)
  ask(world, 'resume')
  assert.equal(world.state.current, 2)
})

test('a commit that was taken back is refused until it is asked for again, and is forgotten once it is promoted', () => {
  const of = graph([{ ...web, release: PLAN }])
  const at = (number: number, commit: string) => ({
    ...release(number, of, { web: commit }),
    source: { kind: 'git', url: 'u', ref: null, commit, path: '.' } as const,
  })
  const world = new TinyWorld().add(at(1, 'a'), at(2, 'bad'), at(3, 'bad'), at(4, 'c'), at(5, 'bad')).deploy(1).deploy(2)
  look(world, 'fail', 'canary 41 of 52 errors')
  world.deploy(3)
  const [turned] = world.decisions.flatMap((it) => it.refused)
  assert.deepEqual([turned?.target, turned?.because.code], [3, 'E_REJECTED_BEFORE'])
  assert.match(turned?.because.text ?? '', /commit bad was taken back as v2: canary 41 of 52 errors/)
  assert.equal(world.state.rollout, null)
  world.deploy(4)
  assert.equal(running(world), 4, 'a newer one is taken')
  world.ask({ kind: 'deploy', release: 3, whenBusy: 'supersede' })
  world.settle()
  assert.equal(running(world), 4, 'what is refused takes nobody’s place')
  world.ask({ kind: 'deploy', release: 5, whenBusy: 'supersede', again: true })
  world.settle()
  look(world, 'pass')
  assert.deepEqual([world.state.current, world.state.rejected], [5, []])
})

test('forward: a fix of what is broken is compared with nothing and waits for nobody', () => {
  const world = begun()
  const stable = [...world.replicas].find(([id]) => id.includes('-v1-')) as [string, never]
  world.replicas.set(stable[0], { ...(stable[1] as object), phase: 'waiting', cause: 'exited with 1' } as never)
  world.ask({ kind: 'deploy', release: 3, whenBusy: 'wait', forward: true })
  world.settle()
  assert.deepEqual([world.state.current, world.state.rollout], [3, null])
  assert.match(ended(world)?.because?.text ?? '', /forward, by ann: not compared with v1/)
})

test('after a promotion by proof the same judge looks at what serves, until its time is over or the next rollout begins', () => {
  const world = look(begun(), 'pass')
  assert.deepEqual(world.table?.trial, { id: 'aa-2', weight: 10, unit: 'request', thresholds: {} })
  const other = look(begun(), 'pass')
  world.now += 10 * MINUTE
  world.settle()
  assert.equal(world.table?.trial, null)
  other.deploy(3)
  assert.deepEqual([other.state.trial, other.table?.trial, other.table?.split?.weight], [null, null, 5])
})

const shadow = (then: 'canary' | 'promote' | 'stop'): Partial<ReleasePolicy> => ({
  strategy: 'shadow',
  shadow: { share: 0.2, methods: ['GET'], diff: false, atMostMs: 30 * MINUTE, then },
})

test('a shadow gets copies and nothing else, and its own calls are marked', () => {
  const api = service('api', { release: { ...PLAN, ...shadow('stop') } })
  const of = graph([api, { ...web, dependsOn: { api: { condition: 'healthy' } }, calls: ['api'], release: { ...PLAN, ...shadow('stop') } }])
  const world = new TinyWorld()
    .add(release(1, of), release(2, of, { web: 'two' }))
    .deploy(1)
    .deploy(2)
  assert.deepEqual(world.table?.shadow, { rollout: 'r2', share: 20, methods: ['GET'], diff: false, thresholds: {} })
  assert.equal(world.table?.split, null)
  assert.deepEqual(
    world.table?.listeners.flatMap((it) => (it.kind === 'edge' ? [`${it.caller}@${it.origin} ${it.track}`] : [])),
    ['web@1 baggage', 'web@2 shadow'],
  )
})

test('a shadow that is proven goes where `then` says, one that is not goes nowhere by itself, and one that fails is taken back', () => {
  const promoted = look(begun(shadow('promote')), 'pass')
  assert.equal(promoted.state.current, 2)

  const stopped = look(begun(shadow('stop')), 'pass')
  assert.deepEqual([stopped.state.current, stopped.table?.shadow, waits(stopped)], [1, null, 'approval'])
  ask(stopped, 'resume')
  assert.equal(stopped.state.current, 2)

  const late = begun(shadow('promote'))
  late.now += 30 * MINUTE
  look(late, 'inconclusive', 'too few')
  assert.deepEqual([late.state.current, late.table?.shadow, waits(late)], [1, null, 'decision'])
  ask(late, 'resume')
  assert.match(refused(late)?.text ?? '', /not proven/)
  ask(late, 'promote')
  assert.equal(late.state.current, 2)

  const failed = look(begun(shadow('promote')), 'fail')
  assert.deepEqual([failed.state.current, ended(failed)?.outcome], [1, 'failed'])
})

test('a shadow that becomes a canary is proven anew', () => {
  const world = begun({ ...shadow('canary'), split: { by: 'client' } })
  world.findings = { ...NO_FINDINGS, judgement: { rollout: 'r2', verdict: verdict('pass'), cursor: 7, thresholds: {} } }
  world.pass()
  world.findings = NO_FINDINGS
  world.settle()
  assert.deepEqual([world.state.current, weight(world)], [1, 5], 'proof by copies is none of the split')
  assert.deepEqual([world.table?.split?.judge?.stage, world.table?.split?.judge?.unit], [1, 'client'])
  look(world, 'pass')
  assert.equal(world.state.current, 2)
})

const green: Partial<ReleasePolicy> = { strategy: 'blue-green', checks: { before: 'auto', after: { forMs: 2 * MINUTE, errors: 0.05 } } }
function greenBegun(): TinyWorld {
  const of = graph([{ ...web, probes: { home: { path: '/', expect: 200, timeoutMs: 1000, everyMs: MINUTE } }, release: { ...PLAN, ...green } }])
  return new TinyWorld()
    .add(release(1, of), release(2, of, { web: 'two' }))
    .deploy(1)
    .deploy(2)
}
function checked(world: TinyWorld, good: number, badInARow: number): TinyWorld {
  world.findings = { ...NO_FINDINGS, checks: [{ service: 'web', probe: 'home', good, badInARow, cause: badInARow > 0 ? '500 instead of 200' : null }] }
  world.settle()
  world.findings = NO_FINDINGS
  return world
}

test('blue-green asks the new replicas, switches, keeps the old release whole, and then ends', () => {
  const world = greenBegun()
  assert.equal(world.state.rollout?.phase.name, 'checking')
  assert.equal(world.table?.listeners.filter((it) => it.kind === 'edge').length, 0)
  assert.deepEqual(world.serving(), ['web@1'])
  checked(world, 1, 0)
  assert.deepEqual([world.serving(), world.running(), waits(world)], [['web@2'], ['web@1', 'web@2'], 'time'])
  assert.equal(world.table?.listeners.filter((it) => it.kind === 'edge').length, 0)
  world.now += 2 * MINUTE
  world.settle()
  assert.deepEqual([world.state.current, ended(world)?.outcome, world.state.trial], [2, 'promoted', null])
})

test('a blue-green release whose probe is not answered never gets a request, and is remembered', () => {
  const world = checked(greenBegun(), 0, 2)
  assert.equal(world.state.rollout?.phase.name, 'checking', 'two bad answers may be chance')
  checked(world, 0, 3)
  assert.match(ended(world)?.because?.text ?? '', /web\/home: 500 instead of 200, 3 times in a row/)
  assert.deepEqual([world.state.current, world.running()], [1, ['web@1']])
})

test('after a blue-green switch errors, deaths, silence and probes give the requests back to the old release at once', () => {
  const broken: Readonly<Record<string, (world: TinyWorld) => void>> = {
    '10 of 100 requests failed': (world) => {
      world.findings = { ...NO_FINDINGS, served: { requests: 100, errors: 10 } }
    },
    'no replica of web is ready': (world) => {
      for (const [id, replica] of world.replicas) if (id.includes('-v2-')) world.replicas.set(id, { ...replica, phase: 'unready' })
    },
    'exited with 1: boom, 2 times': (world) => {
      const exit = { kind: 'code', code: 1 } as const
      for (const [id, replica] of world.replicas) if (id.includes('-v2-')) world.replicas.set(id, { ...replica, restarts: 2, exit, lastLines: ['boom'] })
    },
    'web/home: 500': (world) => {
      world.findings = { ...NO_FINDINGS, checks: [{ service: 'web', probe: 'home', good: 0, badInARow: 3, cause: '500' }] }
    },
  }
  for (const [text, breaks] of Object.entries(broken)) {
    const world = checked(greenBegun(), 1, 0)
    assert.deepEqual(world.serving(), ['web@2'])
    breaks(world)
    world.pass()
    world.pass()
    assert.deepEqual(world.serving(), ['web@1'], text)
    world.settle()
    assert.deepEqual([world.state.current, ended(world)?.outcome], [1, 'failed'])
    assert.ok(ended(world)?.because?.text.includes(text), ended(world)?.because?.text)
    assert.deepEqual(world.running(), ['web@1'])
  }
})

test('a few errors after a switch, or a share within the limit, are put up with', () => {
  for (const served of [
    { requests: 4, errors: 4 },
    { requests: 1000, errors: 50 },
  ]) {
    const world = checked(greenBegun(), 1, 0)
    world.findings = { ...NO_FINDINGS, served }
    world.settle()
    assert.deepEqual(world.serving(), ['web@2'])
  }
})
