import { statSync } from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import own from '../package.json' with { type: 'json' }
import { DEFAULT_LIMITS } from './api/options.ts'
import type { ApiPorts } from './api/ports.ts'
import { createApi } from './api/server.ts'
import { SlugBuilder } from './build/slug-builder.ts'
import { appPorts, edgeAddress, ownEnvironment, type StatePaths, serverConfig, statePaths, telemetryConfig } from './config.ts'
import { startControlPlane, type World } from './controllers/control-plane.ts'
import type { RetentionPolicy } from './controllers/journal.ts'
import { accountNumber } from './controllers/specs.ts'
import type { Epoch } from './core/model/epoch.ts'
import type { DaemonSpec } from './drivers/daemons.ts'
import { RunnerConfined } from './drivers/process/confined.ts'
import { RunnerDaemons } from './drivers/process/daemons.ts'
import { ProcessDriver } from './drivers/process/driver.ts'
import { RunnerExec } from './drivers/process/exec.ts'
import { FileLogs } from './drivers/process/logs.ts'
import { isWeirError } from './errors.ts'
import { GatewayClient } from './gateway/client.ts'
import { Identity } from './identity/identity.ts'
import { deliver } from './notify/deliver.ts'
import { ownBuild } from './own-build.ts'
import { programFile } from './programs.ts'
import { RpcClient } from './rpc/client.ts'
import { AesSealer } from './secrets/aes-sealer.ts'
import { readOrMakeKey } from './secrets/key-file.ts'
import { besideFrom } from './server/beside.ts'
import { crashFile } from './server/crash-file.ts'
import { fileStores } from './server/file-stores.ts'
import { customIndicators } from './server/indicators/custom.ts'
import { fetchJson } from './server/indicators/fetch-json.ts'
import { keptTelemetry } from './server/kept-telemetry.ts'
import { tellEnvironments } from './server/known-environments.ts'
import { log } from './server/log.ts'
import { startNotifier } from './server/notifier.ts'
import { askProbe } from './server/probe-request.ts'
import { startProber } from './server/prober.ts'
import { ReleaseBuilds } from './server/release-builds.ts'
import { ReleasePlanner } from './server/release-planner.ts'
import { replayFrom } from './server/replay.ts'
import { openSecrets, repositoryCredentials } from './server/sealed-values.ts'
import { signaturesBySide } from './server/side-signatures.ts'
import { silentParts } from './server/silent-parts.ts'
import { telemetryDaemon } from './server/telemetry-daemon.ts'
import { startUsageRecorder } from './server/usage-recorder.ts'
import { checkGitSource } from './source/check-source.ts'
import { Sources } from './source/sources.ts'
import { lockState } from './state-lock.ts'
import { openStore } from './store/open-store.ts'
import type { Writes } from './store/writes.ts'
import { systemClock, systemRandom } from './system-world.ts'
import { TelemetryClient } from './telemetry/client.ts'

const TENANT = 'default'
const RETENTION: RetentionPolicy = { releases: 20, eventsMs: 90 * 86_400_000, countersMs: 7 * 86_400_000, evidence: 20 }
const RUNNER_WITHIN_MS = 20_000

/**
 * The composition root: makes every part, hands each what it needs, and starts the control plane and the API.
 *
 * @example const server = await startServer({ join: false }); await server.close()
 */
