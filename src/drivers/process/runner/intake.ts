import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TelemetryConfig } from '../../../config.ts'
import { intakeKey } from '../../../telemetry/keys.ts'
import type { IntakeAddress } from '../../daemons.ts'
import { readRecord, replaceFile, writeRecord } from './durable.ts'
import { portsInUse } from './listeners.ts'
import type { Machine } from './machine.ts'
import type { Ports } from './ports.ts'

/** Where clients look when nobody told them. */
const USUAL = { otlp: 4318, otlpGrpc: 4317, zipkin: 9411 }
const SECRET_BYTES = 32

/**
 * Where replicas of this machine send their telemetry: ports that stay the same for good, because running replicas know them, and the
 * secret that their keys are made with. The telemetry process listens there; the runner tells replicas and opens the firewall.
 */
export class Intake {
  readonly address: IntakeAddress
  /** Bootstrap servers of the broker, as the operator wrote them. */
  readonly kafka: string | null
  readonly #secret: Uint8Array

  /** null: telemetry is turned off on this machine. */
  static open(machine: Machine, ports: Ports, config: TelemetryConfig): Intake | null {
    return config.on ? new Intake(machine, ports, config) : null
  }

  private constructor({ paths, accounts }: Machine, ports: Ports, config: TelemetryConfig) {
    const file = join(paths.runner, 'intake.json')
    const known = readRecord<Partial<IntakeAddress>>(file)
    const choose = (name: keyof IntakeAddress, wanted: number | null) =>
      wanted ?? known?.[name] ?? (portsInUse().has(USUAL[name]) ? (ports.allocate(1)[0] ?? 0) : USUAL[name])
    this.address = { otlp: choose('otlp', config.otlpPort), otlpGrpc: choose('otlpGrpc', config.otlpGrpcPort), zipkin: choose('zipkin', config.zipkinPort) }
    ports.keep(Object.values(this.address))
    writeRecord(file, this.address, { durable: true })
    this.kafka = config.kafka
    if (!existsSync(paths.intakeSecret)) replaceFile(paths.intakeSecret, randomBytes(SECRET_BYTES).toString('hex'), { durable: true, mode: 0o400 })
    if (accounts) chownSync(paths.intakeSecret, accounts.telemetry, accounts.telemetry)
    this.#secret = Buffer.from(readFileSync(paths.intakeSecret, 'utf8'), 'hex')
  }

  keyOf(environment: string): string {
    return intakeKey(this.#secret, environment)
  }

  /** Ports on this machine that an app may connect to for its telemetry. */
  reachable(): number[] {
    const brokers = (this.kafka ?? '').split(',').flatMap((server) => {
      const match = /^(?:127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})$/.exec(server.trim())
      return match ? [Number(match[1])] : []
    })
    return [...Object.values(this.address), ...brokers]
  }
}
