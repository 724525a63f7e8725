import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { statePaths } from '../../config.ts'
import { runCommand } from '../../spawn.ts'
import { weir } from '../testing.ts'
import { ofAnotherBuild, refuseOlder, settingsOf } from './hand-over.ts'
import { belongsTo, portHolder } from './port-holder.ts'
import { refuseTakenPorts } from './ports.ts'
import { stateFolderProblem } from './state-folder.ts'
import { runnerUnit } from './unit.ts'

let folder = ''
before(() => {
  folder = mkdtempSync('/tmp/weir-cli-machine-')
  chmodSync(folder, 0o711)
})
after(() => rmSync(folder, { recursive: true }))

const options = {
  node: process.execPath,
  runner: '/opt/weir/dist/runner.js',
  weir: '/opt/weir/dist/weir.js',
  flags: ['--max-semi-space-size=1'],
  home: '/var/lib/weir',
  environment: { PATH: '/usr/bin:/bin' },
}

test('the unit keeps the runner alone, so that a new one takes over what runs', () => {
  const unit = runnerUnit(options)
  for (const line of [
    'KillMode=process',
    'Restart=always',
    'Delegate=yes',
    'RequiresMountsFor=/var/lib/weir',
    `ExecStart=${process.execPath} --max-semi-space-size=1 /opt/weir/dist/runner.js`,
  ])
    assert.ok(unit.split('\n').includes(line), line)
  assert.doesNotMatch(unit, /^User=/m)
})

test('what systemd would expand in a path or value is written so that it does not', () => {
  const unit = runnerUnit({ ...options, home: '/srv/my weir', environment: { WEIR_X: '50% of $HOME "x"' } })
  assert.ok(unit.includes('RequiresMountsFor="/srv/my weir"'))
  assert.ok(unit.includes('Environment="WEIR_X=50%% of $$HOME \\"x\\""'))
})

test('systemd accepts the unit', async (context) => {
  const file = join(folder, 'weir-runner.service')
  // systemd looks whether the programs exist
  writeFileSync(file, runnerUnit({ ...options, runner: '/bin/true', weir: '/bin/true' }))
  try {
    const { code, stderr } = await runCommand({ argv: ['systemd-analyze', 'verify', '--man=no', file], env: {}, timeoutMs: 20_000 })
    assert.equal(code, 0, stderr)
    assert.doesNotMatch(stderr, /weir-runner/)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    context.skip('systemd-analyze is not installed')
  }
})

test('install --root writes the unit below a folder, --print only shows it, uninstall takes it away', async () => {
  const root = join(folder, 'root')
  const env = { WEIR_HOME: join(folder, 'state') }
  const shown = await weir(null, ['install', '--print'], { env })
  assert.match(shown.out, /^\[Unit\]\n/)
  assert.equal((await weir(null, ['install', '--root', root], { env })).exit, 0)
  const file = join(root, 'etc/systemd/system/weir-runner.service')
  assert.equal(readFileSync(file, 'utf8'), shown.out)
  assert.ok(shown.out.includes(`Environment=WEIR_HOME=${join(folder, 'state')}`))
  assert.equal((await weir(null, ['uninstall', '--root', root], { env })).exit, 0)
  assert.equal((await weir(null, ['uninstall', '--root', root], { env })).exit, 5)
})

test('who holds a port is said by name', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  try {
    const holder = portHolder(port)
    assert.equal(holder?.pid, process.pid)
    assert.equal(holder && belongsTo(holder, '/var/lib/other'), false)
    const env = { WEIR_API_LISTEN: `127.0.0.1:${port}`, WEIR_HTTP_LISTEN: '127.0.0.1:0' }
    assert.throws(
      () => refuseTakenPorts(statePaths({ WEIR_HOME: folder }), env),
      (error: { code: string; explanation: { message: string; cause: string } }) => {
        assert.equal(error.code, 'E_PORT_IN_USE')
        assert.equal(error.explanation.message, `port ${port} is in use`)
        assert.match(error.explanation.cause, new RegExp(`\\(process ${process.pid}\\) listens there; the API needs it`))
        return true
      },
    )
  } finally {
    server.close()
  }
  assert.equal(portHolder(port), null)
})

