import { chmodSync, chownSync, lchownSync, lstatSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Accounts, type StatePaths } from '../../../config.ts'
import { WeirError } from '../../../errors.ts'

/** A unix socket's address has room for 107 bytes; some more are kept for names that are still to come. */
const MAX_SOCKET_PATH = 100

/**
 * Makes the state folder's tree with its owners: what unprivileged accounts walk through is 0711, what the server writes is the
 * server's, what only the runner knows is root's.
 */
export function layOut(paths: StatePaths, accounts: Accounts | null): void {
  if (Buffer.byteLength(paths.gatewaySocket) > MAX_SOCKET_PATH) {
    throw new WeirError('E_STATE', {
      message: 'the path of the state folder is too long for sockets',
      cause: `${paths.gatewaySocket} has more than ${MAX_SOCKET_PATH} bytes`,
      next: 'set WEIR_HOME to a shorter path',
    })
  }
  const folders: [path: string, mode: number, owner: number | undefined][] = [
    [paths.home, 0o711, undefined],
    [paths.run, 0o711, undefined],
    [dirname(paths.serverSocket), 0o711, accounts?.server],
    [dirname(paths.gatewaySocket), 0o711, accounts?.gateway],
    [dirname(paths.telemetrySocket), 0o711, accounts?.telemetry],
    [dirname(paths.spansSocket), 0o711, accounts?.telemetry],
    [paths.telemetry, 0o700, accounts?.telemetry],
    [paths.instrumentation, 0o755, undefined],
    [paths.server, 0o700, accounts?.server],
    [paths.mirrors, 0o700, accounts?.server],
    [paths.uploads, 0o700, accounts?.server],
    [paths.gateway, 0o700, accounts?.gateway],
    [paths.runner, 0o711, undefined],
    ...['replicas', 'tasks', 'jobs', 'daemons', 'resources', 'databases'].map((name): [string, number, undefined] => [
      join(paths.runner, name),
      0o700,
      undefined,
    ]),
    [paths.replicas, 0o711, undefined],
    [paths.volumes, 0o711, undefined],
    [paths.runtimes, 0o755, undefined],
    [paths.logs, 0o711, undefined],
    [paths.slugs, 0o711, accounts?.server],
    [paths.builds, 0o711, accounts?.server],
  ]
  for (const [path, mode, owner] of folders) {
    try {
      mkdirSync(path, { recursive: true, mode })
      chmodSync(path, mode)
      if (owner !== undefined) chownSync(path, owner, owner)
    } catch (error) {
      throw new WeirError(
        'E_STATE',
        {
          message: `the state folder cannot be used`,
          cause: error instanceof Error ? error.message : String(error),
          next: 'set WEIR_HOME to a folder that can be written',
        },
        { cause: error },
      )
    }
  }
  if (accounts) {
    // What is made in the folder belongs to the group of whoever calls, which the maker is no member of and could not give it.
    const calledBy: [folder: string, owner: number, group: number][] = [
      [dirname(paths.gatewaySocket), accounts.gateway, accounts.server],
      [dirname(paths.telemetrySocket), accounts.telemetry, accounts.server],
      [dirname(paths.spansSocket), accounts.telemetry, accounts.gateway],
    ]
    for (const [folder, owner, group] of calledBy) {
      chownSync(folder, owner, group)
      chmodSync(folder, 0o2711)
    }
    // Server and telemetry look for what replicas print.
    giveLogs(paths.logs, accounts.readers)
    chmodSync(paths.logs, 0o751)
    // The server adds the Node that an app asks for; what is root's there it can neither change nor replace (sticky).
    chownSync(paths.runtimes, 0, accounts.server)
    chmodSync(paths.runtimes, 0o1775)
  }
}

/** Logs that an older build made belong to the server's group, which telemetry is not in. */
function giveLogs(folder: string, group: number): void {
  if (lstatSync(folder).gid === group) return
  for (const { name, parentPath } of readdirSync(folder, { recursive: true, withFileTypes: true })) lchownSync(join(parentPath, name), 0, group)
  chownSync(folder, 0, group) // last: it says that all of them were given
}
