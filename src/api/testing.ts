import { PassThrough } from 'node:stream'
import type { Look } from '../controllers/journal.ts'
import type { AppGraph } from '../core/model/app-graph.ts'
import type { ExitStatus, ObservedReplica, ReplicaUsage } from '../core/model/replica.ts'
import { type Command, type EnvironmentState, INITIAL_STATE } from '../core/rollout/state.ts'
import type { ExecSession } from '../drivers/exec.ts'
import type { SourcedRecord } from '../drivers/logs.ts'
import { WeirError } from '../errors.ts'
import type { Principal } from '../identity/principal.ts'
import { verbsOf } from '../identity/roles.ts'
import { shownPlace } from '../notify/target.ts'
import type { Reach } from '../reach.ts'
import type { EnvironmentDetail, EnvironmentRef, NotifyTargetDetail, Page, PageRequest, Queries, ReleaseDetail, StoredEvent } from '../store/queries.ts'
import type { Answer, Writer, Writes } from '../store/writes.ts'
import { SimulatedTelemetry } from '../telemetry/simulated.ts'
import { type ApiOptions, DEFAULT_LIMITS } from './options.ts'
import type { ApiPorts } from './ports.ts'
import { KeptInMemory } from './testing-kept.ts'

/** A store, a driver and a log in memory that behave like the real ones as far as the API can see. */
export class FakeWorld {
  readonly environments = new Map<string, EnvironmentDetail>()
  readonly releases = new Map<string, ReleaseDetail[]>()
  /** By tenant/app/environment and rollout. */
  readonly looks = new Map<string, Look>()
  readonly variables = new Map<string, Record<string, Record<string, string>>>()
  readonly secrets = new Map<string, Map<string, { version: number; value: string }>>()
  readonly tokens = new Map<string, Principal>()
  readonly commands: { ref: EnvironmentRef; command: Command }[] = []
  readonly events: StoredEvent[] = []
  readonly lines: SourcedRecord[] = []
  readonly replicas: ObservedReplica[] = []
  readonly usage: ReplicaUsage[] = []
  readonly audit: string[] = []
  readonly failures: unknown[] = []
  readonly passwords = new Map<string, string>()
  silent: { part: string; cause: string }[] = []
  readonly recordedExecs: { readonly service: string; readonly replica: string; readonly argv: readonly string[] }[] = []
  readonly execs: { replica: string; argv: readonly string[] }[] = []
  readonly listeners = new Set<() => void>()
  uploaded = 0
  readonly uploaders: string[] = []
  registrationOpen = false
  notifyReach: Reach = 'internet'
  readonly notified: (NotifyTargetDetail & { readonly tenant: string })[] = []
  away = false
  #number = 0
  readonly #answers = new Map<string, { fingerprint: string; answer: Promise<Answer> }>()

  addEnvironment(ref: EnvironmentRef, state: Partial<EnvironmentState> = {}): EnvironmentDetail {
    const n = this.environments.size + 1
    const graph = graphOf(ref.app)
    const detail: EnvironmentDetail = {
      ...ref,
      id: `e${n}`,
      appNumber: n,
      createdAt: AT,
      current: state.current ?? null,
      newest: null,
      rollout: null,
      status: 'running',
      services: 1,
      replicas: 1,
      port: 8000 + n,
      routes: [{ host: `${ref.app}.localhost`, path: '/' }],
      updatedAt: AT,
      state: { ...INITIAL_STATE, ...state },
      graph,
      origins: { web: 1 },
      pendingCommands: 0,
      trouble: null,
      unbuilt: [],
      objectives: {},
      revision: 1,
    }
    this.environments.set(keyOf(ref), detail)
    return detail
  }

  addRelease(ref: EnvironmentRef, release: Partial<ReleaseDetail> = {}): ReleaseDetail {
    const all = this.releases.get(keyOf(ref)) ?? []
    const detail: ReleaseDetail = {
      number: all.length + 1,
      status: 'ready',
      source: { kind: 'git', url: 'https://git.example.com/shop.git', ref: 'main', commit: null, path: '.' },
      commit: null,
      by: 'ann',
      followed: false,
      createdAt: AT,
      readyAt: AT,
      promotedAt: null,
      because: null,
      graph: graphOf(ref.app),
      artifacts: {},
      fingerprints: {},
      configuration: { environment: {}, secrets: {} },
      origins: null,
      notes: [],
      manifest: null,
      ...release,
    }
    this.releases.set(keyOf(ref), [...all, detail])
    return detail
  }

