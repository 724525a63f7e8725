/**
 * Every route of the API, as plain data: no schema library is loaded by reading it, so that a client starts fast.
 * `contract.ts` holds the schemas under the same ids; the server registers exactly these routes and refuses one without a verb.
 */
export interface RouteEntry {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With `{name}` for parameters, as OpenAPI writes it. */
  readonly path: string
  /** What a token must be allowed to do; see VERBS. */
  readonly verb: Verb
  readonly summary: string
  readonly status: 200 | 201 | 202
  /**
   * After a lost connection:
   *
   * | retry | the request                                               | sent again |
   * |-------|-----------------------------------------------------------|------------|
   * | safe  | changes nothing, or the same as before when repeated       | yes        |
   * | key   | carries an `Idempotency-Key`: same key, same answer        | yes        |
   * | never | hands out a secret once, or starts something interactive   | no         |
   */
  readonly retry: 'safe' | 'key' | 'never'
  /** sse: `text/event-stream`; upload: the body is a tar; upgrade: the connection becomes the exec stream; text: not JSON. */
  readonly stream?: 'sse' | 'upload' | 'upgrade' | 'text'
}

/** What can be done inside a tenant, in one environment or in all. */
export type TenantVerb =
  | 'app:read'
  | 'logs:read'
  | 'app:deploy'
  | 'app:operate'
  | 'app:scale'
  | 'app:exec'
  | 'app:remove'
  | 'config:write'
  | 'secret:write'
  | 'credential:write'
  | 'token:manage'
  | 'member:manage'
  | 'audit:read'
/** What can be done to the whole installation; only its admins may. */
export type InstallationVerb = 'account:manage' | 'tenant:manage' | 'installation:read' | 'installation:write'
/** `public`: anyone, without a token. `self`: anyone with a token, about themselves. */
export type Verb = 'public' | 'self' | TenantVerb | InstallationVerb

const V1 = '/api/v1'
const APP = `${V1}/apps/{app}`
const ENV = `${APP}/environments/{environment}`

