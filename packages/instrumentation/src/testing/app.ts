import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleInstrumentation } from '../../../../scripts/instrumentation.ts'

const APPS = join(import.meta.dirname, 'apps')

/** Builds the one file as Weir's build does, for one test file. */
export async function built(): Promise<{ readonly file: string; remove(): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-instrumentation-'))
  const file = join(folder, 'register.cjs')
  await bundleInstrumentation(file)
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** The Node that runs the tests, and the machine's own where it is another. */
export function nodes(): { readonly path: string; readonly version: string }[] {
  const own = { path: process.execPath, version: process.versions.node }
  try {
    const version = execFileSync('node', ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim()
    return version === own.version ? [own] : [own, { path: 'node', version }]
  } catch {
    return [own]
  }
}

export interface App {
  readonly url: string
  readonly child: ChildProcess
  readonly output: () => string
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  stop(signal?: NodeJS.Signals): Promise<void>
}

export interface AppOptions {
  readonly register: string
  readonly env: Readonly<Record<string, string>>
  readonly node?: string
  /** `--import` takes the same file. */
  readonly by?: '--require' | '--import'
  readonly args?: readonly string[]
}

/** Starts a file of apps/ with the instrumentation; one that listens prints `port N`, and is awaited. */
export async function startApp(file: string, options: AppOptions & { readonly listens?: boolean }): Promise<App> {
  const { register, env, node = process.execPath, by = '--require', args = [], listens = true } = options
  const child = spawn(node, [join(APPS, file), ...args], {
    env: { PATH: process.env['PATH'] ?? '', NODE_OPTIONS: `${by}=${register}`, OTEL_LOG_LEVEL: 'warn', OTEL_BSP_SCHEDULE_DELAY: '100', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = once(child, 'exit').then(([code, signal]) => ({ code: code as number | null, signal: signal as NodeJS.Signals | null }))
  const app = {
    url: '',
    child,
    output: () => output,
    ended,
    async stop(signal: NodeJS.Signals = 'SIGKILL') {
      child.kill(signal)
      await ended
    },
  }
  if (!listens) return app
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout?.on('data', () => {
      const [, found] = /^port (\d+)$/m.exec(output) ?? []
      if (found !== undefined) resolve(found)
    })
    void ended.then(() => reject(new Error(`${file} ended:\n${output}`)))
  })
  return { ...app, url: `http://127.0.0.1:${port}` }
}
