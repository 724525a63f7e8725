import { BlockList, isIP } from 'node:net'

/** Which peers may say who the client was: proxies in front of the gateway, by CIDR. */
export class TrustedProxies {
  readonly #list = new BlockList()
  readonly #empty: boolean

  /** @throws when an entry is neither an address nor a CIDR block. */
  constructor(blocks: readonly string[]) {
    this.#empty = blocks.length === 0
    for (const block of blocks) {
      const [address, prefix] = block.split('/') as [string, string | undefined]
      const family = isIP(address)
      if (family === 0) throw new Error(`WEIR_TRUSTED_PROXIES: "${block}" is neither an address nor a block like 10.0.0.0/8`)
      const kind = family === 6 ? 'ipv6' : 'ipv4'
      if (prefix === undefined) this.#list.addAddress(address, kind)
      else this.#list.addSubnet(address, Number(prefix), kind)
    }
  }

  has(address: string): boolean {
    if (this.#empty) return false
    const family = isIP(address)
    return family !== 0 && this.#list.check(address, family === 6 ? 'ipv6' : 'ipv4')
  }
}

export interface Forwarded {
  /** The client's address, as far as trusted proxies vouch for it. */
  readonly client: string
  /** X-Forwarded-For to send on. */
  readonly chain: string
  readonly proto: string
}

/**
 * Who the client is: the right-most address that no trusted proxy owns. What an untrusted peer claims is dropped.
 *
 * | peer      | X-Forwarded-For        | client  | sent on                    |
 * |-----------|------------------------|---------|----------------------------|
 * | untrusted | anything               | peer    | peer                       |
 * | trusted   | `a, b` (b untrusted)   | b       | `a, b, peer`               |
 * | trusted   | `a, t` (t trusted)     | a       | `a, t, peer`               |
 * | trusted   | none                   | peer    | peer                       |
 */
export function forwardedFrom(peer: string, header: string | null, proto: string | null, trusted: TrustedProxies): Forwarded {
  const address = peer.startsWith('::ffff:') ? peer.slice(7) : peer
  if (!trusted.has(address)) return { client: address, chain: address, proto: 'http' }
  const scheme = proto === 'https' ? 'https' : 'http'
  if (header === null) return { client: address, chain: address, proto: scheme }
  const hops = header.split(',').map((hop) => hop.trim())
  let client = address
  for (let at = hops.length - 1; at >= 0; at--) {
    const hop = hops[at] as string
    if (isIP(hop) === 0) break
    client = hop
    if (!trusted.has(hop)) break
  }
  return { client, chain: `${header}, ${address}`, proto: scheme }
}
