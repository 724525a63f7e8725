import { lookup } from 'node:dns/promises'
import { request as askHttp } from 'node:http'
import { request as askHttps } from 'node:https'
import { isIP } from 'node:net'
import { inReach, type Reach } from '../../reach.ts'

/** A larger answer is not read. */
const MOST_BYTES = 256 * 1024
const TIMEOUT_MS = 5_000

export interface FetchLimits {
  readonly reach: Reach
  /** Ports of this machine that are Weir's own: nobody's indicator is there. */
  readonly ownPorts: ReadonlySet<number>
}

/**
 * JSON from an address of somebody's choosing, by GET: the name is looked up once and the connection goes to what was checked, no redirect is
 * followed, and nothing is sent that the address does not say. Throws with a sentence for people.
 *
 * @example await fetchJson('http://prometheus:9090/api/v1/query?query=up', { reach: 'network', ownPorts: new Set() })
 */
export async function fetchJson(url: string, { reach, ownPorts }: FetchLimits): Promise<unknown> {
  const { protocol, hostname, port, username, password } = new URL(url)
  if (protocol !== 'http:' && protocol !== 'https:') throw new Error('only http and https are asked')
  if (username !== '' || password !== '') throw new Error('an address with a password in it is not asked')
  const host = hostname.replace(/^\[|\]$/g, '')
  const addresses = isIP(host) ? [host] : (await lookup(host, { all: true })).map(({ address }) => address)
  const [address] = addresses.every((it) => inReach(it, reach)) ? addresses : []
  const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
  if (address === undefined || (addresses.some((it) => !inReach(it, 'network')) && ownPorts.has(number))) throw new Error(`${host} is out of reach from here`)
  return JSON.parse(await textOf(new URL(url), address))
}

function textOf(url: URL, address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const family = isIP(address)
    const pinned = (_host: string, options: { readonly all?: boolean }, found: (error: null, address: unknown, family?: number) => void) =>
      options.all ? found(null, [{ address, family }]) : found(null, address, family)
    const ask = url.protocol === 'https:' ? askHttps : askHttp
    const headers = { accept: 'application/json', 'user-agent': 'weir-indicator' }
    const sent = ask(url, { agent: false, headers, lookup: pinned as never, signal: AbortSignal.timeout(TIMEOUT_MS) }, (answer) => {
      const chunks: Buffer[] = []
      let bytes = 0
      if (answer.statusCode !== 200) {
        reject(new Error(`answered ${answer.statusCode}`))
        sent.destroy()
        return
      }
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        chunks.push(chunk)
        if (bytes > MOST_BYTES) {
          reject(new Error(`the answer is larger than ${MOST_BYTES / 1024} KiB`))
          sent.destroy()
        }
      })
      answer.on('end', () => resolve(Buffer.concat(chunks).toString()))
      answer.on('error', reject)
    })
    sent.on('error', (error) =>
      reject(error.name === 'TimeoutError' || error.name === 'AbortError' ? new Error(`no complete answer in ${TIMEOUT_MS} ms`) : error),
    )
    sent.end()
  })
}
