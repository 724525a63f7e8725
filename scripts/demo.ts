/**
 * What Weir is for, in a minute: a real app goes live out of a git history, a good release of one of its services is promoted by proof and a
 * broken one taken back while requests run, and Ctrl-C takes everything away again.
 *
 *   make demo
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createColors } from 'picocolors'
import { createClient } from '../packages/client/src/client.ts'
import { wantsColour } from '../src/cli/frame/terminal.ts'
import { durationText } from '../src/cli/output/units.ts'
import { statePaths } from '../src/config.ts'
import { type Commit, makeHistory } from './demo/history.ts'
import { type Figures, Load } from './demo/load.ts'
import { makePlace, type Place } from './demo/place.ts'
import { weir } from './demo/weir.ts'

const EXAMPLE = join(import.meta.dirname, '../examples/playlist')
const APP = 'playlist'
/** Long enough for a p95 that means something. */
const LISTEN_MS = 3000
const LIVE_MS = 1000
/** Exit code of a deploy that was taken back for what it did. */
const REJECTED = 3
const HEARTBEAT_MS = 60_000
/** Of which the p95 is, while it is up. */
const WINDOW_MS = 10_000

const live = process.stdout.isTTY === true && process.env['TERM'] !== 'dumb'
const colours = createColors(wantsColour(process.env, [], process.stdout.isTTY === true))
const stopped = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopped.abort())
process.stdout.on('error', () => stopped.abort()) // the terminal was closed, or the reader of the pipe

stopped.signal.addEventListener('abort', () => say('', 'stopping')) // at once, even if a step has to end first

