/**
 * Everything that a change must pass: build, static checks, tests beside the source, then the tests of the whole.
 * The last line is `N passed, N failed`; a check counts as one test.
 *
 *   npm test                        everything
 *   npm test -- manifest gateway    only test files whose path contains one of the words, and no checks
 */
import { spawn } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BUILD, CHECKS, type Check } from './checks.ts'
import type { EndedTest } from './test-events.ts'

const ROOT = join(import.meta.dirname, '..')
const MINUTE_MS = 60_000
/** Tests start processes and measure them, so no more at a time than cores that the smallest machine has. */
const CONCURRENCY = 2

interface Outcome {
  readonly title: string
  readonly passed: number
  readonly skipped: number
  readonly failures: readonly { readonly name: string; readonly detail: string }[]
  /** What it printed, shown when something failed. */
  readonly output: string
}

const words = process.argv.slice(2)
const outcomes: Outcome[] = []
const started = performance.now()
/** Process groups that run now: they are ended with this one. */
const running = new Set<number>()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    for (const group of running) process.kill(-group, 'SIGKILL')
    process.exit(130)
  })
}

if (words.length === 0) {
  await all([BUILD], 1, runCheck)
  await all(CHECKS, CONCURRENCY, runCheck)
}
await all(testFiles('{src,packages,scripts}/**/*.test.ts'), CONCURRENCY, (file) => runFile(file, 2 * MINUTE_MS))
await all(testFiles('test/**/*.test.ts'), 1, (file) => runFile(file, 10 * MINUTE_MS))
process.exitCode = conclude() ? 0 : 1

function testFiles(pattern: string): string[] {
  const files = globSync(pattern, { cwd: ROOT, exclude: (name) => name === 'node_modules' }).sort()
  return words.length === 0 ? files : files.filter((file) => words.some((word) => file.includes(word)))
}

async function all<T>(items: readonly T[], concurrency: number, run: (item: T) => Promise<Outcome>): Promise<void> {
  const waiting = [...items]
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      const from = performance.now()
      const outcome = await run(item)
      outcomes.push(outcome)
      report(outcome, performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
}

async function runCheck({ title, argv }: Check): Promise<Outcome> {
  const { problem, output } = await runToEnd(argv, 5 * MINUTE_MS)
  if (problem === null) return { title, passed: 1, skipped: 0, failures: [], output }
  return { title, passed: 0, skipped: 0, failures: [{ name: problem, detail: '' }], output }
}

async function runFile(file: string, limitMs: number): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-test-'))
  const events = join(folder, 'events')
  const reporter = join(import.meta.dirname, 'test-events.ts')
  const { problem, output } = await runToEnd(
    [process.execPath, `--test-reporter=${reporter}`, `--test-reporter-destination=${events}`, '--test-timeout=600000', file],
    limitMs,
  )
  const tests = readEvents(events)
  rmSync(folder, { recursive: true, force: true })

  const failures = tests.filter((test) => test.outcome === 'failed').map(({ name, at, error }) => ({ name, detail: `${at}\n${error ?? ''}` }))
  if (problem !== null && failures.length === 0) failures.push({ name: problem, detail: '' })
  if (tests.length === 0 && failures.length === 0) failures.push({ name: 'holds no test', detail: '' })
  const count = (outcome: EndedTest['outcome']) => tests.filter((test) => test.outcome === outcome).length
  return { title: file, passed: count('passed'), skipped: count('skipped'), failures, output: lastLines(output, 60) }
}

function readEvents(path: string): EndedTest[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as EndedTest)
  } catch {
    return [] // it ended before its first test
  }
}

/** `problem` says why it did not end well; null: it did. */
function runToEnd(argv: readonly string[], limitMs: number): Promise<{ problem: string | null; output: string }> {
  return new Promise((resolve) => {
    const [program = '', ...args] = argv
    const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const group = child.pid ?? 0
    if (group !== 0) running.add(group)
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
    let overdue = false
    const timer = setTimeout(() => {
      overdue = true
      process.kill(-group, 'SIGKILL')
    }, limitMs)
    const end = (problem: string | null) => {
      clearTimeout(timer)
      running.delete(group)
      resolve({ problem, output: Buffer.concat(chunks).toString('utf8').trimEnd() })
    }
    child.on('error', (error) => end(error.message))
    child.on('exit', () => setTimeout(() => (child.stdout.destroy(), child.stderr.destroy()), 1000).unref())
    child.on('close', (code, signal) => {
      if (overdue) end(`did not end within ${limitMs / 1000} s`)
      else end(code === 0 ? null : `ended with ${signal ?? `exit code ${code}`}`)
    })
  })
}

function report({ title, passed, skipped, failures, output }: Outcome, tookMs: number): void {
  const counts = [passed === 1 ? '' : `${passed} passed`, skipped > 0 ? `${skipped} skipped` : ''].filter((part) => part !== '' && failures.length === 0)
  const tail = [...counts, `${(tookMs / 1000).toFixed(1)} s`].join(', ')
  console.log(`${failures.length === 0 ? 'ok  ' : 'FAIL'} ${title} (${tail})`)
  if (failures.length === 0) return
  for (const { name, detail } of failures) console.log(indent(`✗ ${name}${detail === '' ? '' : `\n${detail}`}`))
  if (output !== '') console.log(indent(output))
}

function conclude(): boolean {
  const sum = (count: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + count(outcome), 0)
  const failed = sum((outcome) => outcome.failures.length)
  const [passed, skipped] = [sum(({ passed }) => passed), sum(({ skipped }) => skipped)]
  const places = outcomes.filter(({ failures }) => failures.length > 0).map(({ title }) => title)
  console.log(`\n${((performance.now() - started) / MINUTE_MS).toFixed(1)} min`)
  if (places.length > 0) console.log(`failed: ${places.join(', ')}`)
  if (passed + failed === 0) console.log(`no test matches ${words.join(' ')}`)
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  return failed === 0 && passed > 0
}

function lastLines(text: string, count: number): string {
  return text.split('\n').slice(-count).join('\n')
}

function indent(text: string): string {
  return text
    .replaceAll(`${ROOT}/`, '')
    .split('\n')
    .map((line) => `       ${line}`)
    .join('\n')
}