export async function startServer({ join }: { readonly join: boolean }): Promise<{ close(): Promise<void> }> {
  const paths = statePaths()
  const config = serverConfig()
  const unlock = join ? () => {} : lockState(paths.lock)
  const sealer = new AesSealer(readOrMakeKey(paths.key))

  const daemons = new RunnerDaemons(paths.runnerSocket)
  await whenRunnerAnswers(daemons)
  const store = await openStore({ url: config.databaseUrl, embedded: () => daemons.ensureStore(), sealer, clock: systemClock, publicPorts: appPorts() })
  await ensureTenant(store.writes)
  await daemons.ensure(gatewayDaemon(paths), await store.epoch())
  await ensureTelemetry(daemons, paths, config.databaseUrl, await store.epoch())

  const runner = new RpcClient(paths.runnerSocket)
  const gatewayRpc = new RpcClient(paths.gatewaySocket)
  const gateway = new GatewayClient(gatewayRpc)
  const telemetryRpc = new RpcClient(paths.telemetrySocket)
  const driver = new ProcessDriver(paths.runnerSocket, openSecrets(store.sealed))
  const confined = new RunnerConfined(paths.runnerSocket)
  const exec = new RunnerExec(paths.runnerSocket, () => store.epoch())
  const source = await Sources.open({
    paths,
    credentials: repositoryCredentials(store.sealed),
    reach: (tenant) => (tenant === TENANT ? 'machine' : 'internet'),
  })
  const builder = await SlugBuilder.open({ paths, source, confined })

  const telemetry = new TelemetryClient(telemetryRpc, { isOn: telemetryConfig().on })
  const beside = besideFrom({
    clock: systemClock,
    usage: (environment) => driver.usage(environment),
    signatures: async (request) =>
      signaturesBySide((await telemetry.errors(request.id, { sinceMs: systemClock.wall() - request.sinceMs })).signatures, request),
    custom: customIndicators({
      clock: systemClock,
      fetch: ({ tenant }, url) => fetchJson(url, { reach: tenant === TENANT ? 'machine' : 'internet', ownPorts: new Set([config.api.port]) }),
      query: ({ id }, resource, query) => driver.figure(id, resource, query),
    }),
  })
  const world: World = { clock: systemClock, random: systemRandom, journal: store.journal, driver, gateway, builder, source, beside }
  const ports: ApiPorts = {
    queries: store.queries,
    writes: store.writes,
    identity: new Identity(store.identity),
    live: {
      observe: async (environment) => {
        const [{ replicas, resources }, { refused }] = await Promise.all([driver.observe(environment), gateway.observe(environment)])
        return { replicas, resources, refused }
      },
      usage: (environment) => driver.usage(environment),
    },
    planner: new ReleasePlanner({ source, builder, queries: store.queries, epoch: () => plane.epoch() }),
    builds: new ReleaseBuilds({ source, builder, queries: store.queries }),
    logs: new FileLogs(paths.logs),
    telemetry,
    kept: keptTelemetry(store.telemetry),
    replay: replayFrom(store.queries),
    exec,
    uploads: source.uploads,
    checkGitSource,
    silentParts: () => silentParts({ runner: () => daemons.list(), gateway: () => gateway.environments() }),
    eventsChanged: (changed) => store.onEvents(changed),
    failed: (requestId, error) => log('request failed', { requestId, error: described(error) }),
    now: () => systemClock.wall(),
    random: (bytes) => systemRandom.hex(bytes),
  }
  const api = await createApi(ports, {
    version: own.version,
    socketPath: join ? null : paths.serverSocket,
    listen: config.api,
    defaultTenant: TENANT,
    gateway: config.http,
    limits: DEFAULT_LIMITS,
  })
  await api.listen()
  const plane = startControlPlane(world, {
    holder: `${hostname()}/${process.pid}`,
    force: !join,
    edgeAddress: (environment) => edgeAddress(accountNumber(environment)),
    retention: RETENTION,
    fileStores: fileStores({ source, builder, runner }),
    failed: (key, error, retryInMs) => log('failed', { key, retryInMs: Math.round(retryInMs), error: described(error) }),
    led: (epoch) => log('leads', { epoch }),
    lost: () => log('another server leads', {}),
    ...crashFile(),
  })
  const untell = telemetryConfig().on
    ? tellEnvironments({
        telemetry: ports.telemetry,
        process: telemetryRpc,
        queries: store.queries,
        eventsChanged: (changed) => store.onEvents(changed),
      })
    : () => {}
  const stopUsage = startUsageRecorder({
    clock: systemClock,
    driver,
    memory: store.usage,
    epoch: () => plane.epoch(),
    failed: (error) => log('failed', { key: 'usage', error: described(error) }),
  })
  const stopProber = startProber({
    clock: systemClock,
    memory: store.probes,
    epoch: () => plane.epoch(),
    eventsChanged: (changed) => store.onEvents(changed),
    ask: askProbe(config.http, (bytes) => systemRandom.hex(bytes)),
    failed: (error) => log('failed', { key: 'probes', error: described(error) }),
  })
  const stopNotifier = startNotifier({
    clock: systemClock,
    random: systemRandom,
    outbox: store.outbox,
    epoch: () => plane.epoch(),
    eventsChanged: (changed) => store.onEvents(changed),
    deliver: (parcel, reach, signal) => deliver(parcel, reach, systemClock.wall(), signal),
    failed: (error) => log('failed', { key: 'notifications', error: described(error) }),
  })
  log('listens', { api: `${config.api.host}:${config.api.port}`, http: `${config.http.host}:${config.http.port}` })

  return {
    async close() {
      untell()
      await Promise.all([stopProber(), stopUsage(), stopNotifier()])
      await api.close()
      await plane.stop()
      await store.close()
      for (const part of [driver, confined, exec, daemons, runner, gatewayRpc, telemetryRpc]) part.close()
      unlock()
    },
  }
}

