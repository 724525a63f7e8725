import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { ResponseOf } from '../../../packages/client/src/types.ts'
import { type StatePaths, telemetryConfig } from '../../config.ts'
import { runCommand } from '../../spawn.ts'
import { connectClient } from '../frame/connect.ts'
import { failureOf } from '../output/failure.ts'
import { bytesText } from '../output/units.ts'
import { intakePorts } from './intake-ports.ts'
import { takenPorts } from './ports.ts'
import { daemons, intakeAddress, runnerPid } from './processes.ts'
import { hiddenFolder, MAX_SOCKET_BYTES } from './state-folder.ts'

/** One line of `weir doctor`. `warn`: it works, with less; `fail`: it does not. */
export interface Finding {
  readonly name: string
  readonly level: 'ok' | 'warn' | 'fail'
  readonly text: string
  /** What to do about it. */
  readonly todo: string | null
}

const LEAST_NODE = 24
const LITTLE_DISK_BYTES = 2 * 1024 ** 3
const NO_DISK_BYTES = 256 * 1024 ** 2
const PROGRAM_TIMEOUT_MS = 5000

/** Looks at everything that Weir needs from this machine; changes nothing. */
export async function examine(paths: StatePaths, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const isRoot = process.getuid?.() === 0
  const findings = [
    node(),
    await program('git', ['git', '--version'], 'apt-get install git'),
    isRoot ? await program('iptables', ['iptables', '--version'], 'apt-get install iptables; without it apps are not kept apart') : null,
    await program('flock', ['flock', '--version'], 'apt-get install util-linux'),
    isRoot ? await program('setpriv', ['setpriv', '--version'], 'apt-get install util-linux') : null,
    accountsFinding(isRoot),
    cgroups(isRoot),
    stateFolder(paths, isRoot),
    existsSync(paths.home) ? disk(paths) : null,
    ...ports(paths, env),
    ...(await processes(paths)),
    await server(paths),
    ...(await intake(paths)),
    await traces(paths),
  ]
  return findings.filter((it) => it !== null)
}

function finding(name: string, level: Finding['level'], text: string, todo: string | null = null): Finding {
  return { name, level, text, todo }
}

function node(): Finding {
  const major = Number(process.versions.node.split('.')[0])
  return major >= LEAST_NODE
    ? finding('node', 'ok', process.versions.node)
    : finding('node', 'fail', `${process.versions.node} is too old`, `install Node ${LEAST_NODE}, or npm ci for the one that comes with Weir`)
}

async function program(name: string, argv: readonly [string, ...string[]], todo: string): Promise<Finding> {
  try {
    const { code, stdout, stderr } = await runCommand({ argv, env: { LC_ALL: 'C' }, timeoutMs: PROGRAM_TIMEOUT_MS })
    const said = (stdout || stderr).split('\n')[0] ?? ''
    return code === 0 ? finding(name, 'ok', said) : finding(name, 'fail', `${argv.join(' ')} ended with ${code}: ${said}`, todo)
  } catch {
    return finding(name, 'fail', 'not installed', todo)
  }
}

function accountsFinding(isRoot: boolean): Finding {
  return isRoot
    ? finding('isolation', 'ok', 'each app gets an account of its own')
    : finding('isolation', 'warn', 'without root there is one tenant, and apps run as you', 'run Weir as root for several tenants')
}

function cgroups(isRoot: boolean): Finding {
  if (!isRoot) return finding('cgroups', 'warn', 'without root, memory and cpu limits are not kept')
  const unified = existsSync('/sys/fs/cgroup/cgroup.controllers')
  if (unified) {
    const controllers = readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(/\s+/)
    const missing = ['cpu', 'memory', 'pids'].filter((it) => !controllers.includes(it))
    return missing.length === 0
      ? finding('cgroups', 'ok', 'version 2')
      : finding('cgroups', 'fail', `version 2, without ${missing.join(', ')}`, 'enable the controllers at the boot of the machine')
  }
  const missing = ['cpu', 'memory', 'pids'].filter((it) => !existsSync(`/sys/fs/cgroup/${it}`))
  return missing.length === 0
    ? finding('cgroups', 'ok', 'version 1')
    : finding('cgroups', 'warn', `version 1, without ${missing.join(', ')}`, 'limits of that kind are not kept')
}

function stateFolder(paths: StatePaths, isRoot: boolean): Finding {
  const name = 'state'
  if (Buffer.byteLength(paths.gatewaySocket) > MAX_SOCKET_BYTES)
    return finding(name, 'fail', `${paths.home} is too long a path for sockets`, 'set WEIR_HOME to a shorter one')
  if (!existsSync(paths.home)) return finding(name, 'ok', `${paths.home} is made by weir up`)
  const { uid } = statSync(paths.home)
  if (uid !== process.getuid?.() && !isRoot) return finding(name, 'fail', `${paths.home} belongs to another user`, 'set WEIR_HOME to a folder of yours')
  const hidden = isRoot ? hiddenFolder(paths.home) : null
  if (hidden !== null) return finding(name, 'fail', `accounts of apps cannot pass through ${hidden}`, `chmod o+x ${hidden}, or set WEIR_HOME`)
  if (existsSync(paths.key) && (statSync(paths.key).mode & 0o077) !== 0)
    return finding(name, 'fail', `${paths.key}, which opens all secrets, can be read by others`, `chmod 600 ${paths.key}`)
  return finding(name, 'ok', paths.home)
}

