import { ownEnvironment, type StatePaths } from '../../config.ts'
import { isWeirError, WeirError } from '../../errors.ts'
import { type OwnBuild, ownBuild } from '../../own-build.ts'
import { RpcClient } from '../../rpc/client.ts'
import { sleep } from './processes.ts'

/** What runs on a state folder: the runner, and the server as the runner was told to keep it. */
export interface Running {
  /** null: of a Weir that does not say. */
  readonly runner: OwnBuild | null
  readonly server: { readonly env: Readonly<Record<string, string>> } | null
}

const LOOK_MS = 50

/** null: no runner. */
export async function running(paths: StatePaths): Promise<Running | null> {
  const rpc = new RpcClient(paths.runnerSocket)
  try {
    const pong = (await rpc.call('ping', {})) as Partial<OwnBuild>
    const server = (await rpc.call('daemonSpec', { name: 'server' }).catch((error: unknown) => {
      if (isWeirError(error, 'E_UNAVAILABLE')) throw error
      return null // a runner that does not know this call
    })) as Running['server']
    return { runner: pong.build === undefined ? null : (pong as OwnBuild), server }
  } catch (error) {
    if (isWeirError(error, 'E_UNAVAILABLE')) return null
    throw error
  } finally {
    rpc.close()
  }
}

/** Which of runner and server are of another build. They change together, because what they say to each other does. */
export function ofAnotherBuild({ runner, server }: Running, own = ownBuild()): { readonly runner: boolean; readonly server: boolean } {
  return { runner: runner?.build !== own.build, server: server !== null && server.env['WEIR_BUILD'] !== own.build }
}

/** An older build must not begin to replace a newer one that has changed the store: it could not read it, and nobody would be left who can. */
export function refuseOlder({ runner }: Running, own = ownBuild()): void {
  if (runner === null || runner.schema <= own.schema) return
  throw new WeirError('E_STATE', {
    message: `a newer Weir runs already: ${runner.version}, and this is ${own.version}`,
    cause: `its store has schema ${runner.schema}; this version knows 1 to ${own.schema}`,
    state: 'nothing was changed',
    next: `use weir ${runner.version} or newer`,
  })
}

/** What a new server and runner are to be configured by: as before, but for what is given anew. */
export function settingsOf({ server }: Running, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...ownEnvironment(server?.env ?? {}), ...env }
}

/** The runner no longer keeps a server; returns when the last one has ended. Apps, gateway and databases do not notice. */
export async function retireServer(paths: StatePaths): Promise<void> {
  const rpc = new RpcClient(paths.runnerSocket)
  try {
    for (;;) {
      try {
        await rpc.call('stopDaemon', { name: 'server', epoch: null })
        return
      } catch (error) {
        if (!isWeirError(error, 'E_UNAVAILABLE')) throw error
        await sleep(LOOK_MS) // one that takes its time to end outlasts a call
      }
    }
  } finally {
    rpc.close()
  }
}