const place = makePlace()
try {
  await demo(place)
} catch (error) {
  if (!stopped.signal.aborted) {
    say('', `${colours.red('✗')} the demo ends early: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
}
await leave(place)

async function demo(here: Place): Promise<void> {
  const { home, repository, env } = here
  const { signal } = stopped
  const shown = (...args: readonly string[]) => shownEnding(0, ...args)
  const shownEnding = (endsWith: number, ...args: readonly string[]) => {
    say(colours.dim(`$ weir ${args.join(' ')}`))
    return weir(args, { env, cwd: here.repository, signal, endsWith })
  }

  say(colours.bold('A repository of seven services goes live, and is changed under load.'))
  say(`everything is kept in ${home}; Ctrl-C stops and removes it`)
  for (const moved of here.moved) say(`${colours.yellow('!')} ${moved}`)
  if (process.getuid?.() !== 0) say(`${colours.yellow('!')} not root: one tenant, and apps run as you, without limits and firewall`)

  step('Start Weir', 'server, runner, gateway and PostgreSQL, in the background')
  say(colours.dim('$ weir up --no-deploy'))
  const begun = performance.now()
  await weir(['up', '--no-deploy', '--quiet'], { env, cwd: repository, quiet: true }) // to its end even with Ctrl-C: half started is harder to stop
  signal.throwIfAborted()
  say(`runs after ${durationText(performance.now() - begun)}`)

  step('Make a git history', `from examples/${APP}`)
  const commits = await makeHistory(EXAMPLE, repository)
  for (const { id, subject } of commits) say(`${colours.yellow(short(id))} ${subject}`)
  const [first, better, broken, last] = commits as [Commit, Commit, Commit, Commit]
  const source = `file://${repository}`

  step('Deploy the first commit', 'each service starts after those that it needs')
  await shown('deploy', source, '--commit', short(first.id))
  const url = await appUrl(here)

  step('Send requests', `20 a second from here on, at ${url}`)
  const load = new Load(url)
  signal.addEventListener('abort', () => load.close(), { once: true })
  await sleep(LISTEN_MS, undefined, { signal })
  say(figuresText(load.lap()))

  step('Deploy the second commit', 'it changes one service; half of the requests go to it until it is proven not to be worse')
  await shown('plan', source, '--commit', short(better.id))
  say('')
  load.crowd(true)
  load.lap() // the planning is over: from here on it is the release's
  await shown('deploy', source, '--commit', short(better.id))
  say(`meanwhile: ${figuresText(load.lap())}`)

  step('Deploy the third commit', 'it fails for all who are not signed in, which nobody has noticed')
  await shownEnding(REJECTED, 'deploy', source, '--commit', short(broken.id))
  say(`meanwhile: ${figuresText(load.lap())}`)
  load.crowd(false)

  step('What runs now', 'the second commit; what the third did is kept, and it is refused until a newer one comes')
  await shown('ps', '--app', APP)
  say('')
  await shown('releases', '--app', APP)
  load.forget()

  invite(here, { url, source, last })
  await stayUp(load)
}

function invite({ home, apiUrl }: Place, { url, source, last }: { readonly url: string; readonly source: string; readonly last: Commit }): void {
  step('It is up', 'try it; in another terminal, in this folder:')
  say(
    `app   ${colours.cyan(url)}   ${colours.dim('sign in as ada, password lovelace')}`,
    `API   ${colours.cyan(`${apiUrl}/api/v1/openapi.json`)}`,
    '',
    `  export WEIR_HOME=${home} WEIR_APP=${APP}`,
    '  bin/weir status',
    '  bin/weir why',
    '  bin/weir rollback',
    `  bin/weir deploy ${source} --commit ${short(last.id)}`,
    '  bin/weir logs -f',
    '  bin/weir scale web=2',
    '',
    'Ctrl-C stops everything and removes it.',
    '',
  )
}

/** Until Ctrl-C. */
async function stayUp(load: Load): Promise<void> {
  const windowMs = live ? WINDOW_MS : HEARTBEAT_MS
  let failed = load.total.failed
  let { p95Ms } = load.total
  for (let at = performance.now(); !stopped.signal.aborted; ) {
    if (performance.now() - at >= windowMs) {
      p95Ms = load.lap().p95Ms
      at = performance.now()
    }
    const figures = { ...load.total, p95Ms }
    if (figures.failed > failed) say(`${live ? '\r\u001b[K' : ''}${colours.red('✗')} ${load.lastFailure}`)
    failed = figures.failed
    if (live) process.stdout.write(`\r${figuresText(figures)}\u001b[K`)
    else say(figuresText(figures))
    await sleep(live ? LIVE_MS : HEARTBEAT_MS, undefined, { signal: stopped.signal }).catch(() => {})
  }
}

async function leave({ home, repository, env, remove }: Place): Promise<void> {
  try {
    await weir(['down', '--quiet'], { env, cwd: repository, quiet: true })
    remove()
    say('stopped; nothing is left of it')
  } catch (error) {
    say(`${colours.red('✗')} ${error instanceof Error ? error.message : String(error)}; what is left is in ${home}`, `  next: WEIR_HOME=${home} bin/weir down`)
    process.exitCode = 1
  }
}

async function appUrl({ home }: Place): Promise<string> {
  const client = createClient({ address: `unix:${statePaths({ WEIR_HOME: home }).serverSocket}` })
  try {
    const { urls } = await client.call('environments.show', { params: { app: APP, environment: 'production' } })
    const [url] = urls
    if (url === undefined) throw new Error(`${APP} has no address`)
    return url
  } finally {
    client.close()
  }
}

function step(title: string, why: string): void {
  say('', `${colours.bold(title)}  ${colours.dim(why)}`)
}

function figuresText({ requests, failed, p95Ms }: Figures): string {
  const count = `${requests.toLocaleString('en')} requests, ${failed === 0 ? colours.green('0 failed') : colours.red(`${failed} failed`)}`
  return p95Ms === null ? count : `${count}, p95 ${Math.max(1, Math.round(p95Ms))} ms`
}

function short(commit: string): string {
  return commit.slice(0, 10)
}

function say(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`)
}
