import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import own from '../../package.json' with { type: 'json' }
import { RpcClient } from '../../src/rpc/client.ts'
import { type CommandResult, runCommand } from '../../src/spawn.ts'
import { eventually, get, type Installation, installation } from './installation.ts'
import { traffic } from './traffic.ts'
import type { EnvironmentView, Hello } from './views.ts'

const ROOT = join(import.meta.dirname, '../..')
let weir: Installation
before(async () => {
  weir = await installation()
})
after(() => weir.remove())

/** Another version of Weir, installed beside the first: the same programs, which say that they are another. `migrations` more change its store. */
function anotherVersion(version: string, migrations: readonly string[] = []): string {
  const folder = weir.folder(`weir-${version}`)
  mkdirSync(folder)
  cpSync(join(ROOT, 'bin'), join(folder, 'bin'), { recursive: true })
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true, filter: (path) => !path.endsWith('.map') && !path.includes('.compile-cache') })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  let renamed = 0
  for (const name of readdirSync(join(folder, 'dist')).filter((it) => it.endsWith('.js'))) {
    const text = readFileSync(join(folder, 'dist', name), 'utf8')
    const said = text.replaceAll(`version: "${own.version}"`, `version: "${version}"`)
    if (said !== text) renamed++
    writeFileSync(join(folder, 'dist', name), said)
  }
  assert.ok(renamed > 0, 'the programs name their version')
  writeFileSync(join(folder, 'dist/build-id'), `build-of-${version}\n`)
  const schema = join(folder, 'dist/store/migrations')
  const newest = readdirSync(schema).length
  for (const [index, sql] of migrations.entries()) writeFileSync(join(schema, `${String(newest + 1 + index).padStart(4, '0')}-more.sql`), sql)
  return join(folder, 'bin/weir')
}

/** Only what says where things are: its settings an upgrade finds by itself. */
const run = (program: string, args: readonly string[], cwd = weir.home): Promise<CommandResult> => {
  const { WEIR_HTTP_LISTEN: _http, WEIR_API_LISTEN: _api, WEIR_APP_PORTS: _ports, ...env } = weir.env
  return runCommand({ argv: [program, ...args], cwd, env, timeoutMs: 90_000 })
}
const succeeds = async (program: string, args: readonly string[], cwd?: string): Promise<string> => {
  const { code, stdout, stderr } = await run(program, args, cwd)
  assert.equal(code, 0, `${args.join(' ')}\n${stdout}\n${stderr}`)
  return `${stdout}\n${stderr}`
}
async function parts(): Promise<{ readonly runner: { pid: number; version: string }; readonly daemons: Map<string, number | null> }> {
  const rpc = new RpcClient(join(weir.env['WEIR_HOME'] ?? '', 'run/runner.sock'))
  try {
    const list = (await rpc.call('daemons', {})) as { name: string; pid: number | null }[]
    return { runner: (await rpc.call('ping', {})) as { pid: number; version: string }, daemons: new Map(list.map((it) => [it.name, it.pid])) }
  } finally {
    rpc.close()
  }
}
const version = async () => (await weir.json<{ server: string }>(['version'])).server
const status = () => weir.json<EnvironmentView>(['status', '-a', 'hello'])

test('a newer build takes over from an older one under traffic: no request is lost, replicas go on, release numbers too; the older one is refused', async () => {
  const hello = weir.example('hello')
  const first = await weir.weir(['up'], { cwd: hello })
  assert.equal(first.code, 0, first.stderr)
  const url = (await status()).urls[0] ?? ''
  const release = async () => (JSON.parse((await get(url)).body) as Hello).release
  assert.equal(await release(), 'v1')
  const before = await parts()
  const replicas = (await status()).replicas
  const newer = anotherVersion('9.9.9', ['create table upgraded (at timestamptz)'])

  const load = traffic(url, 5)
  const said = await succeeds(newer, ['up', '--no-deploy'])
  assert.match(said, new RegExp(`replacing Weir ${own.version.replaceAll('.', '\\.')} by 9\\.9\\.9 \\(build-of-9\\.9\\.9\\); apps go on`))
  assert.equal(await version(), '9.9.9')
  const between = await parts()
  assert.equal(between.runner.version, '9.9.9')
  for (const name of ['server', 'gateway', 'telemetry']) assert.notEqual(between.daemons.get(name), before.daemons.get(name), name)
  assert.equal(between.daemons.get('store-postgres'), before.daemons.get('store-postgres'))
  assert.deepEqual(
    (await status()).replicas.map((it) => it.id),
    replicas.map((it) => it.id),
  )

  appendFileSync(join(hello, 'server.js'), '// another\n')
  await succeeds(newer, ['deploy'], hello)
  await eventually('the second release answers', async () => (await release()) === 'v2')

  const older = await run(join(ROOT, 'bin/weir'), ['up', '--no-deploy'])
  assert.equal(older.code, 78, older.stderr)
  assert.match(older.stderr, /a newer Weir runs already: 9\.9\.9, and this is/)
  assert.equal(await version(), '9.9.9')

  assert.match(await succeeds(newer, ['up', '--no-deploy']), /Weir runs already/)
  assert.equal((await parts()).runner.pid, between.runner.pid)
  const { failures, requests } = await load.stop()
  assert.deepEqual(failures, [])
  assert.ok(requests > 50)
})

test('what the systemd unit of another build runs takes over in the same way, though nobody stopped the server before', async () => {
  const program = anotherVersion('9.9.10', ['create table upgraded (at timestamptz)'])
  const unit = (await runCommand({ argv: [program, 'install', '--print'], cwd: weir.home, env: weir.env, timeoutMs: 20_000 })).stdout.split('\n')
  const values = (key: string) => unit.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1).replace(/^"|"$/g, ''))
  const env = Object.fromEntries(values('Environment').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]))
  const [start = [], post = []] = ['ExecStart', 'ExecStartPost'].map((key) => values(key)[0]?.replace(/^-/, '').split(' ') ?? [])

  const load = traffic((await status()).urls[0] ?? '', 5)
  process.kill((await parts()).runner.pid, 'SIGTERM')
  spawn(start[0] ?? '', start.slice(1), { env, cwd: '/', stdio: 'ignore' })
  await eventually('the new runner answers', async () => (await parts()).runner.version === '9.9.10')
  const { code, stderr } = await runCommand({ argv: [post[0] ?? '', ...post.slice(1)], cwd: '/', env, timeoutMs: 90_000 })
  assert.equal(code, 0, stderr)
  assert.equal(await version(), '9.9.10')
  assert.equal((await status()).release, 2)
  assert.deepEqual((await load.stop()).failures, [])
})
