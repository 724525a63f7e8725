import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isWeirError } from '../errors.ts'
import { type FolderFacts, recipeFor } from './recipe.ts'
import { satisfies } from './semver-range.ts'
import { plainWords, startCommand } from './start-command.ts'

const none = { command: null, output: null }
const facts = (texts: Record<string, string>, ...more: string[]): FolderFacts => ({ names: [...Object.keys(texts), ...more], texts })
const pack = (it: object, ...more: string[]) => facts({ 'package.json': JSON.stringify(it) }, ...more)
const start = (it: FolderFacts, sites: string[] = []) => startCommand(it, sites).argv

test('what a folder holds decides its kind, the manifest first', () => {
  assert.equal(recipeFor(pack({}), none).kind, 'node')
  assert.equal(recipeFor(facts({ 'requirements.txt': '' }, 'app.py'), none).kind, 'python')
  assert.equal(recipeFor(facts({}, 'index.html'), none).kind, 'static')
  assert.equal(recipeFor(facts({}, 'index.html'), { command: ['make'], output: 'out' }).kind, 'custom')
  assert.throws(
    () => recipeFor(facts({}, 'main.rs'), none),
    (error) => isWeirError(error, 'E_BUILD_UNKNOWN_KIND'),
  )
})

test('npm runs only when there is something to install, by the lock file where there is one', () => {
  assert.equal(recipeFor(pack({}), none).install, null)
  assert.equal(recipeFor(pack({ devDependencies: { a: '1' } }), none).install, null)
  assert.deepEqual(recipeFor(pack({ dependencies: { a: '1' } }), none).install?.argv.slice(0, 3), ['npm', 'install', '--omit=dev'])
  assert.deepEqual(recipeFor(pack({ dependencies: { a: '1' } }, 'package-lock.json'), none).install?.argv.slice(0, 3), ['npm', 'ci', '--omit=dev'])
  const built = recipeFor(pack({ scripts: { build: 'tsc' }, devDependencies: { a: '1' } }), none)
  assert.ok(!built.install?.argv.includes('--omit=dev'))
  assert.deepEqual(
    [built.build, built.prune?.slice(0, 2)],
    [
      ['npm', 'run', 'build'],
      ['npm', 'prune'],
    ],
  )
})

test('dependencies are kept only when nothing of the source can change them', () => {
  const kept = (it: object) => recipeFor(pack({ dependencies: { a: '1' }, ...it }), none).install?.dependsOn !== null
  assert.ok(kept({}))
  assert.ok(kept({ scripts: { start: 'x', test: 'y' } }))
  for (const it of [
    { scripts: { postinstall: 'x' } },
    { scripts: { prepare: 'x' } },
    { workspaces: ['a'] },
    { dependencies: { a: 'file:../a' } },
    { dependencies: { a: './a' } },
  ])
    assert.ok(!kept(it), JSON.stringify(it))
  const python = (text: string) => recipeFor(facts({ 'requirements.txt': text }), none).install
  assert.ok(python('flask==3\n')?.dependsOn)
  assert.equal(python('# nothing\n\n'), null)
  for (const text of ['-r other.txt', '-e .', './wheel.whl', 'a @ file:///x']) assert.equal(python(text)?.dependsOn, null, text)
})

test('two apps with the same locked dependencies share them, whatever they are called', () => {
  const of = (name: string, installed: string) =>
    recipeFor(
      facts({
        'package.json': JSON.stringify({ name, dependencies: { a: '1' } }),
        'package-lock.json': JSON.stringify({ name, version: '1', lockfileVersion: 3, packages: { '': { name }, 'node_modules/a': { version: installed } } }),
      }),
      none,
    ).install?.dependsOn
  assert.deepEqual(of('users', '1.0.0'), of('songs', '1.0.0'))
  assert.notDeepEqual(of('users', '1.0.0'), of('users', '1.0.1'))
})

test('the same dependencies in another order are the same', () => {
  const of = (dependencies: object) => recipeFor(pack({ dependencies }), none).install?.dependsOn
  assert.deepEqual(of({ a: '1', b: '2' }), of({ b: '2', a: '1' }))
  assert.notDeepEqual(of({ a: '1', b: '2' }), of({ a: '1', b: '3' }))
})

test('the start command is found where each kind of app says it', () => {
  assert.deepEqual(start(pack({ scripts: { start: 'node --enable-source-maps server.js' } })), ['node', '--enable-source-maps', 'server.js'])
  assert.deepEqual(start(pack({ scripts: { start: 'tsx server.ts' } })), ['npm', 'run', '--silent', 'start'])
  assert.deepEqual(start(pack({ scripts: { start: 'node a.js && node b.js' } })), ['npm', 'run', '--silent', 'start'])
  assert.deepEqual(start(pack({ scripts: { start: 'node a.js', prestart: 'x' } })), ['npm', 'run', '--silent', 'start'])
  assert.deepEqual(start(pack({ main: './lib.js' }, 'lib.js')), ['node', 'lib.js'])
  assert.deepEqual(start(pack({}, 'server.js')), ['node', 'server.js'])
  assert.deepEqual(start(facts({ Procfile: 'worker: x\nweb: gunicorn app:app --bind 0.0.0.0:$PORT\n' })), ['gunicorn', 'app:app', '--bind', '0.0.0.0:$PORT'])
  assert.deepEqual(start(facts({ Procfile: 'web: node "a b.js"\n' })), ['sh', '-c', 'exec node "a b.js"'])
  assert.deepEqual(start(facts({}, 'main.py')), ['python3', '-u', 'main.py'])
  assert.deepEqual(start(facts({}, 'index.html'), ['.']), ['node', '.weir/static-server.mts', '.'])
  assert.equal(start(facts({}, 'x')), null)
})

test('only words without any meaning to a shell count as plain', () => {
  assert.deepEqual(plainWords(' node  a.js '), ['node', 'a.js'])
  for (const line of ['a "b"', "a 'b'", 'a;b', 'a|b', 'a>b', 'a *', 'a `b`', 'a $(b)', 'X=1 a', 'a ~']) assert.equal(plainWords(line), null, line)
})

test('version ranges mean what npm means by them', () => {
  const table: [string, string, boolean | null][] = [
    ['24.21.0', '>=22', true],
    ['24.21.0', '^24', true],
    ['24.21.0', '^20 || ^22', false],
    ['24.21.0', '20 || 22 || 24', true],
    ['24.21.0', '24.x', true],
    ['24.21.0', '24.20.x', false],
    ['24.21.0', '*', true],
    ['24.21.0', '', true],
    ['24.21.0', '>=18 <25', true],
    ['24.21.0', '>= 18 < 24', false],
    ['24.21.0', '~24.21.0', true],
    ['24.22.0', '~24.21.0', false],
    ['24.21.0', '18 - 24', true],
    ['25.0.0', '18 - 24', false],
    ['24.21.0', '<=24.21', true],
    ['24.21.0', '>24', false],
    ['24.21.0', '=24.21.0', true],
    ['24.21.0', 'v24.21.0', true],
    ['0.2.5', '^0.2.3', true],
    ['0.3.0', '^0.2.3', false],
    ['0.0.4', '^0.0.3', false],
    ['24.21.0', 'latest', null],
    ['24.21.0', '>=a.b', null],
    ['24.21.0', '1-a/b', null],
    ['24.21.0', '24.21.0-https://x.test/a.tgz', null],
  ]
  for (const [version, range, expected] of table) assert.equal(satisfies(version, range), expected, `${version} in ${range}`)
})
