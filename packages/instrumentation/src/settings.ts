import { type Sampler, samplerNamed } from './sampler.ts'

export interface Settings {
  /** Null: nothing is recorded, baggage and trace headers are passed on all the same. */
  readonly exporter: ExporterSettings | null
  readonly sample: Sampler
  readonly logLevel: LogLevel
}

export interface ExporterSettings {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly gzip: boolean
  readonly delayMs: number
  /** Key, value, key, value, … */
  readonly resource: readonly (string | number)[]
}

const LOG_LEVELS = ['none', 'error', 'warn', 'info', 'debug', 'verbose', 'all'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

type Environment = Readonly<Record<string, string | undefined>>

const DEFAULT_TIMEOUT_MS = 10_000
const DEFAULT_DELAY_MS = 500

/**
 * OpenTelemetry's variables, read once at start. Without an endpoint nothing is recorded: there is nobody to send it to.
 *
 * @example readSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318', OTEL_SERVICE_NAME: 'songs' })
 */
export function readSettings(env: Environment): Settings {
  const url = env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none' ? null : endpoint(env)
  const level = LOG_LEVELS.find((it) => it === env['OTEL_LOG_LEVEL']?.toLowerCase()) ?? 'none'
  return {
    exporter: url === null ? null : exporterSettings(env, url),
    sample: samplerNamed(env['OTEL_TRACES_SAMPLER'] ?? '', env['OTEL_TRACES_SAMPLER_ARG'] ?? ''),
    logLevel: level,
  }
}

function endpoint(env: Environment): URL | null {
  const ofTraces = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? ''
  const base = env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? ''
  const text = ofTraces !== '' ? ofTraces : base === '' ? '' : `${base.replace(/\/+$/, '')}/v1/traces`
  try {
    const url = new URL(text)
    return url.protocol === 'http:' || url.protocol === 'https:' ? url : null
  } catch {
    return null
  }
}

function exporterSettings(env: Environment, url: URL): ExporterSettings {
  return {
    url,
    headers: Object.fromEntries(
      [...pairs(env['OTEL_EXPORTER_OTLP_HEADERS']), ...pairs(env['OTEL_EXPORTER_OTLP_TRACES_HEADERS'])].map(([name, value]) => [name.toLowerCase(), value]),
    ),
    timeoutMs: positive(env['OTEL_EXPORTER_OTLP_TRACES_TIMEOUT'] ?? env['OTEL_EXPORTER_OTLP_TIMEOUT']) ?? DEFAULT_TIMEOUT_MS,
    // On the same machine nothing is saved by it, and two processes would pay.
    gzip: (env['OTEL_EXPORTER_OTLP_TRACES_COMPRESSION'] ?? env['OTEL_EXPORTER_OTLP_COMPRESSION'] ?? (isLoopback(url) ? 'none' : 'gzip')) === 'gzip',
    delayMs: positive(env['OTEL_BSP_SCHEDULE_DELAY']) ?? DEFAULT_DELAY_MS,
    resource: resource(env),
  }
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
}

function resource(env: Environment): (string | number)[] {
  const attributes = new Map<string, string | number>([
    ['service.name', 'unknown_service:node'],
    ['telemetry.sdk.name', 'weir'],
    ['telemetry.sdk.language', 'nodejs'],
    ['process.pid', process.pid],
    ['process.runtime.version', process.versions.node],
    ...pairs(env['OTEL_RESOURCE_ATTRIBUTES']),
  ])
  const name = env['OTEL_SERVICE_NAME'] ?? ''
  if (name !== '') attributes.set('service.name', name)
  return [...attributes].flat()
}

/** `name=value,name=value`, values percent-encoded. What is no pair is left out. */
function pairs(list = ''): [string, string][] {
  return list.split(',').flatMap((pair): [string, string][] => {
    const at = pair.indexOf('=')
    const name = pair.slice(0, Math.max(0, at)).trim()
    return name === '' ? [] : [[decoded(name), decoded(pair.slice(at + 1).trim())]]
  })
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function positive(text: string | undefined): number | null {
  const value = Number(text)
  return Number.isFinite(value) && value > 0 ? value : null
}
