import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCommand } from './spawn.ts'

const MAIN = join(import.meta.dirname, 'main.ts')
const env = { HOME: '/nonexistent', WEIR_HOME: '/nonexistent/weir' }

test('exit code and output are those of the verb', async () => {
  const help = await runCommand({ argv: [process.execPath, MAIN, '--help'], env, timeoutMs: 10_000 })
  assert.deepEqual([help.code, help.stderr], [0, ''])
  assert.match(help.stdout, /^Usage: weir /)
  const typo = await runCommand({ argv: [process.execPath, MAIN, 'lst'], env, timeoutMs: 10_000 })
  assert.deepEqual([typo.code, typo.stdout], [64, ''])
  assert.doesNotMatch(typo.stderr, /\u001b|at .*\.ts/)
})

test('without UTF-8 the error has no other characters than ASCII', async () => {
  const { stderr } = await runCommand({ argv: [process.execPath, MAIN, 'lst'], env: { ...env, LC_ALL: 'C' }, timeoutMs: 10_000 })
  assert.match(stderr, /^x unknown command/)
})

test('a reader that goes away ends the program without a word', async () => {
  const child = spawn(process.execPath, [MAIN, '--help'], { env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const code = await new Promise((resolve) => child.on('close', resolve))
  assert.deepEqual([code, said], [0, ''])
})
