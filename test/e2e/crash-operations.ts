import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandResult } from '../../src/spawn.ts'
import { eventually, get, type Installation, installation } from './installation.ts'

/** What a person does while the server is killed at a point of the passes that follow. */
export const OPERATIONS = ['deploy', 'rollback', 'scale', 'remove'] as const
export type CrashOperation = (typeof OPERATIONS)[number]

/** An installation with hello in two releases, whose server can be killed at a chosen point (server/crash-file.ts). */
export interface CrashSite {
  readonly weir: Installation
  readonly url: string
  /** Another version of the code: its answers say which. */
  change(): void
  /** As a person would: who finds nobody there, because the server died a moment before, asks again. */
  ask(args: readonly string[], cwd?: string): Promise<CommandResult>
  /** Nothing is under way any more, and what runs is what is wanted. */
  atRest(): Promise<void>
  /** Carries the operation out with a kill at its `point`th point, until all is at rest again; false: it had ended before that point. */
  killAt(operation: CrashOperation, point: number): Promise<boolean>
  remove(): Promise<void>
}

interface Status {
  readonly rollout: unknown
  readonly services: readonly { readonly wanted: number; readonly ready: number }[]
  readonly replicas: readonly { readonly phase: string; readonly retired: boolean }[]
}

export async function crashSite(): Promise<CrashSite> {
  const folder = `/tmp/weir-crash-${process.pid}`
  mkdirSync(folder)
  chmodSync(folder, 0o777) // the server, which has an account of its own, counts down in it
  const crashAt = join(folder, 'at')
  const weir = await installation({ WEIR_CRASH_FILE: crashAt })
  const hello = weir.example('hello')
  let changes = 0

  const ask: CrashSite['ask'] = (args, cwd = hello) =>
    eventually('the server is there', async () => {
      const result = await weir.weir(args, { cwd })
      return !/no Weir server answers/.test(result.stderr) && result
    })
  const succeeds = async (args: readonly string[], cwd?: string): Promise<CommandResult> => {
    const result = await ask(args, cwd)
    if (result.code !== 0) throw new Error(`weir ${args.join(' ')} ended with ${result.code}: ${result.stdout}\n${result.stderr}`)
    return result
  }
  const change = (): void => appendFileSync(join(hello, 'server.js'), `// change ${++changes}\n`)
  const atRest = async (): Promise<void> => {
    await eventually(
      'at rest',
      async () => {
        const status = JSON.parse((await ask(['status', '-a', 'hello', '--json'])).stdout) as Status
        const whole = status.services.every((it) => it.ready >= it.wanted)
        return status.rollout === null && whole && status.replicas.every((it) => it.phase === 'ready' && !it.retired)
      },
      30_000,
    )
  }
  /** The server dies at that many points from now. */
  const arm = (point: number): void => {
    writeFileSync(crashAt, String(point))
    chmodSync(crashAt, 0o666)
  }
  const disarm = (): boolean => {
    const died = !existsSync(crashAt)
    rmSync(crashAt, { force: true })
    return died
  }

  const up = await weir.weir(['up'], { cwd: hello })
  const url = addressIn(up)
  change()
  await succeeds(['deploy'])

  const removed = async (point: number): Promise<boolean> => {
    const other = weir.example('hello', 'other')
    const manifest = join(other, 'weir.yaml')
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('app: hello', 'app: other'))
    const address = addressIn(await succeeds(['deploy'], other))
    arm(point)
    await succeeds(['remove', '-a', 'other', '--confirm', 'other'])
    await eventually('closed', async () =>
      get(address).then(
        () => false,
        () => true,
      ),
    )
    await eventually('unknown', async () => (await weir.weir(['status', '-a', 'other'])).code === 5)
    return disarm()
  }
  const words: Readonly<Record<Exclude<CrashOperation, 'remove'>, () => readonly string[]>> = {
    deploy: () => {
      change()
      return ['deploy']
    },
    rollback: () => ['rollback'],
    scale: () => ['scale', `hello=${1 + (++changes % 3)}`],
  }

  return {
    weir,
    url,
    change,
    ask,
    atRest,
    async killAt(operation, point) {
      if (operation === 'remove') return removed(point)
      const args = words[operation]()
      arm(point)
      await succeeds(args)
      await atRest()
      return disarm()
    },
    async remove() {
      rmSync(folder, { recursive: true, force: true })
      await weir.remove()
    },
  }
}

function addressIn({ code, stdout, stderr }: CommandResult): string {
  const address = /http:\/\/127\.0\.0\.1:\d+\//.exec(stdout)?.[0]
  if (code !== 0 || !address) throw new Error(`no address: ${stdout}\n${stderr}`)
  return address
}
