import { spawn } from 'node:child_process'
import { createServer } from 'node:http'

/** What goes wrong; see README.md. Anything else, and this is a healthy service. */
const { BREAK = '', PORT = '8080', HOST = '127.0.0.1', AFTER_MS = '2000' } = process.env

let healthy = BREAK !== 'health'

const server = createServer((request, response) => {
  if (request.url === '/healthz' && !healthy) return response.writeHead(503).end('not well: the cache is cold\n')
  response.end(`BREAK=${BREAK}\n`)
})

function listen(port) {
  server.listen(port, HOST, () => console.log(`listens on ${HOST}:${port}`))
}

switch (BREAK) {
  case 'exit':
    console.error('Error: connect ECONNREFUSED 127.0.0.1:5432 (db)')
    process.exit(1)
  case 'no-port':
    console.log('up, but listens nowhere')
    setInterval(() => {}, 1000)
    break
  case 'wrong-port':
    listen(Number(PORT) + 1)
    break
  case 'daemonize':
    // The child lives on in a session of its own, and this one ends as if all were well.
    spawn(process.execPath, [import.meta.filename ?? process.argv[1]], { detached: true, stdio: 'ignore', env: { ...process.env, BREAK: '' } }).unref()
    process.exit(0)
  case 'exits-later':
    listen(Number(PORT))
    setTimeout(() => {
      console.error('Error: out of luck')
      process.exit(7)
    }, Number(AFTER_MS))
    break
  case 'sick-later':
    listen(Number(PORT))
    setTimeout(() => (healthy = false), Number(AFTER_MS))
    break
  default:
    listen(Number(PORT))
}

process.on('SIGTERM', () => {
  if (BREAK === 'ignore-sigterm') return console.log('SIGTERM: no')
  process.exit(0)
})
