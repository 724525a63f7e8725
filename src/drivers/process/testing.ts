import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash, randomInt } from 'node:crypto'
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TAR_END, tarHeader } from '../../archive/tar-write.ts'
import { type Accounts, accounts, type StatePaths, statePaths } from '../../config.ts'
import type { ObservedReplica, ObservedTask } from '../../core/model/replica.ts'
import type { ReplicaSpec, TaskSpec } from '../driver.ts'
import { RunnerConfined } from './confined.ts'
import { RunnerDaemons } from './daemons.ts'
import { ProcessDriver } from './driver.ts'
import { RunnerExec } from './exec.ts'
import { FileLogs } from './logs.ts'
import type { CrashPoint } from './runner/crash-point.ts'
import { processStat } from './runner/proc.ts'

const RUNNER = join(import.meta.dirname, 'runner/main.ts')
const NOBODY = 65534
const UP_WITHIN_MS = 10_000
export const SECRET = 'swordfish-7731'

/** A real runner in a state folder of its own, with accounts of its own (as root), that leaves nothing behind when closed. */
export class TestRunner {
  readonly paths: StatePaths
  readonly accounts: Accounts | null
  readonly driver: ProcessDriver
  readonly confined: RunnerConfined
  readonly daemons: RunnerDaemons
  readonly exec: RunnerExec
  readonly logs: FileLogs
  readonly #env: NodeJS.ProcessEnv
  readonly #uid: number | null
  #process: ChildProcess | null = null
  stderr = ''
  /** What commands run in the name of. */
  epoch = 1

