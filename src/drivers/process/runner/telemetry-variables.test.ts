import assert from 'node:assert/strict'
import { test } from 'node:test'
import { replicaSpec, taskSpec } from '../testing.ts'
import { telemetryVariables } from './telemetry-variables.ts'

const place = {
  address: { otlp: 4318, otlpGrpc: 4317, zipkin: 9411 },
  key: 'e1.abc',
  kafka: null,
  instrumentation: '/var/lib/weir/instrumentation/1/register.cjs',
}
const spec = replicaSpec('e1-web-v3-7', 'sha256:1', { origin: 3, telemetry: { app: 'shop', environment: 'production', instrument: true } })

test('a replica is told where telemetry goes, with the key of its environment, and who it is', () => {
  const env = telemetryVariables(spec, place, {})
  assert.equal(env['OTEL_EXPORTER_OTLP_ENDPOINT'], 'http://127.0.0.1:4318')
  assert.equal(env['OTEL_EXPORTER_OTLP_HEADERS'], 'x-weir-key=e1.abc')
  assert.equal(env['OTEL_EXPORTER_ZIPKIN_ENDPOINT'], 'http://127.0.0.1:9411/k/e1.abc/api/v2/spans')
  assert.equal(env['OTEL_SERVICE_NAME'], 'web')
  assert.equal(
    env['OTEL_RESOURCE_ATTRIBUTES'],
    'service.namespace=shop,service.instance.id=e1-web-v3-7,service.version=v3,deployment.environment.name=production',
  )
  assert.equal(env['NODE_OPTIONS'], '--require=/var/lib/weir/instrumentation/1/register.cjs')
  assert.deepEqual([env['STATSD_HOST'], env['STATSD_PORT']], ['127.64.1.0', '8125'])
  assert.equal(env['KAFKAADDRESS'], undefined)
})

test('a task is told the same as a replica of its service', () => {
  const { telemetry } = spec
  const env = telemetryVariables(taskSpec('e1-migrate-1', 'sha256:1', { origin: 3, telemetry }), place, {})
  const { OTEL_RESOURCE_ATTRIBUTES: own, ...others } = telemetryVariables(spec, place, {})
  assert.deepEqual(env, { ...others, OTEL_RESOURCE_ATTRIBUTES: own?.replace('e1-web-v3-7', 'e1-migrate-1') })
})

test("a service's own variables win, and what is a list goes on", () => {
  const own = { OTEL_SERVICE_NAME: 'mine', NODE_OPTIONS: '--enable-source-maps', OTEL_RESOURCE_ATTRIBUTES: 'team=a', OTEL_PROPAGATORS: 'b3' }
  const env = telemetryVariables(spec, { ...place, kafka: '127.0.0.1:9092' }, own)
  assert.equal(env['OTEL_SERVICE_NAME'], 'mine')
  assert.equal(env['OTEL_PROPAGATORS'], 'b3')
  assert.equal(env['NODE_OPTIONS'], '--enable-source-maps --require=/var/lib/weir/instrumentation/1/register.cjs')
  assert.match(env['OTEL_RESOURCE_ATTRIBUTES'] ?? '', /,team=a$/)
  assert.equal(env['KAFKAADDRESS'], '127.0.0.1:9092')
})

test('a service that wants gRPC is told the port of it, and brings an SDK itself', () => {
  const env = telemetryVariables(spec, place, { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' })
  assert.equal(env['OTEL_EXPORTER_OTLP_ENDPOINT'], 'http://127.0.0.1:4317')
  assert.equal(env['OTEL_EXPORTER_OTLP_PROTOCOL'], 'grpc')
  assert.equal(env['OTEL_EXPORTER_OTLP_HEADERS'], 'x-weir-key=e1.abc')
  assert.equal(env['NODE_OPTIONS'], undefined)
})

test('the key goes to no endpoint of its own', () => {
  for (const name of ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']) {
    const env = telemetryVariables(spec, place, { [name]: 'https://elsewhere.example.com' })
    assert.equal(env[name], 'https://elsewhere.example.com')
    assert.equal(env['OTEL_EXPORTER_OTLP_HEADERS'], undefined)
  }
})

test('what is turned off is told nothing; without instrumentation Node is left alone', () => {
  assert.deepEqual(telemetryVariables({ ...spec, telemetry: null }, place, { A: '1' }), {})
  const told = telemetryVariables({ ...spec, telemetry: { app: 'shop', environment: 'production', instrument: false } }, place, {})
  assert.ok(told['OTEL_SERVICE_NAME'])
  assert.equal(told['NODE_OPTIONS'], undefined)
})
