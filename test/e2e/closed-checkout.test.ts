import assert from 'node:assert/strict'
import { chmodSync, cpSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCommand } from '../../src/spawn.ts'
import { installation } from './installation.ts'

const ROOT = join(import.meta.dirname, '../..')
const isRoot = process.getuid?.() === 0

test("a checkout below root's home runs: the server's account gets a copy of what it is started from", { skip: isRoot ? false : 'needs root' }, async () => {
  const own = await installation()
  try {
    const checkout = own.folder('closed')
    mkdirSync(checkout)
    for (const name of ['bin', 'dist', 'package.json']) cpSync(join(ROOT, name), join(checkout, name), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules'), join(checkout, 'node_modules'))
    chmodSync(checkout, 0o700)

    const up = await runCommand({ argv: [join(checkout, 'bin/weir'), 'up', '--no-deploy'], cwd: own.home, env: own.env, timeoutMs: 60_000 })
    assert.equal(up.code, 0, up.stderr)
    const [copy = '', ...others] = readdirSync(own.folder('state/runtimes')).filter((name) => name.startsWith('weir-'))
    assert.deepEqual(others, [])
    assert.equal(statSync(own.folder(`state/runtimes/${copy}/bin/node`)).mode & 0o777, 0o755)

    await own.json(['deploy', own.example('hello')])
  } finally {
    await own.remove()
  }
})