  /** Returns the token's secret. */
  addToken(principal: Partial<Principal> & { readonly tenants: Principal['tenants'] }): string {
    const id = this.tokens.size + 1
    const secret = `secret-${id}`
    this.tokens.set(secret, { id: `token:${id}`, name: `user-${id}`, account: `user-${id}`, admin: false, environment: null, ...principal })
    return secret
  }

  addEvent(ref: EnvironmentRef, text: string): StoredEvent {
    const event: StoredEvent = { seq: this.events.length + 1, at: AT, ...ref, kind: 'rollout.started', text, service: null, release: null, data: {} }
    this.events.push(event)
    for (const changed of this.listeners) changed()
    return event
  }

  /** By default answers once with the argv, then echoes input until there is no more; exits with the number of bytes it got. */
  exec: (argv: readonly string[]) => ExecSession = echo

  readonly telemetry = new SimulatedTelemetry(() => Date.parse(AT))
  readonly kept = new KeptInMemory()

  ports(): ApiPorts {
    return {
      queries: this.#queries(),
      writes: this.#writes(),
      identity: {
        authenticate: async (secret) => this.#here() && (this.tokens.get(secret) ?? null),
        verifyPassword: async (name, password) => name === 'ann' && password === 'correct horse',
        hashPassword: async (password) => `hash of ${password}`,
        mintToken: () => ({ secret: `minted-${++this.#number}`, hash: new Uint8Array([1]) }),
      },
      live: {
        observe: async () => ({ replicas: this.replicas, resources: [], refused: [] }),
        usage: async () => this.usage,
      },
      planner: {
        plan: async () => ({
          base: null,
          strategy: 'rolling',
          steps: [],
          judged: [],
          notJudged: [],
          changes: [{ service: 'web', kind: 'added', reasons: ['first release'] }],
          untouched: [],
          stages: [{ services: [{ service: 'web', manner: 'beside', preStart: [] }] }],
          resources: [],
          routes: { added: [], removed: [] },
          breaks: [],
          notWarm: [],
          keepMs: 300_000,
          refusal: null,
          notes: [],
        }),
        verify: async () => [{ service: 'web', differs: [] }],
        appOf: async (_tenant, _source, otherwise) => otherwise,
      },
      builds: {
        observe: async () => ({}),
        async *log(_ref, _release, { from }) {
          const text = 'installing\nbuilding\n'
          for (let at = from['web'] ?? 0; at < text.length; at += 5)
            yield { service: 'web', offset: Math.min(at + 5, text.length), text: text.slice(at, at + 5) }
        },
      },
      logs: fakeLogs(this.lines),
      telemetry: this.telemetry,
      kept: this.kept,
      replay: async () => ({ blocks: 3, same: true, problem: null }),
      exec: {
        open: async (replica, argv) => {
          this.execs.push({ replica, argv })
          return this.exec(argv)
        },
      },
      uploads: {
        receive: async (tenant, tar) => {
          this.uploaders.push(tenant)
          for await (const chunk of tar) this.uploaded += chunk.length
          return { digest: `sha256:${'0'.repeat(64)}`, files: 1 }
        },
      },
      checkGitSource: ({ url, ref }) => {
        if (url.startsWith('-')) throw new WeirError('E_SOURCE_URL', { message: 'cannot follow it' })
        if (ref?.startsWith('-')) throw new WeirError('E_USAGE', { message: 'no branch' })
      },
      eventsChanged: (changed) => {
        this.listeners.add(changed)
        return () => this.listeners.delete(changed)
      },
      silentParts: async () => this.silent,
      failed: (_id, error) => this.failures.push(error),
      now: () => Date.parse(AT),
      random: (bytes) => (++this.#number).toString(16).padStart(bytes * 2, '0'),
    }
  }

  #here(): true {
    if (this.away) throw new WeirError('E_UNAVAILABLE', { message: 'the store does not answer' })
    return true
  }

