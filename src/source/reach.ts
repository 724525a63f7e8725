import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { WeirError } from '../errors.ts'
import { inReach, type Reach } from '../reach.ts'
import { type RepositoryUrl, shownUrl } from './repository-url.ts'

/**
 * Addresses that git is pinned to, so that a name cannot mean something else between this look and the connection.
 * Empty: nothing to pin (a local path, or a proxy resolves the name).
 */
export async function addressesInReach(url: RepositoryUrl, reach: Reach): Promise<string[]> {
  if (url.kind === 'file') {
    if (reach === 'machine') return []
    throw outOfReach(url.url, 'repositories on the machine itself are for its administrators')
  }
  if (url.kind === 'https' && (process.env['https_proxy'] ?? process.env['HTTPS_PROXY'])) return []
  const host = url.host.replace(/^\[|\]$/g, '')
  const addresses = isIP(host) ? [host] : await resolve(host, url.url)
  if (!addresses.every((address) => inReach(address, reach))) throw outOfReach(url.url, `${url.host} is an address inside this network or machine`)
  return addresses
}

async function resolve(host: string, url: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address)
  } catch (error) {
    throw new WeirError(
      'E_SOURCE_UNREACHABLE',
      { message: `cannot read ${shownUrl(url)}`, cause: `the name ${host} does not resolve`, state: 'what runs goes on unchanged', next: 'check the address' },
      { cause: error },
    )
  }
}

function outOfReach(url: string, cause: string): WeirError {
  return new WeirError('E_SOURCE_URL', { message: `cannot follow "${shownUrl(url)}"`, cause, next: 'use an address that is reachable from outside' })
}
