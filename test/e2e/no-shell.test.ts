import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { after, test } from 'node:test'
import { runCommand } from '../../src/spawn.ts'
import { eventually, installation, WEIR } from './installation.ts'
import { repository } from './repository.ts'

const TRACE = `/tmp/weir-strace-${process.pid}`
after(() => rmSync(TRACE, { force: true }))

interface Execution {
  readonly pid: number
  readonly argv: readonly string[]
}

/**
 * A shell with a command as text is where injections happen. Weir starts none; those that are seen belong to
 *
 * | who                              | why                                                             |
 * |----------------------------------|-----------------------------------------------------------------|
 * | initdb, as PostgreSQL's account  | popen() of its own programs and of `locale -a`                  |
 * | git fetch from a file            | runs its other half by `git-upload-pack '…'`                    |
 * | builds and apps, in their sandbox| package scripts are theirs                                      |
 */
test('no process of Weir starts a shell from a string, over a whole life of an app', { timeout: 480_000 }, async () => {
  const weir = await installation()
  const repo = await repository(weir.example('hello', 'repository'))
  await repo.commit('first')
  const traced = runCommand({
    argv: [
      'strace',
      '-f',
      '--seccomp-bpf',
      '-qq',
      '-s',
      '400',
      '-e',
      'trace=execve,execveat,clone,clone3,fork,vfork',
      '-e',
      'signal=none',
      '-o',
      TRACE,
      WEIR,
      'up',
    ],
    cwd: weir.example('playlist'),
    env: weir.env,
    timeoutMs: 420_000,
  })
  await eventually('playlist serves', async () => (await weir.weir(['status', '-a', 'playlist'])).stdout.includes('serves'), 180_000)
  for (const args of [
    ['deploy', repo.url, '-a', 'hello'],
    ['run', 'hello', '-a', 'hello', '--', 'node', '-e', '0'],
    ['exec', 'hello', '-a', 'hello', '--', 'node', '-e', '0'],
    ['restart', '-a', 'hello'],
    ['scale', 'hello=2', '-a', 'hello'],
    ['status', '-a', 'hello'],
    ['logs', '-a', 'hello'],
  ]) {
    const { code, stderr } = await weir.weir(args)
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
  }
  assert.equal((await weir.weir(['down'])).code, 0)
  await traced // with the last process that it follows
  await weir.remove()

  const { executions, sandboxOf } = readTrace(readFileSync(TRACE, 'utf8'))
  assert.ok(
    executions.some(({ argv }) => argv[0]?.endsWith('/initdb')),
    'initdb was seen, so the whole tree is',
  )
  assert.ok(
    executions.some(({ argv }) => argv.includes('upload-pack') || argv[0] === 'git-upload-pack' || argv.some((it) => it.includes('git-upload-pack'))),
    'git was seen',
  )
  const uidBase = Number(weir.env['WEIR_UID_BASE'])
  const shells = executions.filter(({ argv }) => /(^|\/)(sh|bash|dash|zsh)$/.test(argv[0] ?? '') && argv.includes('-c'))
  const foreign = shells.filter(({ pid, argv }) => {
    const uid = sandboxOf(pid)
    const text = argv[argv.indexOf('-c') + 1] ?? ''
    const inSandbox = uid !== null && (uid >= uidBase + 1000 || uid === uidBase + 3)
    const initdb = /postgres-18\/bin\/(postgres|initdb)/.test(text) || text === 'locale -a'
    const git = /^git-upload-pack '/.test(text)
    return !inSandbox && !initdb && !git
  })
  assert.deepEqual(
    foreign.map(({ argv }) => argv.join(' ')),
    [],
  )
})

/** Executions in order, and for a process the account of the innermost `setpriv` above it. */
function readTrace(text: string): { executions: Execution[]; sandboxOf: (pid: number) => number | null } {
  const executions: Execution[] = []
  const parents = new Map<number, number>()
  const accounts = new Map<number, number>()
  for (const line of text.split('\n')) {
    const pid = Number(/^(\d+)\s/.exec(line)?.[1])
    const child = /(?:clone|clone3|v?fork)(?:\(.*| resumed.*)= (\d+)\s*$/.exec(line)
    if (child) parents.set(Number(child[1]), pid)
    const call = /execve\("((?:[^"\\]|\\.)*)", \[(.*?)\]/.exec(line)
    if (!call || / = -1 /.test(line)) continue
    const argv = [...(call[2] ?? '').matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((it) => it[1] ?? '')
    executions.push({ pid, argv })
    const reuid = argv.find((it) => it.startsWith('--reuid'))
    if (/setpriv$/.test(argv[0] ?? '') && reuid) accounts.set(pid, Number(reuid.includes('=') ? reuid.split('=')[1] : argv[argv.indexOf(reuid) + 1]))
  }
  const sandboxOf = (pid: number): number | null => {
    for (let at: number | undefined = pid, steps = 0; at !== undefined && steps < 1000; at = parents.get(at), steps++) {
      const account = accounts.get(at)
      if (account !== undefined) return account
    }
    return null
  }
  return { executions, sandboxOf }
}
