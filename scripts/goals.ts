/**
 * Measures what docs/goals.md promises: `npm run goals -- [AREA] [--full] [--only D5] [--seed N]`.
 * One line a figure: `GOAL id value target pass|fail seed=N detail`; exit 1 when one is missed.
 */
import { randomInt } from 'node:crypto'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Figure, Goal } from '../test/bench/goal.ts'

/** Letter that the ids of an area begin with. */
const AREAS: Readonly<Record<string, string>> = { deliver: 'D', telemetry: 'T', canary: 'C' }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { full: { type: 'boolean', default: false }, only: { type: 'string', multiple: true }, seed: { type: 'string' } },
})
const seed = values.seed === undefined ? randomInt(1, 2 ** 31) : Number(values.seed)
const [area = null] = positionals

const goals = (await loadGoals(area)).filter(({ id }) => values.only === undefined || values.only.includes(id))
if (goals.length === 0) {
  console.error(`no goal matches ${[area ?? '', ...(values.only ?? [])].join(' ').trim()}`)
  process.exit(64)
}
let missed = 0
for (const goal of goals) {
  console.log(`# ${goal.id} ${goal.title}`)
  for (const figure of await measure(goal)) {
    if (!figure.pass) missed++
    console.log(goalLine(goal.id, figure))
  }
}
console.log(`# ${missed === 0 ? 'every target met' : `${missed} missed: see docs/goals.md`}`)
process.exit(missed === 0 ? 0 : 1)

async function loadGoals(wanted: string | null): Promise<Goal[]> {
  const folder = join(import.meta.dirname, '../test/bench')
  const files = globSync('*.ts', { cwd: folder }).filter((file) => !file.endsWith('.test.ts'))
  const modules = await Promise.all(files.map(async (file) => (await import(join(folder, file))) as { goals?: readonly Goal[] }))
  const all = modules.flatMap(({ goals: its }) => its ?? [])
  const found = wanted === null ? all : all.filter(({ id }) => id.startsWith(AREAS[wanted] ?? wanted))
  return found.sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }))
}

/** A measurement that breaks off is a goal missed, not an end of the others. */
async function measure(goal: Goal): Promise<readonly Figure[]> {
  try {
    return await goal.run({ full: values.full, seed })
  } catch (error) {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return [{ value: Number.NaN, target: 'measured', unit: '', pass: false, detail: detail.replaceAll('\n', ' | ') }]
  }
}

function goalLine(id: string, { value, target, unit, pass, detail }: Figure): string {
  return `GOAL ${id} ${Number.isNaN(value) ? '-' : round(value)}${unit} ${target} ${pass ? 'pass' : 'fail'} seed=${seed}${detail === '' ? '' : ` ${detail}`}`
}

function round(value: number): string {
  return value !== 0 && Math.abs(value) < 100 ? String(Number(value.toPrecision(3))) : String(Math.round(value))
}
