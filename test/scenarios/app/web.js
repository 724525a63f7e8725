import { createServer } from 'node:http'

/** What is wrong with this release, as JSON; see ../scenario.ts. Nothing: {}. */
const fault = JSON.parse(process.env.FAULT || '{}')
const { PORT, HOST, STOCK_URL, WEIR_RELEASE, ERRORS = '0' } = process.env
const SPREAD = 0.3
/** What is left of its memory when it serves. */
const LEAK_BYTES = 200 * 2 ** 20
const LEAK_EVERY_MS = 250

let served = 0
const leaked = []

createServer((request, response) => {
  if (request.url === '/healthz') return response.end('ok')
  served++
  if (fault.kind === 'crash' && served > fault.afterRequests) process.exit(1)
  if (fault.kind === 'out-of-memory' && served === 1) leak()
  const route = Number(request.url.slice(2))
  answer(route).then(
    (text) => (text === null ? reply(response, 500, 'broken') : reply(response, 200, text)),
    (error) => {
      console.error('request failed:', error)
      reply(response, 500, 'sorry')
    },
  )
}).listen(Number(PORT), HOST)

/** null: broken, and nobody says why. */
async function answer(route) {
  const [stock] = await Promise.all([stockOf(route), work(route)])
  if (fault.kind === 'errors' && (fault.route === null || fault.route === route) && Math.random() < fault.share) return null
  if (Math.random() < Number(ERRORS)) total(route)
  return stock
}

/** 10 ms to 100 ms by route. */
function work(route) {
  const ms = 10 ** (1 + route / 9) * Math.exp(SPREAD * normal()) * (fault.kind === 'slower' ? fault.factor : 1)
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function stockOf(route) {
  const takes = fault.kind === 'dependency' ? `?takes=${fault.takesMs}` : ''
  return (await fetch(`${STOCK_URL}/${route}${takes}`)).text()
}

function total(route) {
  if (fault.kind === 'new-exception') throw new RangeError(`no total for ${route}`)
  throw new TypeError(`no price for ${route}`)
}

/** Until the kernel ends it. */
function leak() {
  const bytes = (LEAK_BYTES * LEAK_EVERY_MS) / fault.afterMs
  setInterval(() => leaked.push(Buffer.alloc(bytes, 1)), LEAK_EVERY_MS)
}

function reply(response, status, text) {
  response.writeHead(status, { 'content-type': 'text/plain', 'x-release': WEIR_RELEASE ?? '' }).end(text)
}

function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())
}

process.on('SIGTERM', () => process.exit(0))
