import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Seen } from './intake-process.ts'

export interface RunningIntake extends AsyncDisposable {
  readonly port: number
  /** What it has seen so far. */
  seen(): Promise<Seen>
  /** Is the trace with this id found? */
  finds(id: string): Promise<boolean>
}

/** Starts an intake in a process of its own, on one core where one is named. */
export async function startIntake({ core }: { core: number | null }): Promise<RunningIntake> {
  const argv = [process.execPath, join(import.meta.dirname, 'intake-process.ts')]
  const [program = '', ...args] = core === null ? argv : ['taskset', '-c', String(core), ...argv]
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async () => String((await lines.next()).value)
  const ask = async (question: string): Promise<unknown> => {
    child.stdin.write(`${question}\n`)
    return JSON.parse(await line())
  }
  const port = Number(await line())
  return {
    port,
    seen: () => ask('') as Promise<Seen>,
    finds: (id) => ask(id) as Promise<boolean>,
    [Symbol.asyncDispose]: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.stdin.end()
      await gone
    },
  }
}
