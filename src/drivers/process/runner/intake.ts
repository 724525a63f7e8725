import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, lchownSync, lstatSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { StatePaths, TelemetryConfig } from '../../../config.ts'
import { intakeKey } from '../../../telemetry/keys.ts'
import type { IntakeAddress } from '../../daemons.ts'
import { readRecord, replaceFile, writeRecord } from './durable.ts'
import type { Machine } from './machine.ts'
import { PortClaims } from './port-claims.ts'
import type { Ports } from './ports.ts'

/** Where clients look when nobody told them. */
const USUAL = { otlp: 4318, otlpGrpc: 4317, zipkin: 9411 }
const SECRET_BYTES = 32
/** Others than the usual port that are tried. */
const MOST_TRIED = 50

/**
 * Where replicas of this machine send their telemetry: ports that stay the same for good, because running replicas know them, and the
 * secret that their keys are made with. The telemetry process listens there; the runner tells replicas and opens the firewall.
 */
export class Intake {
  readonly address: IntakeAddress
  /** Bootstrap servers of the broker, as the operator wrote them. */
  readonly kafka: string | null
  readonly #secret: Uint8Array
  readonly #paths: StatePaths
  /** Of the telemetry process; null: it is the runner's. */
  readonly #account: number | null

  /** null: telemetry is turned off on this machine. */
  static async open(machine: Machine, ports: Ports, config: TelemetryConfig): Promise<Intake | null> {
    if (!config.on) return null
    const file = join(machine.paths.runner, 'intake.json')
    const known = readRecord<Partial<IntakeAddress>>(file)
    const claims = new PortClaims()
    const choose = async (name: keyof IntakeAddress, wanted: number | null) => {
      const settled = wanted ?? known?.[name]
      if (settled === undefined) return (await claims.reserve(candidates(USUAL[name], ports))) ?? USUAL[name]
      await claims.claim(settled) // or another has: then the telemetry process says so
      return settled
    }
    const address = {
      otlp: await choose('otlp', config.otlpPort),
      otlpGrpc: await choose('otlpGrpc', config.otlpGrpcPort),
      zipkin: await choose('zipkin', config.zipkinPort),
    }
    ports.keep(Object.values(address))
    writeRecord(file, address, { durable: true })
    return new Intake(machine, address, config.kafka)
  }

  private constructor({ paths, accounts }: Machine, address: IntakeAddress, kafka: string | null) {
    this.#paths = paths
    this.#account = accounts?.telemetry ?? null
    this.address = address
    this.kafka = kafka
    if (!existsSync(paths.intakeSecret)) replaceFile(paths.intakeSecret, randomBytes(SECRET_BYTES).toString('hex'), { durable: true, mode: 0o400 })
    if (accounts) chownSync(paths.intakeSecret, accounts.telemetry, accounts.telemetry)
    this.#secret = Buffer.from(readFileSync(paths.intakeSecret, 'utf8'), 'hex')
  }

  keyOf(environment: string): string {
    return intakeKey(this.#secret, environment)
  }

  /**
   * Leaves what only the telemetry process may read: how a store is reached that is not Weir's own, and the operator's credentials for other
   * places.
   */
  entrust(databaseUrl: string | null): void {
    const { telemetryStore, telemetryCredentials } = this.#paths
    if (databaseUrl === null) rmSync(telemetryStore, { force: true })
    else replaceFile(telemetryStore, databaseUrl, { durable: true, mode: 0o400 })
    if (this.#account === null) return
    for (const file of [telemetryStore, telemetryCredentials])
      if (lstatSync(file, { throwIfNoEntry: false })?.isFile()) lchownSync(file, this.#account, this.#account)
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

function* candidates(usual: number, ports: Ports): Iterable<number> {
  yield usual
  for (let tried = 0; tried < MOST_TRIED; tried++) yield* ports.allocate(1)
}
