import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExitStatus } from '../../../core/model/replica.ts'
import { WeirError } from '../../../errors.ts'
import type { Machine } from './machine.ts'
import { isAlive, type ProcessIdentity, processesWith, processStat, rootOf } from './proc.ts'

/** A dead child of a dead runner tells nobody: it must be looked for. */
const LOOK_EVERY_MS = 100
/** In the environment of all that the runner starts, with a value of its own, so that it is found again without a cgroup. */
export const TOKEN_VARIABLE = 'WEIR_PROCESS'

export interface TreeSpec {
  /** Names the cgroup. */
  readonly id: string
  readonly token: string
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** null: as the runner itself. */
  readonly account: TreeAccount | null
  /** stdin, stdout, stderr: open files (not closed here) or `pipe`. */
  readonly stdio: readonly ['ignore' | 'pipe', number | 'pipe', number | 'pipe']
}
export interface TreeAccount {
  readonly uid: number
  /** Further groups, beside the one with the uid's number. */
  readonly groups: readonly number[]
  /** The one right that it keeps: to listen on ports below 1024, as the gateway does on 80. */
  readonly lowPorts?: boolean
}

/**
 * A process and all that come from it. It is started without a shell or a launcher and outlives the runner; `exited` says how the
 * first process ended, the rest may go on until `kill`.
 */
export class ProcessTree {
  readonly main: ProcessIdentity
  readonly exited: Promise<ExitStatus>
  readonly #machine: Machine
  readonly #id: string
  readonly #token: string

  private constructor(machine: Machine, { id, token }: { id: string; token: string }, main: ProcessIdentity, ended: Promise<ExitStatus>) {
    this.#machine = machine
    this.#id = id
    this.#token = token
    this.main = main
    const oomKills = () => machine.cgroups?.oomKills(id) ?? 0
    const before = oomKills()
    this.exited = ended.then((exit) => (exit.kind !== 'unknown' && oomKills() > before ? { kind: 'oom' } : exit))
  }

  /** The group must exist. Throws what `spawn` throws when the program is not there. */
  static async start(machine: Machine, spec: TreeSpec): Promise<ProcessTree> {
    const child = spawnInside(machine, spec)
    const ended = new Promise<ExitStatus>((resolve) => {
      child.once('exit', (code, signal) => resolve(signal ? { kind: 'signal', signal } : { kind: 'code', code: code ?? 0 }))
    })
    const pid = await whenSpawned(child)
    const startTime = processStat(pid)?.startTime ?? 0
    return new ProcessTree(machine, spec, { pid, startTime }, ended)
  }

  /** What is left of a tree that another runner started; null when nothing runs. */
  static adopt(machine: Machine, { id, token, main }: { id: string; token: string; main: ProcessIdentity | null }): ProcessTree | null {
    const found = main && isAlive(main) ? main : rootOf(pidsOf(machine, id, token))
    if (!found) return null
    return new ProcessTree(machine, { id, token }, found, lookUntilGone(found))
  }

  pids(): number[] {
    return pidsOf(this.#machine, this.#id, this.#token)
  }

  signal(signal: NodeJS.Signals): void {
    if (isAlive(this.main)) signalQuietly(this.main.pid, signal)
  }

  signalAll(signal: NodeJS.Signals): void {
    for (const pid of this.pids()) signalQuietly(pid, signal)
  }

  kill(): Promise<void> {
    return killTree(this.#machine, this.#id, this.#token)
  }
}

/** Ends whatever runs under this id, known or not. */
export async function killTree(machine: Machine, id: string, token: string): Promise<void> {
  if (machine.cgroups) return machine.cgroups.kill(id)
  for (let pids = pidsOf(machine, id, token); pids.length > 0; pids = pidsOf(machine, id, token)) {
    for (const pid of pids) signalQuietly(pid, 'SIGKILL')
    await sleep(5)
  }
}

export function pidsOf(machine: Machine, id: string, token: string): number[] {
  const pids = machine.cgroups ? machine.cgroups.pids(id) : processesWith(`${TOKEN_VARIABLE}=${token}`)
  return pids.filter((pid) => processStat(pid)?.zombie === false)
}

/** Starts it in the group, as the account, without waiting. */
export function spawnInside(machine: Machine, spec: TreeSpec): ChildProcess {
  const leave = machine.cgroups?.enter(spec.id)
  try {
    const [program = '', ...args] = spec.account ? [...asAccount(machine, spec.account), ...spec.argv] : spec.argv
    return spawn(program, args, {
      cwd: spec.cwd,
      env: { ...spec.env, [TOKEN_VARIABLE]: spec.token },
      stdio: [...spec.stdio],
      detached: true, // a session of its own: Ctrl-C at the runner's terminal is not for it
      shell: false,
    })
  } finally {
    leave?.()
  }
}

/** Its pid; throws when the program could not be executed at all. (As another account that shows as exit 127 of setpriv.) */
export async function whenSpawned(child: ChildProcess): Promise<number> {
  if (child.pid === undefined) {
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => child.once('error', resolve))
    throw new WeirError('E_START_FAILED', { message: `failed to execute ${error.path ?? child.spawnfile}: ${error.code ?? error.message}` }, { cause: error })
  }
  child.on('error', () => {}) // a signal that could not be sent: its exit says the rest
  return child.pid
}

/** What stands before the argv of a program that must not be able to become anybody else. */
export function asAccount(machine: Machine, { uid, groups, lowPorts = false }: TreeAccount): string[] {
  const group = groups.length > 0 ? `--groups=${groups.join(',')}` : '--clear-groups'
  const capabilities = lowPorts ? '-all,+net_bind_service' : '-all'
  return [
    machine.programs.setpriv,
    `--reuid=${uid}`,
    `--regid=${uid}`,
    group,
    '--no-new-privs',
    `--inh-caps=${capabilities}`,
    `--ambient-caps=${capabilities}`,
    `--bounding-set=${capabilities}`,
    '--',
  ]
}

async function lookUntilGone(process: ProcessIdentity): Promise<ExitStatus> {
  while (isAlive(process)) await sleep(LOOK_EVERY_MS, undefined, { ref: false })
  return { kind: 'unknown' }
}

function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // it has ended by itself
  }
}
