import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { runCommand } from '../spawn.ts'

const SSHD = '/usr/sbin/sshd'
/** Of nobody's user database, as the server's own is. */
const ACCOUNT = 1_899_000_001
const skip =
  process.getuid?.() !== 0
    ? 'needs root'
    : !existsSync(SSHD)
      ? 'needs openssh-server'
      : hasUserNamespaces()
        ? false
        : 'this machine lets nobody make a user namespace (as in a chroot)'

let home = ''
let commit = ''
let port = 0
let sshd: ChildProcess | null = null

before(async () => {
  if (skip) return
  home = mkdtempSync('/tmp/weir-ssh-')
  chmodSync(home, 0o711)
  mkdirSync('/run/sshd', { recursive: true }) // where sshd locks itself in; it belongs to its package
  for (const name of ['host', 'deploy', 'other']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(home, name)])
  execFileSync('cp', [join(home, 'deploy.pub'), join(home, 'authorized')])
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', join(home, 'app'), '-c', 'user.name=A', '-c', 'user.email=a@b', ...args], { encoding: 'utf8' }).trim()
  execFileSync('git', ['init', '--quiet', '--initial-branch=main', join(home, 'app')])
  writeFileSync(join(home, 'app/a'), '1')
  git('add', '-A')
  git('commit', '--quiet', '-m', 'One')
  commit = git('rev-parse', 'HEAD')
  port = await freePort()
  const options = [
    `ListenAddress=127.0.0.1:${port}`,
    `HostKey=${join(home, 'host')}`,
    `AuthorizedKeysFile=${join(home, 'authorized')}`,
    'PermitRootLogin=prohibit-password',
    'StrictModes=no',
    'UsePAM=no',
    'PidFile=none',
  ]
  sshd = spawn(SSHD, ['-D', '-e', '-f', '/dev/null', ...options.map((it) => `-o${it}`)], { stdio: 'ignore' })
  while (!(await answers(port))) await sleep(20)
})
after(() => {
  sshd?.kill('SIGKILL')
  if (home !== '') rmSync(home, { recursive: true, force: true })
})

test('a repository is read over ssh by an account without a name, as the server has one', { skip }, async () => {
  assert.deepEqual(await fetchAs(ACCOUNT, 'deploy', hostLine('host')), { commit })
})

test('a key that the host does not know is named as the cause, also for such an account', { skip }, async () => {
  assert.equal((await fetchAs(ACCOUNT, 'other', hostLine('host'))).code, 'E_SOURCE_AUTH')
})

test('another host key than the stored one is named as the cause', { skip }, async () => {
  assert.equal((await fetchAs(ACCOUNT, 'deploy', hostLine('other'))).code, 'E_SOURCE_HOST_KEY')
})

function hostLine(name: string): string {
  return `[127.0.0.1]:${port} ${readFileSync(join(home, `${name}.pub`), 'utf8')}`
}

/** The modules are loaded as root, because a checkout may be closed to others; then the process is `account` for good. */
const PROGRAM = `
  import { Sources } from '${import.meta.resolve('./sources.ts')}'
  const { account, state, credential, url } = JSON.parse(process.argv[1])
  process.chdir('/')
  process.setgroups([]); process.setgid(account); process.setuid(account)
  const sources = await Sources.open({ paths: { mirrors: state, uploads: state + '/uploads' }, credentials: async () => credential, reach: () => 'machine' })
  const fetched = sources.fetch('acme', { kind: 'git', url, ref: null, commit: null, path: '' })
  console.log(JSON.stringify(await fetched.then(({ commit }) => ({ commit }), (error) => ({ code: error.code, cause: error.explanation?.cause }))))
`

function hasUserNamespaces(): boolean {
  const { status } = spawnSync('setpriv', [`--reuid=${ACCOUNT}`, `--regid=${ACCOUNT}`, '--clear-groups', 'unshare', '--user', 'true'])
  return status === 0
}

async function fetchAs(account: number, key: string, knownHosts: string): Promise<{ commit?: string; code?: string; cause?: string }> {
  const state = mkdtempSync(join(home, 'state-'))
  chownSync(state, account, account)
  const credential = { kind: 'ssh', privateKey: readFileSync(join(home, key), 'utf8'), knownHosts }
  const what = JSON.stringify({ account, state, credential, url: `ssh://root@127.0.0.1:${port}${home}/app` })
  const { code, stdout, stderr } = await runCommand({
    argv: [process.execPath, '--input-type=module', '--eval', PROGRAM, what],
    env: {},
    timeoutMs: 30_000,
  })
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as { commit?: string; code?: string; cause?: string }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port: free } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return free
}

function answers(at: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(at, '127.0.0.1', () => resolve(true))
    socket.on('connect', () => socket.destroy())
    socket.on('error', () => resolve(false))
  })
}
