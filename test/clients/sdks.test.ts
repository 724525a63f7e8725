import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { runCommand } from '../../src/spawn.ts'
import { eventually, freePort } from '../e2e/installation.ts'
import { mavenEnvironment } from './java.ts'
import { listens, type TelemetryProcess, telemetryProcess } from './telemetry.ts'
import { missing, testEnvironment } from './tools.ts'

type Argv = readonly [string, ...string[]]

interface Sdk {
  readonly name: string
  readonly folder: string
  /** Without which it is left out. */
  readonly needs: readonly string[]
  /** Run one after the other in a copy of the folder. */
  readonly install: readonly Argv[]
  readonly run: Argv
  /** What the service sets itself. */
  readonly own?: Readonly<Record<string, string>>
}

/** To the folder that it is run in, by a name without version. */
const AGENT = ['-DincludeArtifactIds=opentelemetry-javaagent', '-DoutputDirectory=.', '-Dmdep.stripVersion=true']

/** Each is a server and a client written against the SDK alone; all they know of Weir is the environment that every replica gets. */
const SDKS: readonly Sdk[] = [
  {
    name: 'JavaScript',
    folder: 'javascript',
    needs: ['npm'],
    install: [['npm', 'install', '--no-audit', '--no-fund', '--ignore-scripts', '--no-package-lock', '--loglevel=error']],
    run: [process.execPath, 'app.mjs'],
  },
  {
    name: 'Python, by opentelemetry-instrument',
    folder: 'python',
    needs: ['python3'],
    install: [
      ['python3', '-m', 'venv', 'venv'],
      ['venv/bin/pip', 'install', '--quiet', '--no-deps', '--no-compile', '--disable-pip-version-check', '-r', 'requirements.txt'],
    ],
    run: ['venv/bin/opentelemetry-instrument', 'venv/bin/python', 'app.py'],
  },
  { name: 'Go', folder: 'go', needs: ['go'], install: [['go', 'build', '-p', '2', '-o', 'clients', '.']], run: ['./clients'] },
  {
    name: 'Java, by its agent',
    folder: 'java',
    needs: ['java', 'javac', 'mvn'],
    install: [
      ['mvn', '--quiet', '--batch-mode', 'dependency:copy-dependencies', ...AGENT],
      ['javac', 'Reviews.java'],
    ],
    run: ['java', '-Xmx128m', '-XX:TieredStopAtLevel=1', '-javaagent:opentelemetry-javaagent.jar', '-cp', '.', 'Reviews'],
  },
  {
    name: 'JavaScript, over gRPC',
    folder: 'javascript', // as the first left it
    needs: ['npm'],
    install: [],
    run: [process.execPath, 'app.mjs'],
    own: { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' },
  },
]
const CALLS = 3

describe('SDKs of OpenTelemetry, unmodified', { timeout: 300_000 }, () => {
  let weir: TelemetryProcess
  let folder: string
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'weir-sdks-'))
    weir = await telemetryProcess()
  })
  after(async () => {
    await weir?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  for (const [index, sdk] of SDKS.entries()) {
    const environment = `e${index + 1}`
    test(`${sdk.name}: the graph has the call, each trace both of its ends`, { skip: missing(...sdk.needs) }, async (t) => {
      const cwd = join(folder, sdk.folder)
      cpSync(join(import.meta.dirname, sdk.folder), cwd, { recursive: true })
      for (const argv of sdk.install) await run(argv, cwd, argv[0] === 'mvn' ? await mavenEnvironment() : {}, 240_000)

      const port = await freePort()
      const [program, ...args] = sdk.run
      const server = spawn(program, [...args, 'server', String(port)], {
        cwd,
        env: { ...testEnvironment(), ...weir.environmentOf(environment, 'reviews', sdk.own) },
        stdio: 'ignore',
      })
      t.after(() => server.kill('SIGKILL'))
      await eventually('the server listens', () => listens(port), 30_000)
      await run([...sdk.run, 'client', `http://127.0.0.1:${port}/reviews`, String(CALLS)], cwd, weir.environmentOf(environment, 'web', sdk.own), 60_000)

      const { edges, services } = await eventually('the graph', async () => {
        const graph = await weir.telemetry.graph(environment, { windowMs: 300_000 })
        return graph.edges.some(({ callee, calls }) => callee === 'reviews' && calls === CALLS) && graph
      })
      assert.deepEqual(
        edges.map(({ caller, callee, calls, errors }) => ({ caller, callee, calls, errors })),
        [{ caller: 'web', callee: 'reviews', calls: CALLS, errors: 0 }],
      )
      assert.deepEqual(services.find(({ service }) => service === 'reviews')?.releases, ['v1'])

      const traces = await weir.telemetry.traces(environment, { limit: 10 })
      assert.equal(traces.length, CALLS)
      const trace = await weir.telemetry.trace(environment, traces[0]?.id ?? '')
      const [client, served] = ['client', 'server'].map((kind) => trace?.tree.find((span) => span.kind === kind))
      assert.ok(client && served)
      assert.equal(served.parent, client.id)
      assert.deepEqual([client.service, served.service], ['web', 'reviews'])
      // A server's span may end after its client's: when the last byte is out, not when the first came in.
      assert.ok(served.durationMs >= 4 && served.durationMs <= client.durationMs + 50, `${served.durationMs} of ${client.durationMs} ms`)
      assert.ok(served.startMs >= client.startMs - 1, `${served.startMs} before ${client.startMs} ms`)
    })
  }

  test('no span was lost, and none is in the environment of another', async () => {
    const { lost } = await weir.telemetry.health()
    assert.deepEqual(lost, {})
    assert.deepEqual((await weir.telemetry.graph('e99', { windowMs: 300_000 })).services, [])
  })
})

async function run(argv: Argv, cwd: string, env: Readonly<Record<string, string>>, timeoutMs: number): Promise<void> {
  const { code, stdout, stderr } = await runCommand({ argv, cwd, env: { ...testEnvironment(), ...env }, timeoutMs })
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}\n${stdout.slice(-2000)}\n${stderr.slice(-4000)}`)
}
