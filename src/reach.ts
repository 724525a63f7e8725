import { BlockList, isIP } from 'node:net'

/**
 * How far addresses that people write down may reach from this machine.
 *
 * | reach    | internet | private networks | this machine |
 * |----------|----------|------------------|--------------|
 * | internet | yes      | no               | no           |
 * | network  | yes      | yes              | no           |
 * | machine  | yes      | yes              | yes          |
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
  // of IPv6: IPv4 inside it (6to4, translation), link-local, multicast; and where some clouds keep their metadata
  ['2002::', 16],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['fd00:ec2::254', 128],
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

function unmapped(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address
}

function blockList(subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList()
  for (const [net, prefix] of subnets) list.addSubnet(net, prefix, net.includes(':') ? 'ipv6' : 'ipv4')
  return list
}
