import { connect } from 'node:net'
import { belongsTo, portHolder } from './port-holder.ts'
import type { IntakeAddress } from './processes.ts'

export interface IntakePort {
  readonly name: string
  readonly port: number
  /** null: Weir's own process takes connections there; else what is wrong. */
  readonly problem: string | null
}

const NAMES: Readonly<Record<keyof IntakeAddress, string>> = { otlp: 'OTLP/HTTP', otlpGrpc: 'OTLP/gRPC', zipkin: 'Zipkin' }
const ANSWER_MS = 1000

/** Where telemetry is taken in on this machine, and whether somebody is there. */
export function intakePorts(address: IntakeAddress, home: string): Promise<readonly IntakePort[]> {
  const names = Object.keys(NAMES) as (keyof IntakeAddress)[]
  return Promise.all(names.map(async (name) => ({ name: NAMES[name], port: address[name], problem: await problemAt(address[name], home) })))
}

async function problemAt(port: number, home: string): Promise<string | null> {
  if (!(await answers(port))) return 'does not answer'
  const holder = portHolder(port)
  if (holder === null || belongsTo(holder, home)) return null
  return holder.pid === null ? `held by ${holder.name}` : `held by ${holder.name} (process ${holder.pid})`
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: ANSWER_MS })
    const end = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket
      .once('connect', () => end(true))
      .once('error', () => end(false))
      .once('timeout', () => end(false))
  })
}
