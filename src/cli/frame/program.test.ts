import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CATALOGUE, type ErrorCode, WeirError } from '../../errors.ts'
import { anEnvironment } from '../fixtures.ts'
import { fakeServer, weir } from '../testing.ts'
import { NOT_YET, VERBS } from './verbs.ts'

test('what cannot be understood ends with 64, and the nearest thing that exists is named', async () => {
  const table: [argv: string[], said: RegExp][] = [
    [['deplyo'], /unknown command "deplyo"\n {2}next {6}did you mean weir deploy\?/],
    [['canary', 'wieght', '3'], /unknown command "canary wieght"\n {2}next {6}did you mean weir canary weight\?/],
    [['canary', 'zzzzzz'], /next {6}weir canary --help/],
    [['list', '--jsno'], /unknown option '--jsno'\n {2}next {6}did you mean --json\?/],
    [['deploy', '--tga', 'x'], /did you mean --tag\?/],
    [['rollback', 'v1', 'v2'], /too many arguments/],
    [['canary', 'weight'], /missing required argument 'percent'\n {2}next {6}weir canary weight --help/],
    [['canary', 'weight', '101'], /no share/],
    [['rollback', 'latest'], /"latest" is no release/],
    [['rollback', 'v0'], /is no release/],
    [['list', '-o', 'xml'], /-o xml is not a format/],
    [['logs', '-a', 'shop', '--since', 'yesterday'], /neither a duration nor a time/],
    [['logs', '-a', 'shop', '-n', '-3'], /positive whole number/],
    [['status', '-a', 'a;rm -rf'], /cannot be the name of an app/],
    [['status', '-a', 'kube-system'], /reserved/],
    [['status', '-e', '🙂', '-a', 'shop'], /cannot be the name of an environment/],
    [['scale', 'web=-1', '-a', 'shop'], /no wish for replicas/],
    [['scale', 'web=9999', '-a', 'shop'], /too many/],
    [['env', 'set', 'no', '-a', 'shop'], /no NAME=value/],
    [['completion', 'tcsh'], /no completion for "tcsh"/],
    [['build'], /only knows --verify/],
    [['run', 'web'], /missing required argument 'command'/],
    [['deploy', '--timeout', 'soon', 'https://git.example.com/x'], /no duration/],
    [['\u001b[2Jx'], /unknown command "\\x1b\[2Jx"/],
  ]
  const server = await fakeServer({ 'apps.create': () => ({}), 'environments.create': () => ({}) })
  try {
    for (const [argv, said] of table) {
      const { exit, err, out } = await weir(server, argv)
      assert.deepEqual([exit, out], [64, ''], argv.join(' '))
      assert.match(err, said)
    }
  } finally {
    await server.close()
  }
})

test('words of later versions say so, and stay out of help', async () => {
  const help = (await weir(null, ['--help'])).out
  for (const word of [...Object.keys(NOT_YET).filter((it) => !it.startsWith('-')), 'dashboard --open', 'scaling why']) {
    const { exit, err } = await weir(null, word.split(' '))
    assert.equal(exit, 64, word)
    assert.match(err, /✗ not yet supported: /)
    assert.doesNotMatch(help, new RegExp(`^ {2}${word.split(' ')[1] === undefined ? word : 'never'}\\b`, 'm'))
  }
})

test('help ends with 0, knows every verb, and fits 80 columns', async () => {
  const { exit, out } = await weir(null, ['--help'])
  assert.equal(exit, 0)
  for (const verb of VERBS.filter((it) => !it.hidden)) assert.match(out, new RegExp(`^ {2}${verb.path.split(' ')[0]}\\b`, 'm'))
  assert.ok(out.split('\n').every((line) => line.length <= 80))
  assert.equal((await weir(null, [])).out, out)
  assert.match((await weir(null, ['deploy', '--help'])).out, /--commit <commit>/)
})

