import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { extname, join, sep } from 'node:path'
import { pipeline } from 'node:stream'

/**
 * Serves the files of a folder: `node static-server.mts FOLDER`, on HOST and PORT. It is copied into the slugs of static sites and
 * stands alone there. Folders answer with their index.html, other paths without an extension with the site's (client-side routes).
 * Nothing outside of the folder and no hidden file is ever served.
 */
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.htm': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.txt': 'text/plain; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.xml': 'application/xml',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.avif': 'image/avif',
  '.ico': 'image/x-icon',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
  '.ttf': 'font/ttf',
  '.otf': 'font/otf',
  '.wasm': 'application/wasm',
  '.pdf': 'application/pdf',
  '.mp3': 'audio/mpeg',
  '.mp4': 'video/mp4',
  '.webm': 'video/webm',
}

const root = await realpath(process.argv[2] ?? '.')
const server = createServer((request, response) => {
  answer(request, response).catch(() => {
    if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' })
    response.end('internal error\n')
  })
})
server.listen(Number(process.env['PORT'] ?? 8080), process.env['HOST'] ?? '127.0.0.1')
process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405, 'method not allowed', { allow: 'GET, HEAD' })
  const path = pathOf(request.url ?? '/')
  if (path === null) return refuse(response, 400, 'bad request')
  if (path.split('/').some((part) => part.startsWith('.') && part !== '.well-known')) return refuse(response, 404, 'not found')
  const found = await fileAt(path)
  if (found === 'folder') return refuse(response, 308, 'moved', { location: `${encodeURI(path).replace(/^\/+/, '/')}/` })
  const file = found ?? (extname(path) === '' ? await fileAt('/index.html') : null)
  if (file === null || file === 'folder') return refuse(response, 404, 'not found')
  send(request, response, file)
}

interface Found {
  readonly path: string
  readonly size: number
  readonly etag: string
}

function pathOf(url: string): string | null {
  try {
    const path = decodeURIComponent(url.split(/[?#]/, 1)[0] ?? '/')
    return path.startsWith('/') && !path.includes('\0') && !path.split(/[/\\]/).includes('..') ? path : null
  } catch {
    return null
  }
}

/** Follows links only as far as they stay inside. */
async function fileAt(path: string): Promise<Found | 'folder' | null> {
  const wanted = join(root, path.endsWith('/') ? `${path}index.html` : path)
  const real = await realpath(wanted).catch(() => null)
  if (real === null || (real !== root && !real.startsWith(root + sep))) return null
  const found = await stat(real)
  if (found.isDirectory()) return path.endsWith('/') ? null : 'folder'
  if (!found.isFile()) return null
  // Slugs carry one time for all files, so the inode stands in for it: a new release is unpacked into new files.
  return { path: real, size: found.size, etag: `"${found.size.toString(36)}-${Math.floor(found.mtimeMs).toString(36)}-${found.ino.toString(36)}"` }
}

function send(request: IncomingMessage, response: ServerResponse, { path, size, etag }: Found): void {
  const headers = {
    'content-type': TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-cache',
    etag,
  }
  if (request.headers['if-none-match']?.split(/,\s*/).includes(etag)) {
    response.writeHead(304, headers).end()
    return
  }
  response.writeHead(200, { ...headers, 'content-length': size })
  if (request.method === 'HEAD') response.end()
  else pipeline(createReadStream(path), response, () => {})
}

function refuse(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers })
  response.end(`${text}\n`)
}
