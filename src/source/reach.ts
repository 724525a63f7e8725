import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { WeirError } from '../errors.ts'
import { type RepositoryUrl, shownUrl } from './repository-url.ts'

/**
 * How far a tenant's repository addresses may reach from this machine.
 *
 * | reach    | internet | private networks | this machine, its paths |
 * |----------|----------|------------------|-------------------------|
 * | internet | yes      | no               | no                      |
 * | network  | yes      | yes              | no                      |
 * | machine  | yes      | yes              | yes                     |
 *
 * Link-local addresses (cloud metadata), multicast and unspecified ones are out of reach for all.
 */
export type Reach = 'internet' | 'network' | 'machine'

const NEVER = blockList([
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
  ['fe80::', 10],
  ['ff00::', 8],
])
const LOOPBACK = blockList([
  ['127.0.0.0', 8],
  ['::1', 128],
])
const PRIVATE = blockList([
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['fc00::', 7],
])

/**
 * Whether a resolved address is in reach. An IPv4 address written as IPv6 counts as what it is.
 *
 * @example inReach('169.254.169.254', 'machine') // false
 * @example inReach('10.1.2.3', 'network') // true
 */
export function inReach(address: string, reach: Reach): boolean {
  const plain = unmapped(address)
  const family = isIP(plain) === 6 ? 'ipv6' : 'ipv4'
  if (plain === '::' || NEVER.check(plain, family)) return false
  if (LOOPBACK.check(plain, family)) return reach === 'machine'
  return PRIVATE.check(plain, family) ? reach !== 'internet' : true
}

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

function unmapped(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address
}

function outOfReach(url: string, cause: string): WeirError {
  return new WeirError('E_SOURCE_URL', { message: `cannot follow "${shownUrl(url)}"`, cause, next: 'use an address that is reachable from outside' })
}

function blockList(subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList()
  for (const [net, prefix] of subnets) list.addSubnet(net, prefix, net.includes(':') ? 'ipv6' : 'ipv4')
  return list
}
