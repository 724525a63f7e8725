import { edgeAddress, STATSD_PORT } from '../../../config.ts'
import { KEY_HEADER } from '../../../telemetry/keys.ts'
import type { IntakeAddress } from '../../daemons.ts'
import type { ProcessSpec } from '../../driver.ts'

export interface TelemetryPlace {
  readonly address: IntakeAddress
  readonly key: string
  readonly kafka: string | null
  /** The module that instruments Node services; null: there is none on this machine. */
  readonly instrumentation: string | null
}

/** Ends of spans wait no longer than this in the service: what happened is seen while it matters. */
const BATCH_DELAY_MS = 500
const OWN_TARGET = /^OTEL_EXPORTER_OTLP_((TRACES|METRICS|LOGS)_)?ENDPOINT$/

/**
 * What a replica or task is told about telemetry, besides its `own` variables, which win:
 *
 * | name                          | with a value of one's own                                                    |
 * |-------------------------------|------------------------------------------------------------------------------|
 * | any OTLP endpoint             | its own alone: the key of this environment goes to no other place              |
 * | `OTEL_EXPORTER_OTLP_PROTOCOL` | `grpc`: the endpoint is that of gRPC, and Weir's instrumentation, which speaks HTTP, stays out |
 * | `OTEL_RESOURCE_ATTRIBUTES`    | Weir's, then its own, which win                                                |
 * | `NODE_OPTIONS`                | its own, then the instrumentation                                              |
 * | any other                     | its own                                                                        |
 */
export function telemetryVariables(spec: ProcessSpec, place: TelemetryPlace, own: Readonly<Record<string, string>>): Record<string, string> {
  if (!spec.telemetry) return {}
  const { app, environment, instrument } = spec.telemetry
  const grpc = own['OTEL_EXPORTER_OTLP_PROTOCOL'] === 'grpc'
  const release = `v${spec.origin}`
  const attributes = [
    `service.namespace=${app}`,
    `service.instance.id=${spec.id}`,
    `service.version=${release}`,
    `deployment.environment.name=${environment}`,
    ...(own['OTEL_RESOURCE_ATTRIBUTES'] ? [own['OTEL_RESOURCE_ATTRIBUTES']] : []),
  ]
  return {
    ...(Object.keys(own).some((name) => OWN_TARGET.test(name))
      ? {}
      : {
          OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${grpc ? place.address.otlpGrpc : place.address.otlp}`,
          OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
          OTEL_EXPORTER_OTLP_HEADERS: `${KEY_HEADER}=${place.key}`,
        }),
    OTEL_EXPORTER_ZIPKIN_ENDPOINT: `http://127.0.0.1:${place.address.zipkin}/k/${place.key}/api/v2/spans`,
    OTEL_SERVICE_NAME: spec.service,
    OTEL_PROPAGATORS: 'tracecontext,baggage',
    OTEL_BSP_SCHEDULE_DELAY: String(BATCH_DELAY_MS),
    STATSD_HOST: edgeAddress(spec.account.app),
    STATSD_PORT: String(STATSD_PORT),
    ...(place.kafka === null ? {} : { KAFKAADDRESS: place.kafka }),
    ...own,
    OTEL_RESOURCE_ATTRIBUTES: attributes.join(','),
    ...(instrument && !grpc && place.instrumentation !== null
      ? { NODE_OPTIONS: [own['NODE_OPTIONS'], `--require=${quoted(place.instrumentation)}`].filter(Boolean).join(' ') }
      : {}),
  }
}

/** NODE_OPTIONS is split at blanks that are not quoted. */
function quoted(path: string): string {
  return /[\s"\\]/.test(path) ? `"${path.replace(/["\\]/g, '\\$&')}"` : path
}