test('a state folder is refused with the reason: too long for sockets, a file in the way, hidden from accounts', () => {
  assert.equal(stateFolderProblem(statePaths({ WEIR_HOME: join(folder, 'fine') })), null)
  assert.match(stateFolderProblem(statePaths({ WEIR_HOME: join(folder, 'x'.repeat(90)) })) ?? '', /too long for sockets/)
  writeFileSync(join(folder, 'file'), '')
  assert.match(stateFolderProblem(statePaths({ WEIR_HOME: join(folder, 'file/state') })) ?? '', /cannot be written: ENOTDIR|EEXIST/)
  mkdirSync(join(folder, 'private'), { mode: 0o700 })
  const hidden = stateFolderProblem(statePaths({ WEIR_HOME: join(folder, 'private/state') }))
  if (process.getuid?.() === 0) assert.match(hidden ?? '', new RegExp(`cannot pass through ${join(folder, 'private')}`))
  else assert.equal(hidden, null)
})

test('doctor has a line a check, and says what to do about what fails', async () => {
  const { exit, out } = await weir(null, ['doctor'], { env: { WEIR_HOME: join(folder, 'x'.repeat(90)) } })
  assert.equal(exit, 1)
  assert.match(out, /^✓ node {11}\d+\./)
  assert.match(out, /\n✗ state {10}.* is too long a path for sockets\n {17}→ set WEIR_HOME to a shorter one\n/)
  assert.match(out, /\n! runner {9}does not run\n {17}→ weir up\n/)
})

const own = { version: '1.3.0', build: 'b', schema: 4 }

test('a runner or a server of another build is replaced, one that does not say which too', () => {
  const server = { env: { WEIR_BUILD: 'b' } }
  assert.deepEqual(ofAnotherBuild({ runner: own, server }, own), { runner: false, server: false })
  assert.deepEqual(ofAnotherBuild({ runner: own, server: null }, own), { runner: false, server: false })
  assert.deepEqual(ofAnotherBuild({ runner: { ...own, build: 'a' }, server: { env: { WEIR_BUILD: 'a' } } }, own), { runner: true, server: true })
  assert.deepEqual(ofAnotherBuild({ runner: own, server: { env: {} } }, own), { runner: false, server: true })
  assert.deepEqual(ofAnotherBuild({ runner: null, server: null }, own), { runner: true, server: false })
})

test('an older build does not begin to replace a newer one that has changed the store', () => {
  refuseOlder({ runner: { version: '1.2.0', build: 'a', schema: 4 }, server: null }, own)
  refuseOlder({ runner: null, server: null }, own)
  assert.throws(
    () => refuseOlder({ runner: { version: '2.0.0', build: 'c', schema: 5 }, server: null }, own),
    (error: { code: string; explanation: { cause: string } }) => {
      assert.deepEqual([error.code, error.explanation.cause], ['E_STATE', 'its store has schema 5; this version knows 1 to 4'])
      return true
    },
  )
})

test('a new build keeps the settings of the one that it replaces, but for those given anew', () => {
  const server = { env: { WEIR_HTTP_LISTEN: '127.0.0.1:8080', WEIR_API_LISTEN: '127.0.0.1:7000', WEIR_BUILD: 'a' } }
  assert.deepEqual(settingsOf({ runner: null, server }, { WEIR_API_LISTEN: '127.0.0.1:7001', HOME: '/root' }), {
    WEIR_HTTP_LISTEN: '127.0.0.1:8080',
    WEIR_API_LISTEN: '127.0.0.1:7001',
    HOME: '/root',
  })
})

test('down where nothing runs changes nothing and says so', async () => {
  const { exit, out } = await weir(null, ['down'], { env: { WEIR_HOME: join(folder, 'none') } })
  assert.deepEqual([exit, out], [0, `nothing ran in ${join(folder, 'none')}\n`])
})
