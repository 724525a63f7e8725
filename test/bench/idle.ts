/** D8: what Weir itself takes when nothing happens, process by process, and how long a command takes to answer. */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { runCommand } from '../../src/spawn.ts'
import type { Installation } from '../e2e/installation.ts'
import { withHello } from './deployed.ts'
import type { Figure, Goal } from './goal.ts'
import { atMost, median, spread, timed } from './measured.ts'

/** Caches fill, compiled code is dropped, connections close. */
const SETTLE_MS = 35_000
const COMMANDS = 20
/** "server + runner + gateway + PostgreSQL (telemetry apart)": shown on a line of its own. */
const APART = 'telemetry'
/** Processor time is counted in ticks of this length. */
const TICK_MS = 10

export const goals: readonly Goal[] = [
  {
    id: 'D8',
    title: 'idle: memory and processor of Weir itself; time of a command',
    run: ({ full }) => measure(full ? 300_000 : 20_000),
  },
]

async function measure(windowMs: number): Promise<Figure[]> {
  return withHello('', async (weir, { folder }) => {
    const commands: Figure[] = []
    for (const command of ['version', 'ps']) {
      const took: number[] = []
      const bare: number[] = []
      // In turn, so that whatever else the machine does meets both alike.
      for (let n = 0; n < COMMANDS; n++) {
        took.push((await timed(() => weir.weir([command], { cwd: folder }))) * 1000)
        bare.push((await timed(() => runCommand({ argv: [process.execPath, '-e', '0'], env: {}, timeoutMs: 60_000 }))) * 1000)
      }
      commands.push(atMost(150, 'ms', median(took), `weir ${command}: ${spread(took, 'ms')}; beside it Node alone, with nothing to do: ${spread(bare, 'ms')}`))
    }
    await pause(SETTLE_MS)
    const before = processesOf(weir)
    await pause(windowMs)
    const after = processesOf(weir)
    const usedOf = (its: readonly Process[]) => (sum(its.map((it) => it.cpuMs - (before.find(({ pid }) => pid === it.pid)?.cpuMs ?? 0))) / windowMs) * 100
    const memoryOf = (its: readonly Process[]) => sum(its.map((it) => it.pssKib)) / 1024
    const [apart, counted] = [after.filter(({ name }) => name === APART), after.filter(({ name }) => name !== APART)]
    const parts = [...Map.groupBy(counted, (it) => it.name)].map(
      ([name, its]) => `${name}${its.length > 1 ? ` (${its.length})` : ''} ${memoryOf(its).toFixed(1)} MiB ${usedOf(its).toFixed(2)} %`,
    )
    return [
      atMost(150, 'MiB', memoryOf(counted), `PSS without telemetry: ${parts.join(', ')}`),
      atMost(1, '%', usedOf(counted), `of one core over ${windowMs / 1000} s with one app of one replica, whose own process is not counted`),
      {
        value: memoryOf(apart),
        unit: 'MiB',
        target: 'apart',
        pass: true,
        detail: `the telemetry process, which the goal leaves out, ${usedOf(apart).toFixed(2)} %; with it ${memoryOf(after).toFixed(0)} MiB, ${usedOf(after).toFixed(2)} %, and pages of Node that it shares with the others count in part for it`,
      },
      ...commands,
    ]
  })
}

interface Process {
  readonly pid: number
  readonly name: string
  readonly pssKib: number
  readonly cpuMs: number
}

/** The runner, all below it that is not an app's, and what keeps the runner alive. */
function processesOf(weir: Installation): Process[] {
  const all = everyProcess()
  const root = all.find((it) => it.command.includes('keep-runner') && it.environment.includes(`WEIR_HOME=${weir.env['WEIR_HOME']}\0`))
  if (!root) throw new Error('no runner is found')
  const found = [root]
  for (let at = 0; at < found.length; at++) found.push(...all.filter((it) => it.parent === found[at]?.pid))
  return found
    .filter((it) => !it.environment.includes('\0WEIR_SERVICE='))
    .map(({ pid, command }) => ({ pid, name: nameOf(command), pssKib: pssKib(pid), cpuMs: cpuMs(pid) }))
}

function everyProcess(): { readonly pid: number; readonly parent: number; readonly command: string; readonly environment: string }[] {
  return readdirSync('/proc')
    .filter((it) => /^\d+$/.test(it))
    .flatMap((it) => {
      try {
        const read = (file: string) => readFileSync(`/proc/${it}/${file}`, 'utf8')
        const command = read('cmdline').replaceAll('\0', ' ')
        return [{ pid: Number(it), parent: Number(/^PPid:\s+(\d+)/m.exec(read('status'))?.[1]), command, environment: `\0${read('environ')}` }]
      } catch {
        return [] // it ended while we looked
      }
    })
}

function nameOf(command: string): string {
  if (command.includes('keep-runner')) return 'keeper'
  if (/postgres/.test(command)) return 'PostgreSQL'
  return /(?:dist|src)\/\S*?([\w-]+?)\.[jt]s(?: server)?/.exec(command)?.[1]?.replace('weir', 'server') ?? command.slice(0, 40)
}

/** Proportional set size: what is shared counts in parts. */
function pssKib(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1])
}

function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

function sum(values: readonly number[]): number {
  return values.reduce((all, it) => all + it, 0)
}