  private constructor(unprivileged: boolean) {
    this.#uid = unprivileged && process.getuid?.() === 0 ? NOBODY : null
    const home = mkdtempSync(join(tmpdir(), 'weir-test-'))
    chmodSync(home, 0o711)
    if (this.#uid !== null) chownSync(home, this.#uid, this.#uid)
    this.#env = {
      PATH: process.env['PATH'],
      WEIR_HOME: home,
      WEIR_UID_BASE: String(1_910_000_000 + randomInt(4000) * 20_000),
      WEIR_OTLP_PORT: String(30_000 + randomInt(1000)),
      WEIR_OTLP_GRPC_PORT: String(32_000 + randomInt(700)),
      WEIR_ZIPKIN_PORT: String(31_000 + randomInt(1000)),
    }
    this.paths = statePaths(this.#env)
    this.accounts = unprivileged ? null : accounts(this.#env)
    this.driver = new ProcessDriver(this.paths.runnerSocket, async (_environment, secrets) => Object.fromEntries(secrets.map(({ name }) => [name, SECRET])))
    this.confined = new RunnerConfined(this.paths.runnerSocket)
    this.daemons = new RunnerDaemons(this.paths.runnerSocket)
    this.exec = new RunnerExec(this.paths.runnerSocket, async () => this.epoch)
    this.logs = new FileLogs(this.paths.logs)
    this.#installNode()
  }

  /** `unprivileged`: as a user without rights, also when the tests run as root. */
  static async start({ unprivileged } = { unprivileged: false }): Promise<TestRunner> {
    const runner = new TestRunner(unprivileged)
    await runner.up()
    return runner
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  /** Starts the process; with a crash point, it may already be gone when this returns. */
  async up(crashAt?: CrashPoint): Promise<void> {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', RUNNER], {
      env: { ...this.#env, ...(crashAt ? { WEIR_CRASH_AT: crashAt } : {}) },
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(this.#uid === null ? {} : { uid: this.#uid, gid: this.#uid }),
    })
    child.stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString()
    })
    this.#process = child
    const deadline = performance.now() + UP_WITHIN_MS
    while (child.exitCode === null && child.signalCode === null) {
      if (
        await this.daemons.list().then(
          () => true,
          () => false,
        )
      )
        return
      if (performance.now() > deadline) throw new Error(`the runner does not answer: ${this.stderr}`)
      await sleep(10)
    }
    if (!crashAt) throw new Error(`the runner ended: ${this.stderr}`)
  }

  /** As the kernel would, at any instruction. */
  async kill9(): Promise<void> {
    this.#process?.kill('SIGKILL')
    await this.ended()
  }

  /** SIGTERM: hands over. */
  async leave(): Promise<void> {
    this.#process?.kill('SIGTERM')
    await this.ended()
  }

  async ended(): Promise<void> {
    const child = this.#process
    if (child && child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once('exit', resolve))
  }

  /** Makes a slug of these files and says its digest. */
  slug(files: Readonly<Record<string, string>>): string {
    const parts: Buffer[] = []
    for (const [path, text] of Object.entries(files)) {
      const body = Buffer.from(text)
      parts.push(tarHeader({ path, type: '0', mode: 0o644, size: body.length, target: '', timeMs: 0 }), body, Buffer.alloc((512 - (body.length % 512)) % 512))
    }
    const tar = Buffer.concat([...parts, TAR_END])
    const hex = createHash('sha256').update(tar).digest('hex')
    writeFileSync(join(this.paths.slugs, `${hex}.tar`), tar)
    return `sha256:${hex}`
  }

  async replica(id: string): Promise<ObservedReplica | undefined> {
    return (await this.driver.observe(environmentOf(id))).replicas.find((it) => it.id === id)
  }

  async task(id: string): Promise<ObservedTask | undefined> {
    return (await this.driver.observe(environmentOf(id))).tasks.find((it) => it.id === id)
  }

  /** Waits until it is ready, and says where. */
  async ready(id: string): Promise<{ url: string; port: number }> {
    await until(
      async () => (await this.replica(id))?.phase === 'ready',
      async () => `${id} is ready: ${JSON.stringify(await this.replica(id))}`,
    )
    const port = (await this.replica(id))?.ports['http'] ?? 0
    return { url: `http://127.0.0.1:${port}`, port }
  }

  /** Ends all that it started, in whatever state it is. */
  async close(): Promise<void> {
    if (
      !(await this.daemons.list().then(
        () => true,
        () => false,
      ))
    ) {
      await this.ended()
      await this.up()
    }
    await this.daemons.shutdown()
    await this.ended()
    for (const it of [this.driver, this.confined, this.daemons, this.exec]) it.close()
    rmSync(this.paths.home, { recursive: true, force: true })
  }

  /** What carries this installation's name in the kernel. */
  traces(): string[] {
    const name = `weir-${createHash('sha256').update(this.paths.home).digest('hex').slice(0, 8)}`
    const groups = execFileSync('find', ['/sys/fs/cgroup', '-type', 'd', '-name', `${name}*`], { encoding: 'utf8' })
    const rules = this.accounts ? ['iptables', 'ip6tables'].map((program) => execFileSync(program, ['-w', '-S'], { encoding: 'utf8' })).join('') : ''
    const processes = readdirSync('/proc').filter(
      (pid) => /^\d+$/.test(pid) && uidOf(pid) === this.accounts?.app(1) && processStat(Number(pid))?.zombie === false,
    )
    return [...groups.split('\n').filter(Boolean), ...rules.split('\n').filter((line) => line.includes(name)), ...processes]
  }

  /** Where apps' accounts may execute it. */
  #installNode(): void {
    const node = join(this.paths.runtimes, 'node/bin/node')
    mkdirSync(dirname(node), { recursive: true, mode: 0o755 })
    if (isOpenToAll(process.execPath)) symlinkSync(process.execPath, node)
    else copyFileSync(process.execPath, node)
    if (this.#uid !== null) chownSync(this.paths.runtimes, this.#uid, this.#uid)
  }
}

export async function until(condition: () => Promise<boolean> | boolean, what: string | (() => Promise<string>), withinMs = 15_000): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`never: ${typeof what === 'string' ? what : await what()}`)
    await sleep(10)
  }
}

export function environmentOf(id: string): string {
  return id.split('-')[0] ?? ''
}

export function replicaSpec(id: string, slug: string, change: Partial<ReplicaSpec> = {}): ReplicaSpec {
  return {
    id,
    environment: environmentOf(id),
    service: 'web',
    origin: 1,
    account: { app: 1 },
    slug,
    runtime: 'node',
    argv: ['node', 'app.js'],
    environmentVariables: {},
    secrets: [],
    uses: [],
    limits: { cpu: 1, memoryBytes: 256 * 1024 ** 2 },
    ports: ['http'],
    healthcheck: { kind: 'http', path: '/', port: 'http', intervalMs: 100, timeoutMs: 1000, retries: 2, startPeriodMs: 5_000 },
    stop: { signal: 'SIGTERM', graceMs: 2_000 },
    volumes: [],
    telemetry: null,
    ...change,
  }
}

export function taskSpec(id: string, slug: string, change: Partial<TaskSpec> = {}): TaskSpec {
  const { ports: _p, healthcheck: _h, stop: _t, volumes: _v, ...common } = replicaSpec(id, slug)
  return { ...common, argv: ['node', 'task.js'], timeoutMs: 20_000, ...change }
}

function isOpenToAll(path: string): boolean {
  for (let at = path; at !== dirname(at); at = dirname(at)) if ((statSync(at).mode & 0o001) === 0) return false
  return true
}

function uidOf(pid: string): number | undefined {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid
}
