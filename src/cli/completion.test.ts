import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCommand } from '../spawn.ts'
import { anEnvironment, aRelease, aService } from './fixtures.ts'
import { fakeServer, weir } from './testing.ts'

const WEIR = join(import.meta.dirname, '../main.ts')

async function offered(typed: string, names: Awaited<ReturnType<typeof fakeServer>> | null = null, cache = '/nonexistent'): Promise<string[]> {
  const { out } = await weir(names, ['__complete', ...typed.split(' ')], { env: { XDG_CACHE_HOME: cache, WEIR_APP: 'shop' } })
  return out
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('\t')[0] ?? '')
}

test('verbs, their children, options and fixed values are offered', async () => {
  assert.deepEqual(await offered('rel'), ['releases'])
  assert.deepEqual(await offered('canary '), ['status', 'why', 'weight', 'promote', 'abort', 'pause', 'resume'])
  assert.deepEqual(await offered('canary --verb'), ['--verbose'])
  assert.deepEqual(await offered('deploy --co'), ['--commit'])
  assert.deepEqual(await offered('list -o '), ['table', 'wide', 'json', 'yaml'])
  assert.deepEqual(await offered('completion z'), ['zsh'])
  assert.deepEqual(await offered('deploy ./x'), [':files'])
  assert.deepEqual(await offered('run web -- '), [':files'])
  assert.deepEqual(await offered('create_'), [])
})

test('apps, services and releases come from the server, once for a while', async () => {
  const cache = mkdtempSync('/tmp/weir-cli-cache-')
  const server = await fakeServer({
    'apps.list': () => ({ items: [{ name: 'shop' }, { name: 'blog' }], cursor: null }),
    'environments.show': () => anEnvironment({ services: [aService('web'), aService('api')] }),
    'releases.list': () => ({ items: [aRelease(12), aRelease(11)], cursor: null }),
  })
  try {
    assert.deepEqual(await offered('status ', server, cache), ['shop', 'blog'])
    assert.deepEqual(await offered('status s', server, cache), ['shop'])
    assert.equal(server.calls.length, 1)
    assert.deepEqual(await offered('logs -a shop -s ', server, cache), ['web', 'api'])
    assert.deepEqual(await offered('scale w', server, cache), ['web='])
    assert.deepEqual(await offered('rollback -a shop v12', server, cache), ['v12'])
    assert.deepEqual(await offered('releases diff v11 ', server, cache), ['v12', 'v11'])
  } finally {
    await server.close()
    rmSync(cache, { recursive: true })
  }
})

test('a server that takes too long, or is not there, is not waited for', async () => {
  const slow = await fakeServer({ 'apps.list': () => new Promise((resolve) => setTimeout(resolve, 2000, { items: [], cursor: null }).unref()) })
  const begun = performance.now()
  try {
    assert.deepEqual(await offered('status ', slow), [])
    assert.deepEqual(await offered('status '), [])
    assert.ok(performance.now() - begun < 1000)
  } finally {
    await slow.close()
  }
})

for (const shell of ['bash', 'zsh', 'fish']) {
  test(`the script for ${shell} is one that ${shell} can read`, async (context) => {
    const { exit, out } = await weir(null, ['completion', shell])
    assert.equal(exit, 0)
    try {
      const { code, stderr } = await runCommand({ argv: [shell, '-n'], env: {}, timeoutMs: 5000, stdin: out })
      assert.deepEqual([code, stderr], [0, ''])
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      context.skip(`${shell} is not installed`)
    }
  })
}

test('in bash, Tab completes what weir says, by its name on PATH', async () => {
  const bin = mkdtempSync('/tmp/weir-cli-bin-')
  mkdirSync(join(bin, 'sub'))
  writeFileSync(join(bin, 'weir'), `#!/bin/sh\nexec ${process.execPath} ${WEIR} "$@"\n`)
  chmodSync(join(bin, 'weir'), 0o755)
  const script = `${(await weir(null, ['completion', 'bash'])).out}
COMP_WORDS=(weir canary we); COMP_CWORD=2; _weir; echo "\${COMPREPLY[*]}"
COMP_WORDS=(weir ""); COMP_CWORD=1; _weir; echo "\${#COMPREPLY[@]}"
`
  try {
    const { stdout, stderr } = await runCommand({
      argv: ['bash', '--norc'],
      env: { PATH: `${bin}:${process.env['PATH']}`, HOME: bin },
      timeoutMs: 15_000,
      stdin: script,
    })
    const [weight, verbs] = stdout.trim().split('\n')
    assert.equal(weight, 'weight', stderr)
    assert.ok(Number(verbs) > 30)
  } finally {
    rmSync(bin, { recursive: true })
  }
})
