import type { Run } from './session.ts'

/**
 * Every verb of `weir`: what help, parsing and completion need to know. The code of a verb is loaded when it is called, so that none
 * pays for the others. Names of arguments say what completes them: …app, …service, …release, …environment, file.
 */
export interface Verb {
  /** Words to type, for example `canary weight`. */
  readonly path: string
  readonly aliases?: readonly string[]
  readonly about: string
  readonly group: Group
  /** As commander writes them: `<needed>`, `[optional]`, `<many...>`. */
  readonly args?: string
  readonly options?: readonly (readonly [flags: string, about: string])[]
  /** Runs when the parent word stands alone: `weir releases`. */
  readonly isDefault?: boolean
  readonly hidden?: boolean
  readonly load: () => Promise<Run>
}

export type Group = 'This machine' | 'Deliver' | 'Look' | 'Operate' | 'Access' | 'Help'

const WAIT = ['--wait', 'show it going live (this is the default)'] as const
const DETACH = ['--no-wait', 'return as soon as the server has it'] as const
const TIMEOUT = ['--timeout <duration>', 'stop waiting after this long (the work goes on)'] as const
const CONFIRM = ['--confirm <name>', 'the name again, instead of a question'] as const
const WATCH = ['-w, --watch', 'show it again whenever it changes'] as const
const MINUTES = ['--minutes <count>', 'how far to look back (5)'] as const
const ACCEPT_SCHEMA = ['--accept-schema', 'also across a migration that is not declared compatible'] as const

const CREDENTIAL_KIND = [
  ['--ssh-key', 'it is a deploy key, not a token'],
  ['--known-hosts', 'it is lines of a known_hosts file'],
] as const
const SOURCE = [
  ['--commit <commit>', 'this commit'],
  ['--tag <tag>', 'this tag'],
  ['--branch <branch>', 'the newest commit of this branch'],
  ['--path <folder>', 'the app lies in this folder of the source'],
] as const