/** The runner may be starting, or be started again at this very moment. */
async function whenRunnerAnswers(daemons: RunnerDaemons): Promise<void> {
  const end = performance.now() + RUNNER_WITHIN_MS
  for (;;) {
    try {
      await daemons.list()
      return
    } catch (error) {
      if (!isWeirError(error, 'E_UNAVAILABLE') || performance.now() > end) throw error
      await sleep(50)
    }
  }
}

/** The tenant of whoever started Weir is there from the first start on. */
async function ensureTenant(writes: Writes): Promise<void> {
  try {
    await writes.transaction({ by: 'weir', scope: 'weir', idempotency: null }, async (write) => {
      await write.createTenant(TENANT)
      return { status: 201, body: null }
    })
  } catch (error) {
    if (!isWeirError(error, 'E_CONFLICT')) throw error
  }
}

/** Nothing waits for it: a Weir whose telemetry does not start delivers all the same, and says that it knows nothing. */
async function ensureTelemetry(daemons: RunnerDaemons, paths: StatePaths, databaseUrl: string | null, epoch: Epoch): Promise<void> {
  try {
    const intake = await daemons.intake(databaseUrl)
    if (intake === null) return await daemons.stop('telemetry', epoch)
    const store = databaseUrl === null ? await daemons.ensureStore() : null
    await daemons.ensure(telemetryDaemon({ paths, intake, store, config: telemetryConfig() }), epoch)
  } catch (error) {
    log('telemetry was not started', { error: described(error) })
  }
}

/** The gateway's parent: no privileges but to listen on low ports; its workers outlive it, and it them. */
function gatewayDaemon(paths: StatePaths): DaemonSpec {
  // Where root started the runner, the gateway has an account of its own, and reaches us through our group.
  const apart = statSync(paths.home).uid !== process.getuid?.()
  // Only what concerns the gateway: in the words of several servers it must be the same, or each would replace the other's.
  const { DATABASE_URL: _database, WEIR_API_LISTEN: _api, ...env } = ownEnvironment()
  return {
    name: 'gateway',
    argv: [process.execPath, '--max-semi-space-size=1', '--disable-warning=ExperimentalWarning', programFile('gateway')],
    env: { ...env, WEIR_BUILD: ownBuild().build, WEIR_HOME: paths.home, ...(apart ? { WEIR_GATEWAY_PEERS: String(process.getgid?.()) } : {}) },
    account: 'gateway',
    stop: { signal: 'SIGTERM', graceMs: 10_000 },
    leftovers: 'keep',
  }
}

function described(error: unknown): Record<string, unknown> {
  if (isWeirError(error)) return { code: error.code, message: error.message, cause: error.explanation.cause ?? null }
  return error instanceof Error ? { message: error.message, stack: error.stack ?? null } : { message: String(error) }
}
