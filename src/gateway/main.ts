/**
 * Process entry of the gateway's parent. Configured by the environment:
 *
 * | variable             | meaning                                                                    |
 * |----------------------|----------------------------------------------------------------------------|
 * | WEIR_HOME            | state folder (see src/config.ts); `gateway/` in it must belong to this user |
 * | WEIR_HTTP_LISTEN     | public listener, `0.0.0.0:80` as root or with the right to it, else `:8080` |
 * | WEIR_TRUSTED_PROXIES | addresses and CIDR blocks, by comma, whose X-Forwarded-* are believed       |
 * | WEIR_GATEWAY_WORKERS | a fixed number of workers; without it one when idle, up to one a core        |
 * | WEIR_GATEWAY_PEERS   | group id that may reach the gateway's socket, where the server has another uid |
 */
import { chmodSync, chownSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { statePaths } from '../config.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { RoutingTable, TableVersion } from '../core/model/routing.ts'
import { programFile } from '../programs.ts'
import { serveRpc } from '../rpc/server.ts'
import { TrustedProxies } from './forwarded.ts'
import { parseListen } from './listen-address.ts'
import { GatewayParent } from './parent.ts'

const STOP_GRACE_MS = 5000

const env = process.env
const paths = statePaths(env)
const log = (line: string) => process.stderr.write(`gateway: ${line}\n`)
process.stderr.on('error', () => {}) // whoever read it is gone

void new TrustedProxies((env['WEIR_TRUSTED_PROXIES'] ?? '').split(',').filter((block) => block !== '')) // refused here rather than by every worker
const fixed = env['WEIR_GATEWAY_WORKERS'] === undefined ? null : Number(env['WEIR_GATEWAY_WORKERS'])
if (fixed !== null && !(Number.isInteger(fixed) && fixed >= 1 && fixed <= 256)) throw new Error('WEIR_GATEWAY_WORKERS must be a number from 1 to 256')

const gateway = new GatewayParent({
  folder: paths.gateway,
  workerEntry: programFile('gateway-worker'),
  listen: parseListen(env['WEIR_HTTP_LISTEN'] ?? (process.getuid?.() === 0 ? '0.0.0.0:80' : '0.0.0.0:8080')),
  workers: { min: fixed ?? 1, max: fixed ?? availableParallelism() },
  environment: env,
  log,
})

const rpc = await serveRpc(
  paths.gatewaySocket,
  {
    publish: ({ table }: { table: RoutingTable }) => gateway.publish(table),
    withdraw: ({ environment, version }: { environment: string; version: TableVersion }) => gateway.withdraw(environment, version),
    observe: ({ environment }: { environment: string }) => gateway.observe(environment),
    environments: () => gateway.environments(),
    counters: ({ limit }: { limit: number }) => gateway.counters(limit),
    acknowledgeCounters: ({ blocks }: { blocks: readonly { incarnation: string; sequence: number }[] }) => gateway.acknowledgeCounters(blocks),
    fence: ({ epoch }: { epoch: Epoch }) => gateway.fence(epoch),
  },
  null,
)
if (env['WEIR_GATEWAY_PEERS'] !== undefined) {
  chownSync(paths.gatewaySocket, -1, Number(env['WEIR_GATEWAY_PEERS']))
  chmodSync(paths.gatewaySocket, 0o660)
}
gateway.start()
gateway.watch((environment) => rpc.emit('changed', { environment }))

let stopping = false
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    const graceMs = stopping ? 0 : STOP_GRACE_MS
    stopping = true
    rpc.close()
    void gateway.stop(graceMs).then(() => process.exit(0))
  })
}
