import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AT, anEnvironment, anEvidence, aRelease, aRollout, aVerdict } from './fixtures.ts'
import { fakeServer, type Handlers, type Ran, weir } from './testing.ts'

async function against(handlers: Handlers, use: (run: (line: string) => Promise<Ran>, asked: () => readonly string[]) => Promise<void>): Promise<void> {
  const server = await fakeServer(handlers)
  try {
    const asked = () => server.calls.map(({ route, asked: { query } }) => `${route} ${JSON.stringify(query)}`)
    await use((line) => weir(server, line.split(' '), { env: { WEIR_APP: 'shop' } }), asked)
  } finally {
    await server.close()
  }
}

const trial = (number: number, alarm: boolean, endedAt: string | null = AT) =>
  ({ id: `aa-${number}`, release: number, requests: 10, maxLogE: 1, alarm, designEffect: 1, startedAt: AT, endedAt }) as const
const running = aRollout(5, { phase: 'splitting', weight: 10, step: 1, strategy: 'canary', waits: { for: 'evidence', text: 'soon' } })

test('canary status shows each test with its counts, what is missing and how often the judge was wrong', () =>
  against(
    {
      'rollout.current': () => ({ rollout: { ...running, verdict: aVerdict({ kind: 'inconclusive', text: 'more answers', needsS: 42 }) } }),
      'rollouts.evidence': () => anEvidence(),
      'trials.list': () => ({ items: [trial(4, true), trial(3, false), trial(2, false, null)], cursor: null }),
    },
    async (run) => {
      const { out } = await run('canary status')
      assert.match(out, /\nwaits {5}for evidence: soon\nverdict {3}inconclusive: more answers; about 42s more\n/)
      assert.match(out, /\ncounted {3}100 requests on the new release, 900 beside it \(10\.0 %\), split by request\nunproven {2}web \/rare: /)
      assert.match(out, /\nTEST {8}NEW {2}EXPECTED {2}OF {2}EVIDENCE {2}FAILS AT {2}STATE {2}SAYS\nerrors web {2}41 {3}5\.2 {7}52 {2}10⁹ {7}10² {7}fails /)
      assert.match(out, /\n1 false alarm in the last 2 trials of a release against itself\n$/)
      const data = JSON.parse((await run('canary status -o json')).out) as { evidence: { tests: unknown[] }; trials: unknown[] }
      assert.deepEqual([data.evidence.tests.length, data.trials.length], [1, 3])
    },
  ))

test('why without a service, and canary why, tell what the newest judged release was judged by', () =>
  against(
    {
      'rollouts.list': () => ({ items: [aRollout(6), aRollout(5, { verdict: aVerdict(), outcome: 'failed', phase: 'ended' })], cursor: null }),
      'rollouts.evidence': () => anEvidence(),
    },
    async (run) => {
      const { out } = await run('why')
      assert.match(out, /^rollout {3}deploy of v5 .*\n(.*\n)*verdict {3}fail: canary 41 of 52 errors, expected 5\.2; POST \/pay worst\n/)
      assert.equal((await run('canary why')).out, out)
    },
  ))

test('where nothing was judged it says what to do', () =>
  against({ 'rollouts.list': () => ({ items: [aRollout(6)], cursor: null }) }, async (run) => {
    assert.match((await run('canary why')).out, /^no release was judged here yet; strategy: canary/)
  }))

test('a release shows its evidence, and --replay whether it can be made again', () =>
  against(
    {
      'releases.show': () => aRelease(5, { rollout: 'r5' }),
      'rollouts.show': () => aRollout(5, { verdict: aVerdict() }),
      'rollouts.evidence': ({ query }) =>
        anEvidence({ replay: query['replay'] === 'true' ? { blocks: 12, same: false, problem: 'its blocks are no longer kept' } : null }),
    },
    async (run) => {
      assert.doesNotMatch((await run('releases show v5')).out, /replay/)
      assert.match((await run('releases show v5 --replay')).out, /\nreplay {4}its blocks are no longer kept \(12 blocks\)\n/)
    },
  ))

test('a release that was rejected ends with 3 and the five parts', () =>
  against(
    {
      'apps.create': () => ({}),
      'environments.create': () => ({}),
      'releases.create': () => aRelease(5),
      'releases.show': () => aRelease(5, { rollout: 'r5' }),
      'environments.show': () => anEnvironment({ release: 4 }),
      'rollouts.show': () =>
        aRollout(5, {
          phase: 'ended',
          outcome: 'failed',
          stages: null,
          verdict: aVerdict(),
          because: { code: 'E_REJECTED', text: 'canary 41 of 52 errors, expected 5.2; POST /pay worst', lines: [] },
        }),
      'events.follow': async function* () {},
    },
    async (run, asked) => {
      const { exit, err } = await run('deploy https://git.example.com/shop.git --again --forward')
      assert.equal(exit, 3, err)
      const lines = err.trimEnd().split('\n').slice(-5)
      assert.deepEqual(lines, [
        '✗ release v5 of shop rejected at 10 %',
        '  cause     canary 41 of 52 errors, expected 5.2; POST /pay worst',
        '  evidence  weir releases show v5',
        '  state     v4 serves 100 %; v5 took 100 requests',
        '  next      weir releases diff 4 5',
      ])
      assert.ok(asked().some((it) => it.startsWith('releases.create')))
    },
  ))