  #queries(): Queries {
    const environment = async (ref: EnvironmentRef) => this.#here() && (this.environments.get(keyOf(ref)) ?? null)
    const ofApp = (tenant: string, app: string) => [...this.environments.values()].filter((it) => it.tenant === tenant && it.app === app)
    return {
      apps: async (tenant, page) => {
        const names = [...new Set([...this.environments.values()].filter((it) => it.tenant === tenant).map((it) => it.app))].sort()
        return pageOf(
          names.map((app) => ({ app, createdAt: AT, environments: ofApp(tenant, app) })),
          page,
        )
      },
      environments: async (tenant, app) => (ofApp(tenant, app).length > 0 ? ofApp(tenant, app) : null),
      environment,
      releases: async (ref, page) => pageOf([...(this.releases.get(keyOf(ref)) ?? [])].reverse(), page),
      release: async (ref, number) => this.releases.get(keyOf(ref))?.find((it) => it.number === number) ?? null,
      rollouts: async (_ref, page) => pageOf([], page),
      rollout: async () => null,
      look: async (ref, rollout) => this.looks.get(`${keyOf(ref)} ${rollout}`) ?? null,
      evidence: async () => [],
      trials: async (_ref, page) => pageOf([], page),
      operations: async (_ref, page) => pageOf([], page),
      command: async (ref, id) => {
        const it = this.commands[id - 1]
        return it && keyOf(it.ref) === keyOf(ref) ? { id, kind: it.command.kind, by: 'ann', outcome: 'pending', because: null, rollout: null, at: AT } : null
      },
      events: async (filter, after, limit) =>
        this.events
          .filter(
            (it) =>
              it.seq > after && it.tenant === filter.tenant && (filter.app ?? it.app) === it.app && (filter.environment ?? it.environment) === it.environment,
          )
          .slice(0, limit),
      newestEvents: async ({ tenant, app, environment }, page) => {
        const own = this.events.filter((it) => it.tenant === tenant && (app ?? it.app) === it.app && (environment ?? it.environment) === it.environment)
        return pageOf(own.reverse(), page)
      },
      lastEvent: async () => this.events.length,
      audit: async (_tenant, page) => pageOf([], page),
      configuration: async (ref) => {
        const there = await environment(ref)
        const secrets = [...(this.secrets.get(keyOf(ref)) ?? [])].map(([name, { version }]) => ({ name, version, by: 'ann', at: AT }))
        return there && { environment: this.variables.get(keyOf(ref)) ?? {}, secrets, current: null }
      },
      follows: async () => [],
      credentials: async (_tenant, page) => pageOf([], page),
      notifyTargets: async (tenant, page) =>
        pageOf(
          this.notified.filter((it) => it.tenant === tenant),
          page,
        ),
      notifyTarget: async (tenant, id) => this.notified.find((it) => it.tenant === tenant && it.id === id) ?? null,
      deliveries: async (_tenant, _target, page) => pageOf([], page),
      notifyReach: async () => this.notifyReach,
      traffic: async () => [
        { service: 'web', origin: 1, track: 'stable', hop: 'entry', requests: 90, errors: 1, rejected4xx: 2, aborted: 0, latency: [100, 90] },
        { service: 'web', origin: 1, track: 'stable', hop: 'x1', requests: 10, errors: 0, rejected4xx: 0, aborted: 0, latency: [300, 10] },
      ],
      indicators: async (_ref, { windowsMs }) => {
        const counts = { requests: 100, errors: 1, rejected4xx: 2, latency: [100, 90, 300, 10] }
        return [{ service: 'web', route: null, release: null, windows: windowsMs.map(() => counts) }]
      },
      probes: async () => [
        { service: 'web', probe: 'home', counts: { requests: 5, errors: 1, rejected4xx: 0, latency: [100, 5] }, last: { ok: false, durationMs: 250 } },
        { service: 'web', probe: 'gone', counts: { requests: 1, errors: 0, rejected4xx: 0, latency: [100, 1] }, last: { ok: true, durationMs: 5 } },
      ],
      usage: async (_ref, { by }) => [
        { service: 'web', release: by === 'release' ? 1 : null, replicas: 2, cpu: 0.25, memoryBytes: 2 ** 26, memoryPeakBytes: 2 ** 27 },
      ],
      tokens: async (tenant, page) => {
        const own = [...this.tokens.values()].filter((it) => Object.hasOwn(it.tenants, tenant))
        const tokens = own.map(({ id, name, account, environment }) => ({
          id: Number(id.slice(6)),
          label: name,
          account,
          environment,
          verbs: null,
          createdAt: AT,
          expiresAt: AT,
          revokedAt: null,
        }))
        return pageOf(tokens, page)
      },
      members: async (_tenant, page) => pageOf([], page),
      accounts: async (page) => pageOf([], page),
      tenants: async (page) => pageOf([], page),
      everyEnvironment: async () => [...this.environments.values()].map(({ id, tenant, app, environment }) => ({ id, tenant, app, environment })),
      registrationOpen: async () => this.registrationOpen,
      health: async () => ({ schema: this.#here() ? 1 : 0, epoch: 1, holder: null }),
    }
  }

  #writes(): Writes {
    return {
      transaction: async ({ by, scope, idempotency }, work) => {
        this.#here()
        const run = async () => {
          const answer = await work(this.#writer())
          this.audit.push(by)
          return JSON.parse(JSON.stringify(answer)) as Answer
        }
        if (!idempotency) return { ...(await run()), replayed: false }
        const key = `${scope} ${idempotency.key}`
        const earlier = this.#answers.get(key)
        if (earlier && earlier.fingerprint !== idempotency.fingerprint)
          throw new WeirError('E_IDEMPOTENCY', { message: 'the idempotency key was used with another request' })
        if (earlier) return { ...(await earlier.answer), replayed: true }
        const answer = run()
        this.#answers.set(key, { fingerprint: idempotency.fingerprint, answer })
        answer.catch(() => this.#answers.delete(key))
        return { ...(await answer), replayed: false }
      },
    }
  }

  #writer(): Writer {
    const there = (ref: EnvironmentRef) => {
      const detail = this.environments.get(keyOf(ref))
      if (!detail) throw new WeirError('E_NOT_FOUND', { message: `no environment ${ref.app}/${ref.environment}` })
      return detail
    }
    return {
      createTenant: async () => {},
      createAccount: async () => {},
      setPassword: async (account, hash) => void this.passwords.set(account, hash),
      setRole: async () => {},
      setRegistration: async (open) => void (this.registrationOpen = open),
      createToken: async () => 99,
      revokeToken: async () => {},
      ensureEnvironment: async (ref) => {
        const created = !this.environments.has(keyOf(ref))
        return { id: (created ? this.addEnvironment(ref) : there(ref)).id, created }
      },
      createRelease: async (ref, release) => {
        there(ref)
        return { environment: there(ref).id, number: this.addRelease(ref, { source: release.source, status: 'queued' }).number }
      },
      addCommand: async (ref, command) => {
        there(ref)
        return this.commands.push({ ref, command })
      },
      recordExec: async (ref, session) => {
        there(ref)
        this.recordedExecs.push(session)
      },
      setVariables: async (ref, service, changes) => {
        there(ref)
        const all = this.variables.get(keyOf(ref)) ?? {}
        const values = Object.fromEntries(Object.entries({ ...all[service], ...changes }).filter((it): it is [string, string] => it[1] !== null))
        this.variables.set(keyOf(ref), { ...all, [service]: values })
      },
      setObjectives: async (ref, service, changes) => {
        const detail = there(ref)
        const own = Object.entries({ ...detail.objectives[service], ...changes }).filter(([, value]) => value !== null)
        this.environments.set(keyOf(ref), { ...detail, objectives: { ...detail.objectives, [service]: Object.fromEntries(own) } })
      },
      setSecret: async (ref, name, value) => {
        there(ref)
        const own = this.secrets.get(keyOf(ref)) ?? new Map<string, { version: number; value: string }>()
        const version = (own.get(name)?.version ?? 0) + 1
        this.secrets.set(keyOf(ref), own.set(name, { version, value: Buffer.from(value).toString('utf8') }))
        return version
      },
      removeSecret: async (ref) => void there(ref),
      follow: async (ref) => (there(ref), 1),
      unfollow: async (ref) => void there(ref),
      setCredential: async () => {},
      addNotifyTarget: async (tenant, { app, environment, topics, address }) => {
        const counts = { waiting: 0, dead: 0, problem: null, deliveredAt: null }
        const id = this.notified.length + 1
        this.notified.push({ tenant, id, app, environment, kind: address.kind, place: shownPlace(address), topics, by: 'ann', at: AT, ...counts })
        return id
      },
      removeNotifyTarget: async (tenant, id) => {
        const at = this.notified.findIndex((it) => it.tenant === tenant && it.id === id)
        if (at === -1) throw new WeirError('E_NOT_FOUND', { message: `no target ${id}` })
        this.notified.splice(at, 1)
      },
      tryNotifyTarget: async () => 'd1',
      setNotifyReach: async (reach) => void (this.notifyReach = reach),
    }
  }
}

export const AT = '2026-01-02T03:04:05.000Z'

export const VERBS_OF = { viewer: verbsOf('viewer'), developer: verbsOf('developer'), admin: verbsOf('admin') } as const

export function testOptions(limits: Partial<ApiOptions['limits']> = {}): ApiOptions {
  return {
    version: '0.0.0-test',
    socketPath: null,
    listen: { host: '127.0.0.1', port: 0 },
    defaultTenant: 'default',
    gateway: { host: '127.0.0.1', port: 8080 },
    limits: { ...DEFAULT_LIMITS, rate: { perSecond: 10_000, burst: 10_000 }, attempts: { perSecond: 10_000, burst: 10_000 }, ...limits },
  }
}

function echo(argv: readonly string[]): ExecSession {
  const exit = Promise.withResolvers<ExitStatus>()
  const written = new PassThrough()
  let bytes = 0
  return {
    output: (async function* () {
      yield { stream: 'err' as const, bytes: Buffer.from(argv.join(' ')) }
      for await (const chunk of written) yield { stream: 'out' as const, bytes: chunk as Buffer }
    })(),
    exit: exit.promise,
    write: async (chunk) => {
      bytes += chunk.length
      written.write(chunk)
    },
    endInput: () => {
      written.end()
      exit.resolve({ kind: 'code', code: bytes })
    },
    signal: (signal) => {
      written.end()
      exit.resolve({ kind: 'signal', signal })
    },
    close: () => written.destroy(),
  }
}

function fakeLogs(lines: SourcedRecord[]): ApiPorts['logs'] {
  return {
    sources: async () => [...new Set(lines.map((it) => it.source))].map((id) => ({ id, bytes: 1, changed: 1 })),
    async *read(_environment, { ids, since, until, limit, follow, signal }) {
      const wanted = (it: SourcedRecord) => (ids ?? [it.source]).includes(it.source) && it.time >= (since ?? 0) && it.time <= (until ?? Infinity)
      yield* lines.filter(wanted).slice(-limit)
      let seen = lines.length
      while (follow === true && !signal?.aborted) {
        // oxlint-disable-line no-unmodified-loop-condition -- a signal changes by itself
        await new Promise((resolve) => setTimeout(resolve, 5))
        const fresh = lines.slice(seen)
        seen += fresh.length
        yield* fresh.filter(wanted)
      }
    },
  }
}

function graphOf(app: string): AppGraph {
  const web = {
    name: 'web',
    artifact: { kind: 'build' as const, context: '.', command: null, output: null },
    command: ['node', 'server.js'],
    ports: { http: { number: 8080, protocol: 'http' as const } },
    routes: [{ host: `${app}.localhost`, path: '/', port: 'http' }],
    dependsOn: {},
    calls: [],
    uses: [],
    healthcheck: { kind: 'tcp' as const, port: 'http', intervalMs: 1000, timeoutMs: 1000, retries: 3, startPeriodMs: 1000 },
    environment: {},
    secrets: [],
    limits: { cpu: 1, memoryBytes: 1 },
    stop: { signal: 'SIGTERM' as const, graceMs: 1000 },
    volumes: [],
    preStart: [],
    scale: { min: 1, max: 5 },
    scaler: 'auto' as const,
    release: { strategy: 'rolling' as const, steps: [], split: null, keepMs: 1000 },
    objectives: {},
  }
  const jobs = { nightly: { name: 'nightly', service: 'web', schedule: '0 3 * * *', command: ['node', 'report.js'], timeoutMs: 1000 } }
  return { app, format: 'weir', services: { web }, resources: {}, jobs, entry: null }
}

function keyOf({ tenant, app, environment }: EnvironmentRef): string {
  return `${tenant}/${app}/${environment}`
}

function pageOf<T>(items: readonly T[], { limit, cursor }: PageRequest): Page<T> {
  const from = Number(cursor ?? 0)
  if (!Number.isSafeInteger(from)) throw new WeirError('E_USAGE', { message: 'the cursor is not one that a list gave' })
  return { items: items.slice(from, from + limit), cursor: from + limit < items.length ? String(from + limit) : null }
}
