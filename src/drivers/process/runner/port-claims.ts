import { createServer, type Server } from 'node:net'

/**
 * Ports that are to be listened at by a process that is still to be started. Between "nobody listens there" and that process's own bind another
 * installation might choose the same one; so a port is claimed first, by the name of a socket that the kernel gives to one process of the machine.
 *
 * @example
 * const claims = new PortClaims()
 * await claims.reserve([4318, 20_001]) // 4318, or 20001 where another has claimed it or listens there
 */
export class PortClaims {
  /** Held until this process ends. */
  readonly #held: Server[] = []

  /** The first that nobody has; null: somebody has each of them. */
  async reserve(candidates: Iterable<number>): Promise<number | null> {
    for (const port of candidates) if ((await this.claim(port)) && (await isFree(port))) return port
    return null
  }

  /** false: another one has. */
  async claim(port: number): Promise<boolean> {
    const claim = await listening({ path: `\0weir-port-${port}` }, (socket) => socket.destroy())
    if (claim === null) return false
    this.#held.push(claim.unref())
    return true
  }
}

/** By a bind, since one that is bound and does not listen yet is in no list. */
async function isFree(port: number): Promise<boolean> {
  const server = await listening({ port, host: '127.0.0.1' })
  if (server === null) return false
  await new Promise((resolve) => server.close(resolve))
  return true
}

function listening(
  where: { readonly path: string } | { readonly port: number; readonly host: string },
  connected?: Parameters<typeof createServer>[1],
): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer(connected)
    server.once('error', () => resolve(null)).listen(where, () => resolve(server))
  })
}
