import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReleaseView, RolloutView } from '../../../packages/client/src/types.ts'
import { anEnvironment, aRelease, aReplica, aRollout, aService } from '../fixtures.ts'
import { displayWidth } from './escape.ts'
import { progressOf, type Snapshot } from './progress.ts'
import { changeLines, progressLines } from './progress-lines.ts'

const same = (text: string) => text
const style = { width: 60, height: 20, unicode: true, colours: { green: same, red: same, yellow: same, cyan: same, dim: same, bold: same } }
const services = ['db', 'api', 'web']
const stages = [
  [{ service: 'db', manner: 'beside' as const }],
  [{ service: 'api', manner: 'beside' as const }],
  [{ service: 'web', manner: 'beside' as const }],
]
type Build = NonNullable<ReleaseView['services'][number]['build']>
const build = (over: Partial<Build>): Build => ({ phase: 'succeeded', position: null, cached: false, cause: null, lastLines: [], ...over })

function snapshot(over: { release?: Partial<ReleaseView>; rollout?: Partial<RolloutView> | null; replicas?: ReturnType<typeof aReplica>[] }): Snapshot {
  const rollout = over.rollout === null || over.rollout === undefined ? null : aRollout(2, { stages, ...over.rollout })
  return {
    release: aRelease(2, { services: services.map((name) => ({ name, origin: 2, artifact: null, command: null, build: null })), ...over.release }),
    environment: anEnvironment({
      services: [aService('web', { dependsOn: ['api'] }), aService('api', { dependsOn: ['db'] }), aService('db', { wanted: 2 })],
      replicas: over.replicas ?? [],
      rollout,
    }),
    rollout,
  }
}
const picture = (it: Snapshot) => progressLines(progressOf(it), '4.2s', style)

test('while it is built, each service shows its build, callees first, and the log of the one that runs', () => {
  const it = snapshot({
    release: {
      status: 'building',
      services: [
        { name: 'web', origin: null, artifact: null, command: null, build: build({ phase: 'queued', position: 2 }) },
        {
          name: 'api',
          origin: null,
          artifact: null,
          command: null,
          build: build({ phase: 'running', lastLines: ['npm ci', 'added 3 packages', '\u001b[2Jevil'] }),
        },
        { name: 'db', origin: null, artifact: null, command: null, build: build({ cached: true }) },
      ],
    },
  })
  assert.deepEqual(picture(it), [
    'v2 of shop: building  4.2s',
    '  ● db   waiting  unchanged, not built again',
    '  ◐ api  building',
    '    │ npm ci',
    '    │ added 3 packages',
    '    │ \\x1b[2Jevil',
    '  ● web  queued  build 2 in line',
  ])
})

test("the order is that of the release's own graph as soon as it is known", () => {
  const graph = {
    services: { web: { dependsOn: { auth: {} } }, auth: { dependsOn: { db: {}, users: {} } }, users: { dependsOn: {} }, songs: { dependsOn: {} } },
  }
  const release = {
    status: 'building' as const,
    graph,
    services: ['auth', 'songs', 'users', 'web'].map((name) => ({ name, origin: null, artifact: null, command: null, build: null })),
  }
  assert.deepEqual(
    progressOf(snapshot({ release })).services.map((it) => it.name),
    ['songs', 'users', 'auth', 'web'],
  )
})

test('stages start one after the other, in release order', () => {
  const it = snapshot({
    rollout: { phase: 'starting', stage: 1 },
    replicas: [aReplica('db', 2), aReplica('db', 2, { id: 'd2' }), aReplica('api', 2, { phase: 'starting' }), aReplica('web', 1)],
  })
  assert.deepEqual(picture(it), ['v2 of shop: starting  4.2s', '  ✓ db   ready  2 replicas', '  ◑ api  starting', '  ● web  queued'])
})

test('a service of several replicas says how many are ready', () => {
  const it = snapshot({ rollout: { phase: 'starting', stage: 0 }, replicas: [aReplica('db', 2), aReplica('db', 2, { id: 'd2', phase: 'starting' })] })
  assert.equal(picture(it)[1], '  ◑ db   starting  1 of 2 ready')
})

test('what exits shows its cause at once, while it is tried again', () => {
  const it = snapshot({
    rollout: { phase: 'starting', stage: 1 },
    replicas: [aReplica('db', 2), aReplica('db', 2, { id: 'd2' }), aReplica('api', 2, { phase: 'waiting', cause: 'exited with 1: ECONNREFUSED' })],
  })
  assert.equal(picture(it)[2], '  ◑ api  starting  exited with 1: ECONNREFUSED')
})