export const VERBS: readonly Verb[] = [
  {
    path: 'up',
    about: 'start Weir on this machine and deploy the current folder',
    group: 'This machine',
    options: [['--no-deploy', 'only start'], TIMEOUT],
    load: async () => (await import('../up.ts')).up,
  },
  { path: 'down', about: 'stop everything on this machine, keeping data', group: 'This machine', load: async () => (await import('../down.ts')).down },
  {
    path: 'server',
    about: 'run the control plane in the foreground',
    group: 'This machine',
    options: [['--join', 'be one of several on one database: the lease decides which one acts']],
    load: async () => (await import('../server.ts')).server,
  },
  {
    path: 'install',
    about: 'run as a systemd service, so that a reboot brings every app back',
    group: 'This machine',
    options: [
      ['--print', 'show the units, write nothing'],
      ['--root <dir>', 'write below this folder and do not call systemctl'],
    ],
    load: async () => (await import('../install.ts')).install,
  },
  {
    path: 'uninstall',
    about: 'take the systemd service away, keeping data',
    group: 'This machine',
    options: [['--root <dir>', 'the folder that install wrote below']],
    load: async () => (await import('../install.ts')).uninstall,
  },
  { path: 'doctor', about: 'check this machine and say what to do', group: 'This machine', load: async () => (await import('../doctor.ts')).doctor },

  {
    path: 'deploy',
    about: 'make a release and show it going live',
    group: 'Deliver',
    args: '[file|dir|git-url]',
    options: [
      ...SOURCE,
      ['--follow', 'from now on, release each new commit of the branch'],
      ['--supersede', 'end a rollout that is running; otherwise wait for it'],
      ['--again', 'though this very source was taken back here before'],
      ['--forward', 'what serves is broken: take over without being compared with it'],
      ['--dry-run', 'only show what it would do, as weir plan does'],
      WAIT,
      DETACH,
      TIMEOUT,
    ],
    load: async () => (await import('../deploy.ts')).deploy,
  },
  {
    path: 'build',
    about: 'build twice from nothing and list what differs',
    group: 'Deliver',
    args: '[file|dir|git-url]',
    options: [['--verify', 'the only form there is: deploy builds what is released'], ...SOURCE],
    load: async () => (await import('../build.ts')).build,
  },
  {
    path: 'plan',
    about: 'what a deploy would do: order, services, migrations, what cannot stay warm',
    group: 'Deliver',
    args: '[file|dir|git-url]',
    options: [...SOURCE, ['--detailed-exit-code', 'exit 2 when there is something to change']],
    load: async () => (await import('../plan.ts')).plan,
  },
  {
    path: 'diff',
    about: 'what a deploy would change',
    group: 'Deliver',
    args: '[file|dir|git-url]',
    options: [...SOURCE, ['--detailed-exit-code', 'exit 2 when there is something to change']],
    load: async () => (await import('../plan.ts')).diff,
  },
  {
    path: 'rollback',
    about: 'back to the release before, or to the one named',
    group: 'Deliver',
    args: '[release]',
    options: [ACCEPT_SCHEMA, WAIT, DETACH, TIMEOUT],
    load: async () => (await import('../rollback.ts')).rollback,
  },
  {
    path: 'promote',
    about: 'release the same artifacts in another environment',
    group: 'Deliver',
    args: '<from-environment> <to-environment>',
    options: [WAIT, DETACH, TIMEOUT],
    load: async () => (await import('../promote.ts')).promote,
  },
  {
    path: 'canary status',
    about: 'the rollout that is running, and what speaks for and against it',
    group: 'Deliver',
    isDefault: true,
    load: async () => (await import('../canary.ts')).status,
  },
  { path: 'canary why', about: 'what the newest release was judged by', group: 'Deliver', load: async () => (await import('../canary.ts')).why },
  {
    path: 'canary weight',
    about: 'give the new release this share of traffic',
    group: 'Deliver',
    args: '<percent>',
    load: async () => (await import('../canary.ts')).weight,
  },
  { path: 'canary promote', about: 'all traffic to the new release', group: 'Deliver', load: async () => (await import('../canary.ts')).promote },
  { path: 'canary abort', about: 'all traffic back, take the new release away', group: 'Deliver', load: async () => (await import('../canary.ts')).abort },
  { path: 'canary pause', about: 'hold the rollout where it is', group: 'Deliver', load: async () => (await import('../canary.ts')).pause },
  {
    path: 'canary resume',
    about: 'approve the next step, or let a paused rollout go on',
    group: 'Deliver',
    load: async () => (await import('../canary.ts')).resume,
  },

  { path: 'list', aliases: ['ls'], about: 'apps and where they answer', group: 'Look', load: async () => (await import('../list.ts')).list },
  {
    path: 'status',
    about: 'an app at a glance: release, services, rollout',
    group: 'Look',
    args: '[app]',
    options: [WATCH],
    load: async () => (await import('../status.ts')).status,
  },
  { path: 'ps', about: 'replicas', group: 'Look', args: '[app]', options: [WATCH], load: async () => (await import('../ps.ts')).ps },
  { path: 'info', aliases: ['show'], about: 'all about an app', group: 'Look', args: '[app]', load: async () => (await import('../info.ts')).info },
  {
    path: 'logs',
    about: 'what the services print, merged',
    group: 'Look',
    args: '[app]',
    options: [
      ['-f, --follow', 'go on as they print more'],
      ['-S, --since <duration|time>', 'from then on (1h, 2026-01-31T12:00)'],
      ['-U, --until <duration|time>', 'up to then'],
      ['-n, --lines <count>', 'at most the last so many'],
      ['--release <release>', 'only replicas that this release started'],
      ['--grep <words>', 'search: all of these words occur, in any case and order'],
      ['--level <level>', 'search: at least trace, debug, info, warn, error or fatal'],
      ['--trace <trace>', 'search: what was logged in this trace'],
    ],
    load: async () => (await import('../logs.ts')).logs,
  },
  {
    path: 'map',
    about: 'who calls whom, with calls, errors and latencies, from traces',
    group: 'Look',
    options: [MINUTES],
    load: async () => (await import('../map.ts')).map,
  },
  {
    path: 'why',
    about: 'which service makes requests slow or fail, and why; without one: what the newest release was judged by',
    group: 'Look',
    args: '[service]',
    options: [MINUTES],
    load: async () => (await import('../why.ts')).why,
  },
  {
    path: 'errors',
    about: 'errors by what they have in common: how often each was met, by which releases, and a trace to look at',
    group: 'Look',
    options: [
      ['--release <release>', 'only those that this release met'],
      ['-S, --since <duration|time>', 'from then on (1h, 2026-01-31T12:00), at most 24 hours ago; without it, the last hour'],
      ['-n, --lines <count>', 'at most so many (50)'],
    ],
    load: async () => (await import('../errors.ts')).errors,
  },
  {
    path: 'traces',
    about: 'traces, newest first; with -s, those that a service took part in',
    group: 'Look',
    options: [
      ['--errors', 'only those with a span that failed'],
      ['--slow', 'only those that took longer than 95 of 100 requests of their kind'],
      ['--slower-than <duration>', 'only those that took at least this long'],
      ['-S, --since <duration|time>', 'from then on (1h, 2026-01-31T12:00); without it, the last day'],
      ['-n, --lines <count>', 'at most so many (20)'],
    ],
    load: async () => (await import('../traces.ts')).traces,
  },
  {
    path: 'trace',
    about: 'one trace, with what the whole request waited for; the first digits of its id will do',
    group: 'Look',
    args: '<trace>',
    options: [['--logs', 'also what was logged in it']],
    load: async () => (await import('../trace.ts')).trace,
  },
  {
    path: 'indicators',
    about: 'requests, errors and latencies, by service or finer, the busiest first',
    group: 'Look',
    options: [['--by <what>', 'service, release, route or probe'], MINUTES],
    load: async () => (await import('../indicators.ts')).indicators,
  },
  {
    path: 'metrics',
    about: 'metrics that services send by OTLP or StatsD; with a name, its points, newest first',
    group: 'Look',
    args: '[name]',
    options: [
      ['-S, --since <duration|time>', 'from then on (1h, 2026-01-31T12:00); without it, the last hour'],
      ['-n, --lines <count>', 'at most so many (50 points)'],
    ],
    load: async () => (await import('../metrics.ts')).metrics,
  },
  {
    path: 'usage',
    about: 'processor time and memory of the replicas that run',
    group: 'Look',
    load: async () => (await import('../indicators.ts')).usageOfReplicas,
  },
  {
    path: 'slo status',
    about: 'objectives: what is wanted, what is, and how fast the error budget goes',
    group: 'Look',
    isDefault: true,
    load: async () => (await import('../slo.ts')).status,
  },
  {
    path: 'slo set',
    about: 'set objectives without a release: latency_p95=250ms availability=99.9% throughput=200/s',
    group: 'Operate',
    args: '<service> <objective=value...>',
    load: async () => (await import('../slo.ts')).set,
  },
  {
    path: 'slo unset',
    about: 'back to what the manifest says, for all objectives or the named ones',
    group: 'Operate',
    args: '<service> [objective...]',
    load: async () => (await import('../slo.ts')).unset,
  },
  {
    path: 'update_metrics',
    about: 'slo set, as EMP calls it',
    group: 'Operate',
    args: '<service> <objective=value...>',
    hidden: true,
    load: async () => (await import('../slo.ts')).set,
  },
  {
    path: 'events',
    about: 'what happened, and because of what',
    group: 'Look',
    options: [
      ['-f, --follow', 'go on as more happens'],
      ['-n, --lines <count>', 'at most the last so many'],
    ],
    load: async () => (await import('../events.ts')).events,
  },
  {
    path: 'releases list',
    about: 'history: who, when, what became of it',
    group: 'Look',
    isDefault: true,
    options: [['-n, --lines <count>', 'at most the last so many']],
    load: async () => (await import('../releases.ts')).list,
  },
  {
    path: 'releases show',
    about: 'one release, and what it was judged by',
    group: 'Look',
    args: '<release>',
    options: [['--replay', 'judge it again from the stored counts, and compare']],
    load: async () => (await import('../releases.ts')).show,
  },
  {
    path: 'releases diff',
    about: 'what differs between two',
    group: 'Look',
    args: '<from-release> <to-release>',
    load: async () => (await import('../releases.ts')).diff,
  },
  { path: 'jobs list', about: 'scheduled jobs and their last runs', group: 'Look', isDefault: true, load: async () => (await import('../jobs.ts')).list },
  { path: 'jobs run', about: 'run a job now', group: 'Look', args: '<job>', load: async () => (await import('../jobs.ts')).run },
  {
    path: 'tracing',
    about: 'print the address of the Zipkin that spans are forwarded to',
    group: 'Look',
    load: async () => (await import('../tracing.ts')).tracing,
  },
  {
    path: 'open',
    about: 'print the URL, and open it where there is a browser',
    group: 'Look',
    args: '[app]',
    load: async () => (await import('../open.ts')).open,
  },

  {
    path: 'scale',
    about: 'replicas by hand (web=3 api=2), or `auto` for what the manifest says',
    group: 'Operate',
    args: '<service=count...>',
    load: async () => (await import('../scale.ts')).scale,
  },
  { path: 'env list', about: 'variables set outside the manifest', group: 'Operate', isDefault: true, load: async () => (await import('../env.ts')).list },
  {
    path: 'env set',
    about: 'set variables; the next release takes them',
    group: 'Operate',
    args: '<name=value...>',
    load: async () => (await import('../env.ts')).set,
  },
  { path: 'env unset', about: 'take variables away', group: 'Operate', args: '<name...>', load: async () => (await import('../env.ts')).unset },
  {
    path: 'env apply',
    about: 'release the same source with what was set',
    group: 'Operate',
    options: [WAIT, DETACH, TIMEOUT],
    load: async () => (await import('../env.ts')).apply,
  },
  {
    path: 'secrets list',
    about: 'names and versions, never values',
    group: 'Operate',
    isDefault: true,
    load: async () => (await import('../secrets.ts')).list,
  },
  { path: 'secrets set', about: 'set a secret from standard input', group: 'Operate', args: '<name>', load: async () => (await import('../secrets.ts')).set },
  { path: 'secrets unset', about: 'forget a secret', group: 'Operate', args: '<name>', load: async () => (await import('../secrets.ts')).unset },
  {
    path: 'credentials set',
    about: 'how to read private repositories: a token, key or known_hosts lines from standard input',
    group: 'Operate',
    args: '<host|git-url>',
    options: [['--user <name>', 'the user that the token belongs to'], ...CREDENTIAL_KIND],
    load: async () => (await import('../credentials.ts')).set,
  },
  {
    path: 'credentials list',
    about: 'for which repositories, never values',
    group: 'Operate',
    isDefault: true,
    load: async () => (await import('../credentials.ts')).list,
  },
  {
    path: 'credentials remove',
    about: 'forget one',
    group: 'Operate',
    args: '<host|git-url>',
    options: CREDENTIAL_KIND,
    load: async () => (await import('../credentials.ts')).remove,
  },
  {
    path: 'follow list',
    about: 'branches whose commits become releases',
    group: 'Operate',
    isDefault: true,
    load: async () => (await import('../follow.ts')).list,
  },
  { path: 'follow remove', about: 'follow it no more', group: 'Operate', args: '<id>', load: async () => (await import('../follow.ts')).remove },
  {
    path: 'notify add',
    about: 'tell a Slack webhook, a webhook of your own or people by e-mail; secrets from standard input',
    group: 'Operate',
    args: '<kind> [url]',
    options: [
      ['--on <topics>', 'of started, verdict, rollback, approval, promoted, stuck; with commas (all)'],
      ['--all-apps', 'of all apps of the tenant'],
      ['--to <addresses>', 'e-mail: to whom, with commas'],
      ['--from <address>', 'e-mail: from whom'],
      ['--smtp <url>', 'e-mail: smtp://USER@HOST (STARTTLS) or smtps://USER@HOST (TLS)'],
    ],
    load: async () => (await import('../notify.ts')).add,
  },
  {
    path: 'notify list',
    about: 'who is told of what, and whether it is taken',
    group: 'Operate',
    isDefault: true,
    load: async () => (await import('../notify.ts')).list,
  },
  {
    path: 'notify deliveries',
    about: 'messages to one of them: taken, waiting, given up',
    group: 'Operate',
    args: '<id>',
    options: [['-n, --lines <count>', 'at most the newest so many']],
    load: async () => (await import('../notify.ts')).deliveries,
  },
  {
    path: 'notify test',
    about: 'send a message and see whether it is taken',
    group: 'Operate',
    args: '<id>',
    load: async () => (await import('../notify.ts')).test,
  },
  { path: 'notify remove', about: 'tell it no more', group: 'Operate', args: '<id>', load: async () => (await import('../notify.ts')).remove },
  {
    path: 'notify reach',
    about: 'say or set, as an admin, how far messages may go: internet, network, machine',
    group: 'Operate',
    args: '[reach]',
    load: async () => (await import('../notify.ts')).reach,
  },
  { path: 'start', about: 'start an app or, with -s, a service', group: 'Operate', args: '[app]', load: async () => (await import('../lifecycle.ts')).start },
  { path: 'stop', about: 'stop an app or a service, keeping data', group: 'Operate', args: '[app]', load: async () => (await import('../lifecycle.ts')).stop },
  {
    path: 'restart',
    about: 'fresh replicas of the same release, one after the other',
    group: 'Operate',
    args: '[app]',
    load: async () => (await import('../lifecycle.ts')).restart,
  },
  {
    path: 'remove',
    about: 'take an app away; its data stays unless --with-data',
    group: 'Operate',
    args: '[app]',
    options: [CONFIRM, ['--with-data', 'databases and volumes too']],
    load: async () => (await import('../remove.ts')).remove,
  },
  {
    path: 'run',
    about: 'a command in a fresh replica',
    group: 'Operate',
    args: '<service> <command...>',
    options: [TIMEOUT],
    load: async () => (await import('../run.ts')).run,
  },
  {
    path: 'exec',
    about: 'a command inside a running replica',
    group: 'Operate',
    args: '<service> <command...>',
    options: [TIMEOUT],
    load: async () => (await import('../exec.ts')).exec,
  },

  {
    path: 'login',
    about: 'keep a token for a server',
    group: 'Access',
    args: '[server-url]',
    options: [
      ['--user <name>', 'account; the password is asked for, or read from standard input'],
      ['--with-token', 'read a token from standard input'],
    ],
    load: async () => (await import('../login.ts')).login,
  },
  { path: 'logout', about: 'forget the token', group: 'Access', load: async () => (await import('../logout.ts')).logout },
  { path: 'whoami', about: 'account, tenant and what the token may', group: 'Access', load: async () => (await import('../whoami.ts')).whoami },
  {
    path: 'account create',
    about: 'a new account; the password is asked for, or read from standard input',
    group: 'Access',
    args: '<name>',
    options: [
      ['--tenant <name>', 'in this tenant (default: one of its own)'],
      ['--role <role>', 'viewer, developer or admin of the tenant'],
    ],
    load: async () => (await import('../account.ts')).create,
  },
  {
    path: 'account password',
    about: 'change it; the present and the new one are asked for, or read from two lines of standard input',
    group: 'Access',
    args: '[name]',
    load: async () => (await import('../account.ts')).password,
  },
  {
    path: 'account registration',
    about: 'say or set who may make an account',
    group: 'Access',
    args: '[open|closed]',
    load: async () => (await import('../account.ts')).registration,
  },
  {
    path: 'create_account',
    about: 'account create, as EMP calls it',
    group: 'Access',
    args: '<name>',
    options: [
      ['--tenant <name>', 'in this tenant (default: one of its own)'],
      ['--role <role>', 'viewer, developer or admin of the tenant'],
    ],
    hidden: true,
    load: async () => (await import('../account.ts')).create,
  },
  {
    path: 'members list',
    about: 'who belongs to the tenant, and as what',
    group: 'Access',
    isDefault: true,
    load: async () => (await import('../members.ts')).list,
  },
  {
    path: 'members add',
    about: 'make an account a member; the same again changes its role',
    group: 'Access',
    args: '<name>',
    options: [['--role <role>', 'viewer, developer (default) or admin']],
    load: async () => (await import('../members.ts')).add,
  },
  {
    path: 'members remove',
    about: 'take an account out of the tenant',
    group: 'Access',
    args: '<name>',
    load: async () => (await import('../members.ts')).remove,
  },
  {
    path: 'audit',
    about: 'who changed what, newest first',
    group: 'Access',
    options: [['-n, --lines <count>', 'at most the last so many']],
    load: async () => (await import('../audit.ts')).audit,
  },
  {
    path: 'token create',
    about: 'a token for a program; shown once',
    group: 'Access',
    args: '[label]',
    options: [
      ['--verbs <list>', 'what it may, separated by commas'],
      ['--expires <duration>', 'at most 90d'],
    ],
    load: async () => (await import('../token.ts')).create,
  },
  { path: 'token list', about: 'tokens, what they may and until when', group: 'Access', isDefault: true, load: async () => (await import('../token.ts')).list },
  { path: 'token revoke', about: 'make a token useless at once', group: 'Access', args: '<token-id>', load: async () => (await import('../token.ts')).revoke },

  { path: 'version', about: 'versions of this program and of the server', group: 'Help', load: async () => (await import('../version.ts')).version },
  {
    path: 'completion',
    about: 'a script for bash, zsh or fish',
    group: 'Help',
    args: '<shell>',
    load: async () => (await import('../completion.ts')).completion,
  },
]

/** Words that later versions will know: they say so instead of "unknown command", and stay out of help. */
export const NOT_YET: Readonly<Record<string, string>> = {
  scaling: 'scaling by quality goals',
  dashboard: 'the dashboard',
  'env edit': 'editing variables; weir env set works',
  '--image': 'images; give a folder or a repository',
}

/** What every verb understands. */
export const GLOBAL_OPTIONS: readonly (readonly [flags: string, about: string])[] = [
  ['-a, --app <app>', 'app (else WEIR_APP, the linked folder, its manifest)'],
  ['-e, --env <environment>', 'environment (else WEIR_ENV, the linked folder, production)'],
  ['-s, --service <service>', 'service'],
  ['-o, --output <format>', 'table, wide, json or yaml'],
  ['--json', 'one event a line, then one result'],
  ['-y, --yes', 'answer yes to questions'],
  ['-q, --quiet', 'only the result'],
  ['--verbose', 'say more'],
  ['--no-color', 'no colours (also NO_COLOR)'],
]
