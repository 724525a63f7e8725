import { appendFile, rename, stat } from 'node:fs/promises'
import { WeirError } from '../../../../errors.ts'
import { type Headers, withoutSecrets } from '../../../credentials.ts'
import { type ExportedLog, type Receiver, Retryable } from './sender.ts'

const ANSWER_MS = 10_000
const FILE_BYTES = 64 * 2 ** 20
const LEVELS: Readonly<Record<number, string>> = { 1: 'TRACE', 5: 'DEBUG', 9: 'INFO', 13: 'WARN', 17: 'ERROR', 21: 'FATAL' }

/**
 * Where logs are sent on to, by its address.
 *
 * | address | receiver |
 * |---|---|
 * | `file:/var/log/weir/all.jsonl` | a line of JSON each; at 64 MiB the file is renamed to `.1` |
 * | `otlp+http://host:4318`, `otlp+https://…` | OTLP/HTTP, JSON |
 * | `elasticsearch+http://host:9200/index`, `…+https://…` | the bulk API of Elasticsearch and OpenSearch |
 *
 * `headers`: what the other side wants to see; throws what is wrong with it.
 *
 * @example new LogSender(receiverAt('otlp+http://127.0.0.1:4318'))
 */
export function receiverAt(address: string, headers: () => Headers = () => ({})): Receiver {
  if (address.startsWith('file:/')) return fileReceiver(address.slice('file:'.length))
  const match = /^(otlp|elasticsearch)\+(https?:\/\/.+)$/.exec(address)
  if (!match || !URL.canParse(match[2] as string)) {
    throw new WeirError('E_USAGE', {
      message: 'logs cannot be sent there',
      cause: 'the address begins neither with file:/ nor with otlp+http:// nor with elasticsearch+http://',
      next: 'otlp+http://127.0.0.1:4318',
    })
  }
  const url = (match[2] as string).replace(/\/$/, '')
  return match[1] === 'otlp' ? otlpReceiver(url, headers) : elasticsearchReceiver(url, headers)
}

function fileReceiver(path: string): Receiver {
  return {
    async send(logs) {
      try {
        const { size } = await stat(path).catch(() => ({ size: 0 }))
        if (size >= FILE_BYTES) await rename(path, `${path}.1`)
        await appendFile(path, logs.map((log) => `${JSON.stringify(document(log))}\n`).join(''), { mode: 0o600 })
        return 0
      } catch (error) {
        throw new Retryable((error as Error).message)
      }
    },
  }
}

function otlpReceiver(url: string, headers: () => Headers): Receiver {
  return {
    async send(logs) {
      const makers = Map.groupBy(logs, ({ environment, service, release, instance }) => JSON.stringify([environment, service, release, instance]))
      const resourceLogs = [...makers.values()].map((group) => ({
        resource: { attributes: resourceOf(group[0] as ExportedLog) },
        scopeLogs: [{ logRecords: group.map(recordOf) }],
      }))
      const answer = await post(`${url}/v1/logs`, headers, 'application/json', JSON.stringify({ resourceLogs }))
      const partial = (JSON.parse(answer || '{}') as { partialSuccess?: { rejectedLogRecords?: string | number } }).partialSuccess
      return Number(partial?.rejectedLogRecords ?? 0)
    },
  }
}

/** `create` asks for nothing but the right to add, and works with data streams. */
function elasticsearchReceiver(url: string, headers: () => Headers): Receiver {
  return {
    async send(logs) {
      const body = logs.map((log) => `{"create":{}}\n${JSON.stringify(document(log))}\n`).join('')
      const answer = JSON.parse(await post(`${url}/_bulk`, headers, 'application/x-ndjson', body)) as {
        errors?: boolean
        items?: { create?: { status: number } }[]
      }
      if (answer.errors !== true) return 0
      const statuses = (answer.items ?? []).map((item) => item.create?.status ?? 500)
      // sent again as a whole only while nothing was taken, or lines would be there twice
      if (statuses.every((status) => status === 429 || status >= 500)) throw new Retryable(`${statuses.length} lines were answered ${statuses[0]}`)
      return statuses.filter((status) => status >= 300).length
    },
  }
}

/** Fields as Elastic's common schema names them. */
function document({ environment, atMs, service, release, instance, severity, trace, span, text, attributes }: ExportedLog): object {
  return {
    '@timestamp': new Date(atMs).toISOString(),
    message: text,
    ...(severity > 0 ? { 'log.level': levelName(severity) } : {}),
    'service.name': service,
    ...(release === '' ? {} : { 'service.version': release }),
    'service.instance.id': instance,
    'weir.environment': environment,
    ...(trace === '' ? {} : { 'trace.id': trace }),
    ...(span === '' ? {} : { 'span.id': span }),
    ...(attributes === null ? {} : { attributes }),
  }
}

function resourceOf({ environment, service, release, instance }: ExportedLog) {
  const texts = { 'service.name': service, 'service.version': release, 'service.instance.id': instance, 'weir.environment': environment }
  return Object.entries(texts).map(([key, stringValue]) => ({ key, value: { stringValue } }))
}

function recordOf({ atMs, severity, trace, span, text, attributes }: ExportedLog) {
  return {
    timeUnixNano: String(BigInt(Math.round(atMs * 1000)) * 1000n),
    severityNumber: severity,
    severityText: severity > 0 ? levelName(severity) : '',
    body: { stringValue: text },
    attributes: Object.entries(attributes ?? {}).map(([key, value]) => ({
      key,
      value: { stringValue: typeof value === 'string' ? value : JSON.stringify(value) },
    })),
    ...(trace === '' ? {} : { traceId: trace }),
    ...(span === '' ? {} : { spanId: span }),
  }
}

function levelName(severity: number): string {
  return LEVELS[severity - ((severity - 1) % 4)] ?? 'INFO'
}

/** What is refused for good is an error of its own; everything else may go better later. */
async function post(url: string, headersNow: () => Headers, contentType: string, body: string): Promise<string> {
  let response: Response
  let headers: Headers
  try {
    headers = headersNow()
    response = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': contentType },
      body,
      signal: AbortSignal.timeout(ANSWER_MS),
      redirect: 'error',
    })
  } catch (error) {
    const { message, cause } = error as Error
    throw new Retryable(cause instanceof Error ? cause.message : message)
  }
  const text = await response.text().catch(() => '')
  if (response.ok) return text
  const said = `answered ${response.status}: ${withoutSecrets(text, headers).slice(0, 200)}`
  if (response.status === 408 || response.status === 429 || response.status >= 500) throw new Retryable(said)
  throw new Error(said)
}
