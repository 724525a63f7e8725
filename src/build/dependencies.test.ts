import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startRegistry } from './testing/registry.ts'
import { folder, removeTemporary, workshop } from './testing/workshop.ts'

after(removeTemporary)
const OWN_NODE = `node-${process.versions.node}`
const HELLO = {
  'package.json': '{"name":"hello","version":"1.0.0","scripts":{"start":"node server.js"}}',
  'package-lock.json': '{"name":"hello","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"hello","version":"1.0.0"}}}',
  'server.js': 'console.log(1)\n',
}

test('dependencies are installed once; a change of code alone is packed in well under a second, with nothing run', async (t) => {
  const registry = await startRegistry({ leftish: { 'index.js': 'module.exports = 1\n' }, devish: { 'index.js': '' } })
  t.after(registry.close)
  const { slug, request, confined } = await workshop({ environment: { npm_config_registry: registry.url } })
  const app = (code: string) => ({
    'package.json': JSON.stringify({
      name: 'app',
      version: '1.0.0',
      main: 'index.js',
      dependencies: { leftish: '1.0.0' },
      devDependencies: { devish: '1.0.0' },
    }),
    'package-lock.json': JSON.stringify({
      name: 'app',
      version: '1.0.0',
      lockfileVersion: 3,
      packages: {
        '': { name: 'app', version: '1.0.0', dependencies: { leftish: '1.0.0' }, devDependencies: { devish: '1.0.0' } },
        'node_modules/leftish': registry.locked('leftish'),
        'node_modules/devish': { ...registry.locked('devish'), dev: true },
      },
    }),
    'index.js': code,
    'zz.js': '',
  })
  const first = await slug(await request(app('1')))
  assert.deepEqual(first.files, [
    'index.js',
    'node_modules/leftish/index.js',
    'node_modules/leftish/package.json',
    'package-lock.json',
    'package.json',
    'zz.js',
  ])
  assert.deepEqual(first.artifact.command, ['node', 'index.js'])
  assert.equal(confined.started.length, 1)
  assert.deepEqual(confined.started[0]?.argv.slice(0, 3), ['npm', 'ci', '--omit=dev'])
  const visits = registry.visits.length
  const next = await request(app('2'))
  const started = performance.now()
  const second = await slug(next)
  assert.ok(performance.now() - started < 1000, `took ${performance.now() - started} ms`)
  assert.notEqual(second.artifact.digest, first.artifact.digest)
  assert.equal(await readFile(join(second.into, 'index.js'), 'utf8'), '2')
  assert.deepEqual(second.files, first.files)
  assert.equal(confined.started.length, 1)
  assert.equal(registry.visits.length, visits)
})

test('a build script runs with development dependencies, and the slug has none of them', async (t) => {
  const registry = await startRegistry({ leftish: { 'index.js': 'module.exports = 1\n' }, devish: { 'index.js': 'module.exports = "made"' } })
  t.after(registry.close)
  const { slug, request, confined } = await workshop({ environment: { npm_config_registry: registry.url } })
  const pack = {
    name: 'app',
    version: '1.0.0',
    scripts: { build: 'node build.js', start: 'node out.js' },
    dependencies: { leftish: '1.0.0' },
    devDependencies: { devish: '1.0.0' },
  }
  const files = { 'package.json': JSON.stringify(pack), 'build.js': 'require("fs").writeFileSync("out.js", require("devish") + process.env.NODE_ENV)' }
  const { into, files: inside } = await slug(await request(files))
  assert.equal(await readFile(join(into, 'out.js'), 'utf8'), 'madeproduction')
  assert.ok(inside.includes('node_modules/leftish/index.js'))
  assert.ok(!inside.some((path) => path.startsWith('node_modules/devish')))
  assert.deepEqual(
    confined.started.map(({ argv }) => argv.slice(0, 3).join(' ')),
    ['npm install --no-audit', 'npm run build', 'npm prune --omit=dev'],
  )
  await slug(await request({ ...files, 'more.js': '' }))
  assert.deepEqual(
    confined.started.slice(3).map(({ argv }) => argv.slice(0, 3).join(' ')),
    ['npm run build', 'npm prune --omit=dev'],
  )
})

