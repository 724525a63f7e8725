import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { inReach, type Reach } from '../reach.ts'

const WITHIN_MS = 5_000

export type Resolved = { readonly ip: string } | { readonly problem: string }

/**
 * The address to connect to, looked up once: who connects to it cannot be led elsewhere by a second answer. A name of which any address is
 * out of reach is refused as a whole.
 *
 * @example await resolveInReach('metadata.internal', 'internet') // { problem: 'metadata.internal is an address inside …' }
 */
export async function resolveInReach(hostname: string, reach: Reach): Promise<Resolved> {
  const host = hostname.replace(/^\[|\]$/g, '')
  const found = isIP(host) ? [host] : await addressesOf(host)
  const ip = found.find((it) => isIP(it) === 4) ?? found[0]
  if (ip === undefined) return { problem: `the name ${host} does not resolve` }
  if (!found.every((it) => inReach(it, reach)))
    return { problem: `${host} is an address inside this network or machine, which an admin of the installation may allow: weir notify reach` }
  return { ip }
}

async function addressesOf(host: string): Promise<readonly string[]> {
  const late = AbortSignal.timeout(WITHIN_MS)
  const never = new Promise<readonly string[]>((resolve) => late.addEventListener('abort', () => resolve([]), { once: true }))
  const asked = lookup(host, { all: true }).then(
    (all) => all.map(({ address }) => address),
    () => [],
  )
  return Promise.race([asked, never])
}
