import { type StatePaths, serverConfig } from '../../config.ts'
import { WeirError } from '../../errors.ts'
import { belongsTo, portHolder } from './port-holder.ts'

interface Needed {
  readonly port: number
  readonly purpose: string
  readonly variable: string
}

export interface TakenPort extends Needed {
  readonly by: string
}

/** Ports that Weir needs and another program has. What an earlier gateway of the same installation holds is its own. */
export function takenPorts(paths: StatePaths, env: NodeJS.ProcessEnv): TakenPort[] {
  const { api, http } = serverConfig(env)
  const needed: Needed[] = [
    { port: api.port, purpose: 'the API', variable: 'WEIR_API_LISTEN' },
    { port: http.port, purpose: 'the gateway', variable: 'WEIR_HTTP_LISTEN' },
  ]
  return needed.flatMap((it) => {
    const holder = it.port === 0 ? null : portHolder(it.port)
    if (holder === null || belongsTo(holder, paths.home)) return []
    return [{ ...it, by: holder.pid === null ? holder.name : `${holder.name} (process ${holder.pid})` }]
  })
}

export function refuseTakenPorts(paths: StatePaths, env: NodeJS.ProcessEnv): void {
  const [taken] = takenPorts(paths, env)
  if (!taken) return
  throw new WeirError('E_PORT_IN_USE', {
    message: `port ${taken.port} is in use`,
    cause: `${taken.by} listens there; ${taken.purpose} needs it`,
    state: 'nothing was started',
    next: `stop it, or choose another: ${taken.variable}=127.0.0.1:PORT weir up`,
  })
}