function disk(paths: StatePaths): Finding {
  const { bavail, bsize } = statfsSync(paths.home)
  const free = bavail * bsize
  if (free < NO_DISK_BYTES) return finding('disk', 'fail', `${bytesText(free)} free under ${paths.home}`, 'make room; builds and releases stop here')
  return free < LITTLE_DISK_BYTES
    ? finding('disk', 'warn', `only ${bytesText(free)} free under ${paths.home}`, 'make room before it is full')
    : finding('disk', 'ok', `${bytesText(free)} free, ${availableParallelism()} cores`)
}

function ports(paths: StatePaths, env: NodeJS.ProcessEnv): Finding[] {
  const taken = takenPorts(paths, env)
  if (taken.length === 0) return [finding('ports', 'ok', 'none that Weir needs is taken by another program')]
  return taken.map((it) => finding('ports', 'fail', `${it.port}, which ${it.purpose} needs, is held by ${it.by}`, `stop it, or set ${it.variable}`))
}

async function processes(paths: StatePaths): Promise<Finding[]> {
  const pid = await runnerPid(paths)
  if (pid === null) return [finding('runner', 'warn', 'does not run', 'weir up')]
  const kept = (await daemons(paths)) ?? []
  return [
    finding('runner', 'ok', `process ${pid}`),
    ...kept.map((it) => {
      const restarts = it.restarts === 0 ? '' : `, restarted ${it.restarts} times`
      if (it.phase === 'running') return finding(it.name, 'ok', `process ${it.pid}${restarts}`)
      return finding(it.name, 'fail', `does not run: ${it.cause ?? 'it is being started'}${restarts}`, `look at ${paths.logs}/weir/${it.name}.jsonl`)
    }),
  ]
}

async function intake(paths: StatePaths): Promise<Finding[]> {
  const address = await intakeAddress(paths)
  const found = address === null ? [] : await intakePorts(address, paths.home)
  const broken = found.filter((it) => it.problem !== null)
  if (broken.length === 0) return found.length === 0 ? [] : [finding('intake', 'ok', `answers at ${found.map((it) => `${it.port} (${it.name})`).join(', ')}`)]
  return broken.map((it) => finding('intake', 'warn', `${it.port}, for ${it.name}: ${it.problem}`, `look at ${paths.logs}/weir/telemetry.jsonl`))
}

/** What of traces came and what was lost; nothing where telemetry is turned off. */
async function traces(paths: StatePaths): Promise<Finding | null> {
  if (!existsSync(paths.serverSocket) || !telemetryConfig().on) return null
  const client = await connectClient({ address: `unix:${paths.serverSocket}`, token: null, from: 'this machine' })
  try {
    const { telemetry } = await client.call('system.health', {}, { signal: AbortSignal.timeout(PROGRAM_TIMEOUT_MS) })
    if (telemetry === null) return finding('traces', 'warn', 'the telemetry process does not answer; apps go on', `look at ${paths.logs}/weir/telemetry.jsonl`)
    return tracesFinding(telemetry, `look at ${paths.logs}/weir/telemetry.jsonl`)
  } catch {
    return null // what is wrong with the server is said above
  } finally {
    client.close()
  }
}

type TelemetryState = NonNullable<ResponseOf<'system.health'>['telemetry']>

/** All that is wrong at once: while the store is away is when things are lost. */
export function tracesFinding({ accepted, lost, capped, unjournaled, storage, links, memoryBytes }: TelemetryState, todo: string): Finding {
  const losses = Object.entries(lost).map(([why, count]) => `${why} ${count}`)
  const troubles = [
    ...(storage === null ? [] : [`they are seen but not kept: ${storage}`]),
    ...links.flatMap(({ name, address, problem }) => (problem === null ? [] : [`${name} at ${address}: ${problem}`])),
  ]
  const notes = [
    ...(losses.length === 0 ? [] : [`lost or turned away: ${losses.join(', ')}`]),
    ...(unjournaled === 0 ? [] : [`${unjournaled} requests found no room in the journal: a kill would have lost them`]),
    ...capped.map(
      (it) => `${it.label} of ${it.service === '' ? '' : `${it.service} in `}${it.environment} has too many values: ${it.count} are counted as other`,
    ),
  ]
  const text = [...troubles, `${accepted} spans since the start, in ${bytesText(memoryBytes)}`, ...notes].join('; ')
  return troubles.length + notes.length === 0 ? finding('traces', 'ok', text) : finding('traces', 'warn', text, troubles.length === 0 ? null : todo)
}

/** The store's schema and all else that the server needs stands behind its readiness. */
async function server(paths: StatePaths): Promise<Finding | null> {
  if (!existsSync(paths.serverSocket)) return null
  const client = await connectClient({ address: `unix:${paths.serverSocket}`, token: null, from: 'this machine' })
  try {
    await client.call('system.readyz', {}, { signal: AbortSignal.timeout(PROGRAM_TIMEOUT_MS) })
    return finding('ready', 'ok', `the server answers and reaches its store (version ${(await client.call('system.version', {})).version})`)
  } catch (error) {
    const { explanation } = failureOf(error)
    return finding(
      'ready',
      'fail',
      [explanation.message, explanation.cause].filter(Boolean).join(': '),
      explanation.next ?? `look at ${paths.logs}/weir/server.jsonl`,
    )
  } finally {
    client.close()
  }
}
