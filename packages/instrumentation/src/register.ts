import { createRequire } from 'node:module'
import { Exporter } from './exporter.ts'
import { EXPRESS_PATCHES } from './hooks/express.ts'
import { traceFastify } from './hooks/fastify.ts'
import { traceFetch } from './hooks/fetch.ts'
import { traceClientRequests } from './hooks/http-client.ts'
import { traceServers } from './hooks/http-server.ts'
import { kafkajsPatches } from './hooks/kafkajs.ts'
import { hasSdk, joinOpenTelemetry } from './hooks/open-telemetry.ts'
import { pgPatches } from './hooks/pg.ts'
import { tracePlatformaticKafka } from './hooks/platformatic-kafka.ts'
import { redisPatches, traceNodeRedis } from './hooks/redis.ts'
import { flushAtTheEnd } from './last-words.ts'
import { SUPPRESSED } from './scope.ts'
import { readSettings } from './settings.ts'
import { Tracer } from './tracer.ts'
import { whenLoaded } from './when-loaded.ts'

const VERSION = '0.1.0'
/** Loaded twice (by NODE_OPTIONS and by the app's own command), it works once. */
const LOADED = Symbol.for('weir.instrumentation')
/** Programs that start the service's own process, and are none. */
const LAUNCHER = /[\\/](npm|npx|pnpm|yarn|corepack)(-cli)?(\.[cm]?js)?$/

const require = createRequire(import.meta.url)
const shared = globalThis as { [LOADED]?: boolean }

if (shared[LOADED] !== true && !hasSdk() && !LAUNCHER.test(process.argv[1] ?? '')) {
  shared[LOADED] = true
  try {
    register()
  } catch {
    // The service starts without traces rather than not at all.
  }
}

function register(): void {
  const { exporter: target, sample, logLevel } = readSettings(process.env)
  const log = (level: 'warn' | 'debug', text: string) => {
    const shown = level === 'warn' ? !['none', 'error'].includes(logLevel) : ['debug', 'verbose', 'all'].includes(logLevel)
    if (shown) process.stderr.write(`weir-instrumentation: ${text}\n`)
  }
  const trouble = (where: string, error: unknown) => log('warn', `${where}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)

  const tracer = new Tracer({ sample: target === null ? null : sample, ended: (span) => exporter?.add(span), trouble })
  const untraced = <T>(work: () => T): T => tracer.scopes.run(SUPPRESSED, work)
  const exporter = target === null ? null : new Exporter({ ...target, version: VERSION, untraced, log, onFlush: () => tracer.clock.align() })

  const http = require('node:http') as typeof import('node:http')
  const net = require('node:net') as typeof import('node:net')
  traceServers(tracer, net.Server.prototype as never)
  traceClientRequests(tracer, http.ClientRequest.prototype as never)
  traceFetch(tracer)
  tracePlatformaticKafka(tracer)
  const patches = [...kafkajsPatches(tracer)]
  if (exporter !== null) {
    traceFastify(tracer)
    traceNodeRedis(tracer)
    joinOpenTelemetry(tracer)
    patches.push(...EXPRESS_PATCHES, ...pgPatches(tracer), ...redisPatches(tracer))
    flushAtTheEnd(exporter)
  }
  whenLoaded(new Map(patches), trouble)
}
