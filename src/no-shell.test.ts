import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { codeOnly, findLines, sourceFiles } from './testing/source-text.ts'

type Patterns = readonly (readonly [RegExp, string])[]
/** What would make text into a command or into code. Programs are started by argv, see spawn.ts. */
const TEXT_AS_CODE: Patterns = [
  [/\bshell\s*:\s*(true\b|['"`])/, 'starts a shell: use runCommand'],
  [/\b(import|require)\b.*\bexec(Sync)?\b.*['"](node:)?child_process['"]/, 'imports what starts a shell: use runCommand'],
  [/\bimport\s+(?!type\b)[*\w].*['"](node:)?child_process['"]/, 'imports what starts a shell: name spawn alone'],
  [/(?<![.\w])eval\s*\(/, 'runs text as code'],
  [/\bnew\s+Function\s*\(/, 'runs text as code'],
  [/['"](node:)?vm['"]/, 'runs text as code'],
]
const SHELL_ARGV: Patterns = [[/['"](\/bin\/|\/usr\/bin\/)?(ba|da|z)?sh['"]\s*,\s*(\[\s*)?['"]-\w*c\b/, 'hands text to a shell']]
/** They write down what an app's own sandbox runs (compose's CMD-SHELL, Procfile lines), and start nothing themselves. */
const WRITES_SANDBOX_COMMANDS = /^src\/(core\/manifest\/|build\/start-command\.ts$)/

test('no text becomes a command or code', () => {
  const files = [...sourceFiles('src'), ...sourceFiles('packages'), ...sourceFiles('scripts')]
  assert.ok(files.length > 20, 'the sources were found')
  assert.deepEqual(
    files.flatMap((file) => textAsCode(file, readFileSync(file, 'utf8'))),
    [],
  )
})

test('a shell is found in each of its forms, and what only looks like one is not', () => {
  const shells = ["spawn('x', { shell: true })", "import { exec } from 'node:child_process'", "import * as c from 'child_process'", "spawn('sh', ['-c', text])"]
  const others = ["['/bin/bash', '-lc', x]", 'eval(text)', 'new Function(text)', "import vm from 'node:vm'"]
  for (const line of [...shells, ...others]) assert.notDeepEqual(textAsCode('x.ts', line), [], line)
  const fine = ['/a/.exec(text)', 'spawn(p, [], { shell: false })', '// eval(text)', "const verb = 'exec'", "import { spawn } from 'node:child_process'"]
  for (const line of fine) assert.deepEqual(textAsCode('x.ts', line), [], line)
})

function textAsCode(file: string, source: string): string[] {
  return findLines(file, codeOnly(source, { strings: 'keep' }), WRITES_SANDBOX_COMMANDS.test(file) ? TEXT_AS_CODE : [...TEXT_AS_CODE, ...SHELL_ARGV])
}
