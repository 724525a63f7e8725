import own from '../../package.json' with { type: 'json' }
import type { Session } from './frame/session.ts'

const PATIENCE_MS = 1000

/** Versions of this program and of the server that it talks to. */
export async function version(session: Session): Promise<undefined> {
  const server = await serverVersion(session)
  await session.print({ weir: own.version, server, node: process.versions.node }, () => [
    `weir ${own.version} (Node ${process.versions.node})`,
    server === null ? `no server answers at ${session.server.address}` : `server ${server}`,
    ...(server === null || sameMinor(server, own.version) ? [] : ['they differ: weir deploy and its kin may lack what the other knows']),
  ])
}

export async function serverVersion(session: Session): Promise<string | null> {
  try {
    const client = await session.client()
    return (await client.call('system.version', {}, { signal: AbortSignal.timeout(PATIENCE_MS) })).version
  } catch {
    return null // said as "no server answers"
  }
}

function sameMinor(a: string, b: string): boolean {
  const minor = (version: string) => version.split('.').slice(0, 2).join('.')
  return minor(a) === minor(b)
}
