import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { padding } from '../../archive/tar-read.ts'
import { TAR_END, tarHeader } from '../../archive/tar-write.ts'

export interface Registry {
  readonly url: string
  /** Requests so far. */
  readonly visits: string[]
  /** The entry of a package-lock.json for the package. */
  locked(name: string): Record<string, unknown>
  close(): void
}

/** A package registry on loopback with packages of one version (1.0.0) and these files. */
export async function startRegistry(packages: Readonly<Record<string, Readonly<Record<string, string>>>>): Promise<Registry> {
  const visits: string[] = []
  const tarballs = new Map(
    Object.entries(packages).map(([name, files]) => [name, tarball({ 'package.json': JSON.stringify({ name, version: '1.0.0' }), ...files })]),
  )
  const integrity = (name: string) =>
    `sha512-${createHash('sha512')
      .update(tarballs.get(name) ?? '')
      .digest('base64')}`
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    visits.push(path)
    const name = decodeURIComponent(path.slice(1).replace(/\/-\/.*$/, ''))
    const found = tarballs.get(name)
    if (!found) return response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"Not found"}')
    if (path.includes('/-/')) return response.end(found)
    const dist = { tarball: `${url}/${name}/-/${name}-1.0.0.tgz`, integrity: integrity(name) }
    return response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ name, 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': { name, version: '1.0.0', dist } } }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    visits,
    locked: (name) => ({ version: '1.0.0', resolved: `${url}/${name}/-/${name}-1.0.0.tgz`, integrity: integrity(name) }),
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

function tarball(files: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(files).map(([path, text]) => {
    const body = Buffer.from(text)
    return Buffer.concat([
      tarHeader({ path: `package/${path}`, type: '0', mode: 0o644, size: body.length, target: '', timeMs: 0 }),
      body,
      Buffer.alloc(padding(body.length)),
    ])
  })
  return gzipSync(Buffer.concat([...parts, TAR_END]))
}