export const ROUTES = {
  'system.livez': { method: 'GET', path: '/livez', verb: 'public', status: 200, retry: 'safe', summary: 'The process runs' },
  'system.readyz': {
    method: 'GET',
    path: '/readyz',
    verb: 'public',
    status: 200,
    retry: 'safe',
    summary: 'Store, runner and gateway answer; 503 with which does not',
  },
  'system.metrics': {
    method: 'GET',
    path: '/metrics',
    verb: 'installation:read',
    status: 200,
    retry: 'safe',
    stream: 'text',
    summary: "The platform's own numbers for Prometheus",
  },
  'system.openapi': { method: 'GET', path: `${V1}/openapi.json`, verb: 'public', status: 200, retry: 'safe', summary: 'This description' },
  'system.version': { method: 'GET', path: `${V1}/version`, verb: 'public', status: 200, retry: 'safe', summary: 'Version of the server' },
  'system.health': {
    method: 'GET',
    path: `${V1}/health`,
    verb: 'installation:read',
    status: 200,
    retry: 'safe',
    summary: 'How the server and its store stand',
  },
  'settings.show': { method: 'GET', path: `${V1}/settings`, verb: 'installation:read', status: 200, retry: 'safe', summary: 'Settings of the installation' },
  'settings.update': {
    method: 'PATCH',
    path: `${V1}/settings`,
    verb: 'installation:write',
    status: 200,
    retry: 'key',
    summary: 'Who may make an account, how far notifications may reach',
  },

  'identity.whoami': { method: 'GET', path: `${V1}/whoami`, verb: 'self', status: 200, retry: 'safe', summary: 'Who the token belongs to and what it may do' },
  'identity.login': { method: 'POST', path: `${V1}/login`, verb: 'public', status: 201, retry: 'never', summary: 'Name and password for a token, shown once' },
  'accounts.create': {
    method: 'POST',
    path: `${V1}/accounts`,
    verb: 'public',
    status: 201,
    retry: 'key',
    summary: 'Make an account: anyone while registration is open, else an admin',
  },
  'accounts.list': { method: 'GET', path: `${V1}/accounts`, verb: 'account:manage', status: 200, retry: 'safe', summary: 'Accounts of the tenant' },
  'accounts.password': {
    method: 'PUT',
    path: `${V1}/accounts/{account}/password`,
    verb: 'self',
    status: 200,
    retry: 'never',
    summary: "Change one's password, or as an admin anybody's; ends the account's log-ins",
  },
  'tokens.create': {
    method: 'POST',
    path: `${V1}/tokens`,
    verb: 'token:manage',
    status: 201,
    retry: 'key',
    summary: 'Make a token with at most the rights one has, shown once',
  },
  'tokens.list': { method: 'GET', path: `${V1}/tokens`, verb: 'token:manage', status: 200, retry: 'safe', summary: "One's tokens, without their secrets" },
  'tokens.revoke': {
    method: 'DELETE',
    path: `${V1}/tokens/{token}`,
    verb: 'self',
    status: 200,
    retry: 'key',
    summary: 'End a token; `current` is the one that asks',
  },
  'tenants.list': { method: 'GET', path: `${V1}/tenants`, verb: 'self', status: 200, retry: 'safe', summary: 'Tenants one belongs to' },
  'tenants.create': { method: 'POST', path: `${V1}/tenants`, verb: 'tenant:manage', status: 201, retry: 'key', summary: 'Make a tenant' },
  'members.list': {
    method: 'GET',
    path: `${V1}/members`,
    verb: 'member:manage',
    status: 200,
    retry: 'safe',
    summary: 'Accounts of the tenant and their roles',
  },
  'members.set': {
    method: 'PUT',
    path: `${V1}/members/{account}`,
    verb: 'member:manage',
    status: 200,
    retry: 'key',
    summary: 'Give an account a role in the tenant, or take it away',
  },

  'apps.list': { method: 'GET', path: `${V1}/apps`, verb: 'app:read', status: 200, retry: 'safe', summary: 'Apps of the tenant' },
  'apps.create': { method: 'PUT', path: APP, verb: 'app:deploy', status: 200, retry: 'key', summary: 'Make the app unless it is there' },
  'apps.show': { method: 'GET', path: APP, verb: 'app:read', status: 200, retry: 'safe', summary: 'One app with its environments' },
  'apps.remove': {
    method: 'DELETE',
    path: APP,
    verb: 'app:remove',
    status: 202,
    retry: 'key',
    summary: 'Remove the app with all its environments; data stays unless asked',
  },
  'environments.list': { method: 'GET', path: `${APP}/environments`, verb: 'app:read', status: 200, retry: 'safe', summary: 'Environments of an app' },
  'environments.create': { method: 'PUT', path: ENV, verb: 'app:deploy', status: 200, retry: 'key', summary: 'Make the environment unless it is there' },
  'environments.show': {
    method: 'GET',
    path: ENV,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'Services, replicas, addresses, release and rollout',
  },
  'environments.remove': {
    method: 'DELETE',
    path: ENV,
    verb: 'app:remove',
    status: 202,
    retry: 'key',
    summary: 'Remove the environment; data stays unless asked',
  },
  'environments.stop': {
    method: 'POST',
    path: `${ENV}/stop`,
    verb: 'app:operate',
    status: 202,
    retry: 'key',
    summary: 'Stop a service or the whole app, keeping data',
  },
  'environments.start': { method: 'POST', path: `${ENV}/start`, verb: 'app:operate', status: 202, retry: 'key', summary: 'Start what was stopped' },
  'environments.restart': {
    method: 'POST',
    path: `${ENV}/restart`,
    verb: 'app:operate',
    status: 202,
    retry: 'key',
    summary: 'Replace the replicas one after the other',
  },
  'services.scale': {
    method: 'PUT',
    path: `${ENV}/services/{service}/scale`,
    verb: 'app:scale',
    status: 202,
    retry: 'key',
    summary: 'Replicas by hand or by an outside scaler; null gives the decision back',
  },

  'uploads.create': {
    method: 'POST',
    path: `${V1}/uploads`,
    verb: 'app:deploy',
    status: 201,
    retry: 'safe',
    stream: 'upload',
    summary: 'Send a folder as a tar; answers its digest',
  },
  'releases.list': { method: 'GET', path: `${ENV}/releases`, verb: 'app:read', status: 200, retry: 'safe', summary: 'Releases, newest first' },
  'releases.create': { method: 'POST', path: `${ENV}/releases`, verb: 'app:deploy', status: 202, retry: 'key', summary: 'Build a release and roll it out' },
  'releases.show': { method: 'GET', path: `${ENV}/releases/{release}`, verb: 'app:read', status: 200, retry: 'safe', summary: 'One release' },
  'releases.diff': {
    method: 'GET',
    path: `${ENV}/releases/{release}/diff/{other}`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'What differs between two releases',
  },
  'releases.log': {
    method: 'GET',
    path: `${ENV}/releases/{release}/log`,
    verb: 'logs:read',
    status: 200,
    retry: 'safe',
    stream: 'sse',
    summary: 'Build log, to its end',
  },
  'sources.app': {
    method: 'POST',
    path: `${V1}/sources/app`,
    verb: 'app:deploy',
    status: 200,
    retry: 'safe',
    summary: 'Which app a repository says that it is; fetches it, changes nothing',
  },
  'plan.create': { method: 'POST', path: `${ENV}/plan`, verb: 'app:deploy', status: 200, retry: 'safe', summary: 'What a deploy would do; changes nothing' },
  'build.verify': {
    method: 'POST',
    path: `${ENV}/verify`,
    verb: 'app:deploy',
    status: 200,
    retry: 'never',
    summary: 'Build twice from nothing and list what differs; changes nothing',
  },
  'promote.create': {
    method: 'POST',
    path: `${ENV}/promote`,
    verb: 'app:deploy',
    status: 202,
    retry: 'key',
    summary: 'The same artifacts from another environment of the app',
  },

  'rollouts.list': { method: 'GET', path: `${ENV}/rollouts`, verb: 'app:read', status: 200, retry: 'safe', summary: 'Rollouts, newest first' },
  'rollouts.show': { method: 'GET', path: `${ENV}/rollouts/{rollout}`, verb: 'app:read', status: 200, retry: 'safe', summary: 'One rollout' },
  'rollouts.evidence': {
    method: 'GET',
    path: `${ENV}/rollouts/{rollout}/evidence`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'What a rollout was judged by: every test with its counts',
  },
  'trials.list': {
    method: 'GET',
    path: `${ENV}/trials`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'Promoted releases judged silently against themselves, newest first: how often the judge is wrong',
  },
  'rollout.current': { method: 'GET', path: `${ENV}/rollout`, verb: 'app:read', status: 200, retry: 'safe', summary: 'The running rollout, or null' },
  'rollout.weight': {
    method: 'PUT',
    path: `${ENV}/rollout/weight`,
    verb: 'app:operate',
    status: 202,
    retry: 'key',
    summary: "Set the new release's share of the traffic",
  },
  'rollout.promote': {
    method: 'POST',
    path: `${ENV}/rollout/promote`,
    verb: 'app:operate',
    status: 202,
    retry: 'key',
    summary: 'Give the new release everything',
  },
  'rollout.abort': { method: 'POST', path: `${ENV}/rollout/abort`, verb: 'app:operate', status: 202, retry: 'key', summary: 'Take the new release back' },
  'rollout.pause': { method: 'POST', path: `${ENV}/rollout/pause`, verb: 'app:operate', status: 202, retry: 'key', summary: 'Hold the rollout where it is' },
  'rollout.resume': {
    method: 'POST',
    path: `${ENV}/rollout/resume`,
    verb: 'app:operate',
    status: 202,
    retry: 'key',
    summary: 'Go on; for a waiting canary step: approve it',
  },
  'rollback.create': {
    method: 'POST',
    path: `${ENV}/rollback`,
    verb: 'app:operate',
    status: 202,
    retry: 'key',
    summary: 'Back to an earlier release, configuration included',
  },
  'commands.show': {
    method: 'GET',
    path: `${ENV}/commands/{command}`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'What became of an accepted command',
  },

  'variables.show': {
    method: 'GET',
    path: `${ENV}/variables`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'Environment variables, staged and current; carries an ETag',
  },
  'variables.update': {
    method: 'PATCH',
    path: `${ENV}/variables`,
    verb: 'config:write',
    status: 200,
    retry: 'key',
    summary: 'Stage variables for the next release; honours If-Match',
  },
  'secrets.list': {
    method: 'GET',
    path: `${ENV}/secrets`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'Names and versions; values are never read back',
  },
  'secrets.set': {
    method: 'PUT',
    path: `${ENV}/secrets/{secret}`,
    verb: 'secret:write',
    status: 200,
    retry: 'key',
    summary: 'Write a new version of a secret',
  },
  'secrets.remove': { method: 'DELETE', path: `${ENV}/secrets/{secret}`, verb: 'secret:write', status: 200, retry: 'key', summary: 'Forget a secret' },
  'credentials.list': {
    method: 'GET',
    path: `${V1}/credentials`,
    verb: 'credential:write',
    status: 200,
    retry: 'safe',
    summary: 'Credentials for repositories, without their values',
  },
  'credentials.set': {
    method: 'PUT',
    path: `${V1}/credentials`,
    verb: 'credential:write',
    status: 200,
    retry: 'key',
    summary: 'Keep a git token, a deploy key or known hosts',
  },
  'credentials.remove': { method: 'DELETE', path: `${V1}/credentials`, verb: 'credential:write', status: 200, retry: 'key', summary: 'Forget a credential' },
  'follow.list': { method: 'GET', path: `${ENV}/follow`, verb: 'app:read', status: 200, retry: 'safe', summary: 'Branches whose commits become releases' },
  'follow.create': { method: 'POST', path: `${ENV}/follow`, verb: 'config:write', status: 201, retry: 'key', summary: 'Follow a branch' },
  'follow.remove': { method: 'DELETE', path: `${ENV}/follow/{follow}`, verb: 'config:write', status: 200, retry: 'key', summary: 'Follow it no more' },

  'notifications.list': {
    method: 'GET',
    path: `${V1}/notifications`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'Who outside is told of what happens, and how that goes',
  },
  'notifications.create': {
    method: 'POST',
    path: `${V1}/notifications`,
    verb: 'config:write',
    status: 201,
    retry: 'key',
    summary: 'Tell a webhook, Slack or people by e-mail',
  },
  'notifications.remove': {
    method: 'DELETE',
    path: `${V1}/notifications/{notification}`,
    verb: 'config:write',
    status: 200,
    retry: 'key',
    summary: 'Tell it no more',
  },
  'notifications.test': {
    method: 'POST',
    path: `${V1}/notifications/{notification}/test`,
    verb: 'config:write',
    status: 202,
    retry: 'key',
    summary: 'Send a test message, once',
  },
  'notifications.deliveries': {
    method: 'GET',
    path: `${V1}/notifications/{notification}/deliveries`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'Messages to a target, newest first: taken, waiting, given up',
  },

  'jobs.list': { method: 'GET', path: `${ENV}/jobs`, verb: 'app:read', status: 200, retry: 'safe', summary: 'Scheduled jobs' },
  'jobs.run': { method: 'POST', path: `${ENV}/jobs/{job}/run`, verb: 'app:operate', status: 202, retry: 'key', summary: 'Run a job now' },
  'tasks.create': { method: 'POST', path: `${ENV}/run`, verb: 'app:exec', status: 202, retry: 'key', summary: 'Run a command once, in a process of its own' },
  'tasks.show': { method: 'GET', path: `${ENV}/tasks/{task}`, verb: 'app:read', status: 200, retry: 'safe', summary: 'How a task stands or ended' },
  'tasks.output': {
    method: 'GET',
    path: `${ENV}/tasks/{task}/output`,
    verb: 'logs:read',
    status: 200,
    retry: 'safe',
    stream: 'sse',
    summary: 'What a task prints, to its end',
  },
  'exec.open': {
    method: 'GET',
    path: `${ENV}/exec`,
    verb: 'app:exec',
    status: 200,
    retry: 'never',
    stream: 'upgrade',
    summary: 'Run a command inside a running replica',
  },

  'logs.list': { method: 'GET', path: `${ENV}/logs`, verb: 'logs:read', status: 200, retry: 'safe', summary: 'Lines of all services, merged by time' },
  'logs.search': {
    method: 'GET',
    path: `${ENV}/logs/search`,
    verb: 'logs:read',
    status: 200,
    retry: 'safe',
    summary: 'Kept log records of services and SDKs, by words, level, service, release and trace',
  },
  'logs.follow': { method: 'GET', path: `${ENV}/logs/follow`, verb: 'logs:read', status: 200, retry: 'safe', stream: 'sse', summary: 'Lines as they come' },
  'counters.show': {
    method: 'GET',
    path: `${ENV}/counters`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'Requests, errors and latency per service over the last minutes',
  },
  'indicators.show': {
    method: 'GET',
    path: `${ENV}/indicators`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'Latency, errors, throughput and availability by service, release or route, the busiest first',
  },
  'usage.show': {
    method: 'GET',
    path: `${ENV}/usage`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'Processor time and memory of the replicas that run',
  },
  'objectives.show': {
    method: 'GET',
    path: `${ENV}/objectives`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'How services stand to their objectives, and how fast their error budgets burn',
  },
  'objectives.set': {
    method: 'PATCH',
    path: `${ENV}/services/{service}/objectives`,
    verb: 'app:operate',
    status: 200,
    retry: 'key',
    summary: 'Objectives without a release; null takes one back to what the manifest says',
  },
  'metrics.show': {
    method: 'GET',
    path: `${V1}/metrics`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    stream: 'text',
    summary: 'Numbers of the apps for Prometheus: requests, errors, latency, objectives, replicas',
  },
  'graph.show': {
    method: 'GET',
    path: `${ENV}/graph`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'Services and who calls whom, with calls, errors and latencies, from the traces of the last minutes',
  },
  'why.show': {
    method: 'GET',
    path: `${ENV}/why`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'Which service makes requests slow or fail, and why: one sentence with its evidence',
  },
  'errors.show': {
    method: 'GET',
    path: `${ENV}/errors`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'Errors by what they have in common, the most frequent first, with how often each release met them and whether they are new',
  },
  'traces.list': {
    method: 'GET',
    path: `${ENV}/traces`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'Traces: the recent ones and those that were kept',
  },
  'traces.show': {
    method: 'GET',
    path: `${ENV}/traces/{trace}`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'One trace: its spans, their own time, and the critical path',
  },
  'samples.names': {
    method: 'GET',
    path: `${ENV}/samples/names`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'Metrics that services sent by OTLP or StatsD, by name',
  },
  'samples.list': {
    method: 'GET',
    path: `${ENV}/samples`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'Points of one metric that services sent, newest first',
  },
  'operations.list': {
    method: 'GET',
    path: `${ENV}/operations`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    summary: 'Effects on the world, with their outcome',
  },
  'events.list': { method: 'GET', path: `${V1}/events`, verb: 'app:read', status: 200, retry: 'safe', summary: 'What happened, newest first' },
  'events.follow': {
    method: 'GET',
    path: `${V1}/events/follow`,
    verb: 'app:read',
    status: 200,
    retry: 'safe',
    stream: 'sse',
    summary: 'What happens; resumes after Last-Event-ID',
  },
  'audit.list': { method: 'GET', path: `${V1}/audit`, verb: 'audit:read', status: 200, retry: 'safe', summary: 'Who changed what, newest first' },
} as const satisfies Record<string, RouteEntry>

export type RouteId = keyof typeof ROUTES