test("the server's problems end with the exit code of their code", async () => {
  for (const code of Object.keys(CATALOGUE) as ErrorCode[]) {
    if (CATALOGUE[code].status === 503 || CATALOGUE[code].status === 429) continue // the client waits for these to pass
    const server = await fakeServer({
      'identity.whoami': () => {
        throw new WeirError(code, { message: 'no', cause: 'because', next: 'something' })
      },
    })
    try {
      const { exit, err } = await weir(server, ['whoami'])
      assert.equal(exit, CATALOGUE[code].exit, code)
      assert.equal(err, '✗ no\n  cause     because\n  next      something\n')
    } finally {
      await server.close()
    }
  }
})

test('with --json a failure is the result, on standard output, with all its parts', async () => {
  const { exit, out, err } = await weir(null, ['deplyo', '--json'])
  assert.deepEqual([exit, err], [64, ''])
  const { code, message, docs } = JSON.parse(out) as Record<string, string>
  assert.deepEqual([code, message, docs], ['E_USAGE', 'unknown command "deplyo"', 'docs/reference/errors.md#e_usage'])
})

test('an app that is not there brings the one that was meant', async () => {
  const server = await fakeServer({
    'environments.show': () => {
      throw new WeirError('E_NOT_FOUND', { message: 'no app "shpo"', next: 'weir list' })
    },
    'apps.list': () => ({ items: [{ name: 'shop', createdAt: null, environments: [] }], cursor: null }),
  })
  try {
    const { exit, err } = await weir(server, ['status', 'shpo'])
    assert.deepEqual([exit, err], [5, '✗ no app "shpo"\n  next      did you mean shop?\n'])
  } finally {
    await server.close()
  }
})

test('so does a service that is not there', async () => {
  const server = await fakeServer({
    'environments.stop': () => {
      throw new WeirError('E_NOT_FOUND', { message: 'stop was refused', cause: 'there is no service wbe' })
    },
    'environments.show': () => anEnvironment(),
  })
  try {
    assert.match((await weir(server, ['stop', '-a', 'shop', '-s', 'wbe'])).err, /\n {2}next {6}did you mean web\?\n$/)
  } finally {
    await server.close()
  }
})

test('nobody there is said with where it was looked for', async () => {
  const { exit, err } = await weir(null, ['list'])
  assert.equal(exit, 1)
  assert.match(err, /✗ no Weir server answers at unix:\/nonexistent\/weir\/run\/.*\n {2}cause {5}.*ENOENT.*\n {2}next {6}weir up\n/)
})

test('which app is meant: flag, then WEIR_APP, then the only one there is, else a question', async () => {
  const apps = [
    { name: 'shop', createdAt: null, environments: [] },
    { name: 'blog', createdAt: null, environments: [] },
  ]
  let known = apps.slice(0, 1)
  const server = await fakeServer({
    'environments.show': ({ params }) => anEnvironment({ app: params['app'] ?? '' }),
    'apps.list': () => ({ items: known, cursor: null }),
  })
  const shown = async (argv: string[], env = {}) => {
    await weir(server, argv, { env })
    return server.calls.findLast((it) => it.route === 'environments.show')?.asked.params
  }
  try {
    assert.deepEqual(await shown(['status', '-a', 'one'], { WEIR_APP: 'two' }), { app: 'one', environment: 'production' })
    assert.deepEqual(await shown(['status', 'three'], { WEIR_APP: 'two', WEIR_ENV: 'staging' }), { app: 'three', environment: 'staging' })
    assert.deepEqual(await shown(['status'], { WEIR_APP: 'two' }), { app: 'two', environment: 'production' })
    assert.deepEqual(await shown(['status']), { app: 'shop', environment: 'production' })
    known = apps
    const { exit, err } = await weir(server, ['status'])
    assert.deepEqual([exit, err], [64, '✗ which app?\n  cause     there are shop, blog\n  next      the same with -a shop\n'])
  } finally {
    await server.close()
  }
})