test('going back shows what failed and what is taken back', () => {
  const it = snapshot({ rollout: { phase: 'restoring' }, replicas: [aReplica('api', 2, { phase: 'failed', cause: 'exited with 1' })] })
  assert.deepEqual(picture(it), [
    'v2 of shop: going back to v1  4.2s',
    '  ● db   stopping  taking back',
    '  ✗ api  failed  exited with 1',
    '  ● web  stopping  taking back',
  ])
})

test('once it is taken back, the service that was the reason still shows', () => {
  const it = snapshot({ rollout: { phase: 'ended', outcome: 'failed', because: { code: 'E_MIGRATION_FAILED', text: 'api/migrate exited with 1', lines: [] } } })
  assert.deepEqual(
    progressOf(it).services.map(({ name, state }) => [name, state]),
    [
      ['db', 'stopping'],
      ['api', 'failed'],
      ['web', 'stopping'],
    ],
  )
})

test('a canary ends the wait of whoever follows it where only a person lets it go on', () => {
  const splitting = { phase: 'splitting', weight: 5, step: 0 }
  const waiting = (reason: 'approval' | 'decision' | 'evidence') => ({ ...splitting, waits: { for: reason, text: 'soon' } })
  assert.equal(progressOf(snapshot({ rollout: waiting('approval') })).outcome, 'approval')
  assert.equal(progressOf(snapshot({ rollout: waiting('decision') })).outcome, 'approval')
  assert.equal(progressOf(snapshot({ rollout: waiting('evidence') })).outcome, null)
  assert.equal(progressOf(snapshot({ rollout: waiting('evidence') })).headline, 'v2 of shop: serves 5 %, soon')
  assert.equal(progressOf(snapshot({ rollout: { ...splitting, paused: true } })).outcome, null)
  assert.equal(progressOf(snapshot({ rollout: splitting })).headline, 'v2 of shop: serves 5 %')
})

test('it ends as its rollout or its build ends, and not by the end of another release', () => {
  const cases: [Snapshot, string | null][] = [
    [snapshot({ rollout: { phase: 'ended', outcome: 'promoted', stages: null } }), 'promoted'],
    [snapshot({ rollout: { phase: 'ended', outcome: 'aborted', stages: null } }), 'aborted'],
    [snapshot({ rollout: { phase: 'held' } }), 'held'],
    [snapshot({ release: { status: 'failed' } }), 'failed'],
    [snapshot({ rollout: { target: 3, phase: 'ended', outcome: 'promoted' } }), null],
    [snapshot({ rollout: null }), null],
  ]
  for (const [it, outcome] of cases) assert.equal(progressOf(it).outcome, outcome)
})

test('a release behind another says for which it waits', () => {
  const it = snapshot({ rollout: null })
  const behind = { ...it, environment: { ...it.environment, rollout: aRollout(1) } }
  assert.equal(progressOf(behind).headline, 'v2 of shop: waits for v1 to end')
})

test('no line is wider than the terminal, whatever services and processes say', () => {
  const long = 'x'.repeat(300)
  const it = snapshot({ rollout: { phase: 'starting', stage: 0 }, replicas: [aReplica('db', 2, { phase: 'waiting', cause: `日本語${long}` })] })
  for (const width of [20, 40, 80])
    for (const line of progressLines(progressOf(it), '1m33s', { ...style, width })) assert.ok(displayWidth(line) <= width, `${width}: ${line}`)
})

test('more services than lines fold what is ready into one', () => {
  const progress = {
    headline: 'v2 of shop: starting',
    outcome: null,
    services: [
      ...Array.from({ length: 30 }, (_, at) => ({ name: `s${at}`, state: 'ready' as const, note: '', lines: [] })),
      { name: 'web', state: 'starting' as const, note: '', lines: [] },
    ],
  }
  assert.deepEqual(progressLines(progress, '1s', { ...style, height: 10 }), ['v2 of shop: starting  1s', '  ✓ 30 services ready', '  ◑ web  starting'])
})

test('without UTF-8 the marks are ASCII', () => {
  const it = snapshot({ rollout: { phase: 'starting', stage: 2 } })
  assert.match(progressLines(progressOf(it), '1s', { ...style, unicode: false })[3] ?? '', /^ {2}\+ web/)
})

test('without a terminal only what changed is said', () => {
  const first = progressOf(snapshot({ rollout: { phase: 'starting', stage: 0 } }))
  const then = progressOf(snapshot({ rollout: { phase: 'starting', stage: 1 }, replicas: [aReplica('db', 2), aReplica('db', 2, { id: 'd2' })] }))
  assert.deepEqual(changeLines(null, first), ['v2 of shop: starting', 'db: starting (0 of 2 ready)', 'api: queued', 'web: queued'])
  assert.deepEqual(changeLines(first, then), ['db: ready (2 replicas)', 'api: starting'])
  assert.deepEqual(changeLines(then, then), [])
})
