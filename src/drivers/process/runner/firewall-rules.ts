import { edgeAddress, STATSD_PORT } from '../../../config.ts'

export interface FirewallState {
  /** Chain of this installation; `-IN` is added for what comes from outside. */
  readonly chain: string
  readonly uids: { readonly gateway: number; readonly build: number; readonly postgres: number; readonly telemetry: number }
  /** Those that have processes, with the ports of their replicas. */
  readonly apps: readonly { readonly app: number; readonly uid: number; readonly database: boolean; readonly ports: readonly number[] }[]
  /** Of the apps' PostgreSQL; null: it does not run. */
  readonly databasePort: number | null
  /** Ports of the telemetry intake; and all that an app may reach on this machine to send telemetry. */
  readonly telemetry: { readonly intake: readonly number[]; readonly reachable: readonly number[] }
}

/** Where edges listen, for all apps. */
const EDGES = '127.64.0.0/10'
/** iptables takes at most so many ports in one `multiport`. */
const MULTIPORT = 15
const TCP_SYN = '-p tcp --syn'
const TCP_ESTABLISHED = '-p tcp --tcp-flags SYN,ACK ACK'
const TCP_ACCEPTS = '-p tcp --tcp-flags SYN,ACK SYN,ACK'
const REFUSE_TCP = '-j REJECT --reject-with tcp-reset'

/**
 * Text for `iptables-restore --noflush`: it replaces the rules of our chains in one step. Only the first packet of a connection and
 * the first answer are looked at, so nothing is tracked; on loopback, the owner of the sending socket decides:
 *
 * | who       | to                                            |        |
 * |-----------|-----------------------------------------------|--------|
 * | an app    | DNS                                           | passes |
 * | an app    | its own edges                                 | passes |
 * | an app    | PostgreSQL of the apps, when it has a database| passes |
 * | an app    | telemetry intake, broker                      | passes |
 * | an app    | its own address for StatsD (UDP)              | passes |
 * | an app    | anything else, UDP too                        | refused|
 * | a build   | DNS; what is neither an edge, a replica nor PostgreSQL | passes |
 * | gateway, root | replicas, edges                           | passes |
 * | anybody else | replicas, StatsD of an app                 | refused|
 * | outside   | replicas (those that listen on every address) | refused|
 *
 * Any account may listen on any address and port that is free. So an app or a build that sits on an edge, on the port of a replica that
 * is just not there, on the databases' or the intake's, can accept no connection there: what was meant for another does not reach it.
 */
export function firewallRules(state: FirewallState, family: 4 | 6): string {
  const { chain, uids, apps, databasePort, telemetry } = state
  const out = `-A ${chain}`
  const refuseUdp = `-j REJECT --reject-with ${family === 4 ? 'icmp-port-unreachable' : 'icmp6-port-unreachable'}`
  const lines = ['*filter', `:${chain} - [0:0]`, `:${chain}-IN - [0:0]`]
  const ports = apps.flatMap((it) => it.ports)
  lines.push(`${out} ${TCP_ESTABLISHED} -j RETURN`)
  lines.push(...accepts(state, out, family), `${out} -p tcp ! --syn -j RETURN`)
  lines.push(`${out} -m owner --uid-owner 0 -j RETURN`, `${out} -m owner --uid-owner ${uids.gateway} -j RETURN`)
  if (family === 4) {
    for (const { app, uid, database } of apps) {
      const owner = `-m owner --uid-owner ${uid}`
      lines.push(`${out} -d ${edgeAddress(app)}/32 ${TCP_SYN} ${owner} -j RETURN`)
      const statsd = `${out} -d ${edgeAddress(app)}/32 -p udp --dport ${STATSD_PORT}`
      if (telemetry.intake.length > 0) lines.push(`${statsd} ${owner} -j RETURN`)
      lines.push(`${statsd} ${refuseUdp}`)
      if (database && databasePort !== null) lines.push(`${out} -d 127.0.0.1/32 ${TCP_SYN} --dport ${databasePort} ${owner} -j RETURN`)
      for (const some of lists(telemetry.reachable)) lines.push(`${out} -d 127.0.0.1/32 ${TCP_SYN} -m multiport --dports ${some} ${owner} -j RETURN`)
    }
  }
  for (const protocol of ['udp', 'tcp']) lines.push(`${out} -p ${protocol} --dport 53 -j RETURN`)
  for (const { uid } of apps) {
    const owner = `-m owner --uid-owner ${uid}`
    lines.push(`${out} -p tcp ${owner} ${REFUSE_TCP}`, `${out} -p udp ${owner} ${refuseUdp}`)
  }
  const build = `-m owner --uid-owner ${uids.build}`
  if (family === 4) lines.push(`${out} -d ${EDGES} -p tcp ${build} ${REFUSE_TCP}`)
  if (databasePort !== null) lines.push(`${out} -p tcp --dport ${databasePort} ${build} ${REFUSE_TCP}`)
  for (const some of lists(ports)) {
    lines.push(`${out} -p tcp -m multiport --dports ${some} ${REFUSE_TCP}`)
    lines.push(`-A ${chain}-IN ${TCP_SYN} -m multiport --dports ${some} ${REFUSE_TCP}`)
  }
  lines.push('COMMIT', '')
  return lines.join('\n')
}

/** Who may answer on loopback that it takes a connection. */
function accepts({ uids, apps, databasePort, telemetry }: FirewallState, out: string, family: 4 | 6): string[] {
  const others = `-m owner --uid-owner ${uids.build}-${Math.max(uids.build, ...apps.map((it) => it.uid))}`
  const rules = [`${out} ${TCP_ACCEPTS} -m owner --uid-owner ${uids.postgres} -j RETURN`]
  if (family === 4) rules.push(`${out} -s ${EDGES} ${TCP_ACCEPTS} ${others} -j DROP`)
  for (const { uid, ports } of apps)
    for (const some of lists(ports)) rules.push(`${out} ${TCP_ACCEPTS} -m multiport --sports ${some} -m owner --uid-owner ${uid} -j RETURN`)
  for (const some of lists(telemetry.intake)) rules.push(`${out} ${TCP_ACCEPTS} -m multiport --sports ${some} -m owner --uid-owner ${uids.telemetry} -j RETURN`)
  for (const some of lists([...apps.flatMap((it) => it.ports), ...(databasePort === null ? [] : [databasePort]), ...telemetry.intake]))
    rules.push(`${out} ${TCP_ACCEPTS} -m multiport --sports ${some} ${others} -j DROP`)
  return rules
}

function lists(ports: readonly number[]): string[] {
  const found: string[] = []
  for (let from = 0; from < ports.length; from += MULTIPORT) found.push(ports.slice(from, from + MULTIPORT).join(','))
  return found
}