test('a Python app gets its requirements beside it, once, and finds them by the runtime alone', async () => {
  const wheels = await folder()
  execFileSync('/usr/bin/python3', ['-c', WHEEL, wheels])
  const { slug, request, confined, paths } = await workshop({ environment: { PIP_FIND_LINKS: wheels, PIP_NO_INDEX: '1' } })
  const app = (code: string) => ({ 'requirements.txt': 'tiny==1.0  # pinned\n', 'app.py': code })
  const { artifact, into, files } = await slug(await request(app('import tiny; print(tiny.word)')))
  assert.deepEqual(artifact.command, ['python3', '-u', 'app.py'])
  assert.ok(files.includes('.python/tiny.py') && !files.some((path) => path.endsWith('.pyc')))
  const bin = join(paths.runtimes, artifact.runtime ?? '', 'bin')
  assert.equal(execFileSync(join(bin, 'python3'), ['app.py'], { cwd: into, env: {} }).toString(), 'hello\n')
  await slug(await request(app('import tiny; print(tiny.word, 2)')))
  assert.equal(confined.started.length, 1)
})

test('verify finds nothing in a reproducible build, and names what differs in one that is not', async (t) => {
  const registry = await startRegistry({ leftish: { 'index.js': 'module.exports = 1\n' } })
  t.after(registry.close)
  const { builder, request } = await workshop({ environment: { npm_config_registry: registry.url } })
  assert.deepEqual(await builder.verify(await request({ 'package.json': '{"dependencies":{"leftish":"1.0.0"}}', 'index.js': '1' }), 1), [])
  assert.deepEqual(await builder.verify(await request({ 'index.html': 'hi' }), 1), [])
  const clock = await request(
    { 'b.mjs': 'import fs from "fs"; fs.writeFileSync("now", String(process.hrtime.bigint())); fs.writeFileSync("n" + process.pid, "")', 'package.json': '{}' },
    { command: ['node', 'b.mjs'] },
  )
  const differences = await builder.verify(clock, 1)
  assert.ok(differences.includes('now: content differs'))
  assert.equal(differences.filter((line) => /^n\d+: only in the (first|second) build$/.test(line)).length, 2)
})

test('an app that asks for another Node gets one that is there, else one from the registry', async (t) => {
  const { slug, request, paths } = await workshop()
  await slug(await request(HELLO))
  await rm(join(paths.runtimes, 'node-20.1.0'), { recursive: true, force: true })
  execFileSync('cp', ['-a', join(paths.runtimes, OWN_NODE), join(paths.runtimes, 'node-20.1.0')])
  const { artifact } = await slug(await request({ ...HELLO, 'package.json': '{"engines":{"node":"20.x"}}' }))
  assert.equal(artifact.runtime, 'node-20.1.0')
  const registry = await startRegistry({ [`node-linux-${process.arch}`]: { 'bin/node': '#!/bin/sh\necho v1.0.0\n' } })
  t.after(registry.close)
  const other = await workshop({ environment: { npm_config_registry: registry.url } })
  const fetched = await other.slug(await other.request({ ...HELLO, 'package.json': '{"engines":{"node":"1.x"}}' }))
  assert.equal(fetched.artifact.runtime, 'node-1.0.0')
  assert.equal(execFileSync(join(other.paths.runtimes, 'node-1.0.0/bin/node')).toString(), 'v1.0.0\n')
  assert.deepEqual((await readdir(other.paths.runtimes)).sort(), ['node-1.0.0', OWN_NODE].sort())
  const none = await other.built(await other.request({ ...HELLO, 'package.json': '{"engines":{"node":"2.x"}}' }))
  assert.ok(none.phase === 'failed' && none.cause.includes('engines.node "2.x"'), JSON.stringify(none))
})

/** Writes tiny-1.0-py3-none-any.whl. */
const WHEEL = `
import sys, zipfile
name = sys.argv[1] + '/tiny-1.0-py3-none-any.whl'
files = {'tiny.py': 'word = "hello"\\n', 'tiny-1.0.dist-info/METADATA': 'Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n', 'tiny-1.0.dist-info/WHEEL': 'Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'}
with zipfile.ZipFile(name, 'w') as z:
    for path, text in files.items(): z.writestr(path, text)
    z.writestr('tiny-1.0.dist-info/RECORD', ''.join(p + ',,\\n' for p in files) + 'tiny-1.0.dist-info/RECORD,,\\n')
`
