/**
 * The telemetry process; kept by the runner, started with what `settings.ts` reads. It may be killed at any time: what it had taken in is in
 * its journal, and the graph is read back at the next start.
 */
import { chmodSync } from 'node:fs'
import type { Server } from 'node:net'
import { setPriority } from 'node:os'
import { serveRpc } from '../rpc/server.ts'
import { handlersOf } from './control.ts'
import { CredentialsFile } from './credentials.ts'
import { serveGateway } from './gateway-socket.ts'
import { LiveTelemetry } from './live.ts'
import { connectTo, intakeSecret, readSettings } from './settings.ts'
import { receiverAt } from './storage/logs/export/receivers.ts'
import { LogSender } from './storage/logs/export/sender.ts'

/** Who floods the intake slows down telemetry, and neither the API nor the apps. */
const NICENESS = 5

const settings = readSettings(process.env)
setPriority(NICENESS)
const log = (line: string) => process.stderr.write(`telemetry: ${line}\n`)
process.stderr.on('error', () => {}) // whoever read it is gone

const credentials = new CredentialsFile(settings.credentialsFile)
const live = new LiveTelemetry({
  secret: intakeSecret(settings),
  claims: !settings.apart,
  connect: connectTo(settings),
  journal: settings.journal,
  logs: settings.logs,
  kafka: settings.kafka,
  forward: settings.forward,
  credentials,
  logExport: logExport(settings.logExport),
  log,
})
await live.start()

const rpc = await serveRpc(settings.controlSocket, handlersOf(live), null)
chmodSync(settings.controlSocket, 0o660)
const gateway = await serveGateway(settings.spansSocket, live.gateway)
for (const [name, port] of Object.entries(settings.ports)) {
  const server: Server = name === 'otlpGrpc' ? live.intake.grpcServer() : live.intake.server()
  server
    .on('error', (error) => leave(1, `${name}: ${error.message}`)) // started again, it tries again
    .listen(port, '127.0.0.1')
}

let leaving = false
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => leave(0))

function leave(code: number, why?: string): void {
  if (why !== undefined) log(why)
  if (leaving) return
  leaving = true
  rpc.close()
  gateway.close()
  void live.close().finally(() => process.exit(code))
}

/** An address that makes no sense is told of; all else works. */
function logExport(address: string | null): LogSender | null {
  try {
    return address === null ? null : new LogSender(receiverAt(address, () => credentials.headersOf('log-export')))
  } catch (error) {
    log(`WEIR_LOG_EXPORT: ${error instanceof Error ? error.message : String(error)}`)
    return null
  }
}
