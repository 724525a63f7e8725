import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { intakePorts } from './intake-ports.ts'

test('each port of the intake: nobody is there, another program is, or our own process', async (t) => {
  const script = `require('node:net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })`
  const ours = spawn(process.execPath, ['-e', script], { env: { WEIR_HOME: '/tmp/weir-of-this-test' }, stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => ours.kill())
  const otlp = Number(String((await once(ours.stdout, 'data'))[0]))
  const stranger = createServer().listen(0, '127.0.0.1')
  t.after(() => stranger.close())
  await once(stranger, 'listening')
  const zipkin = (stranger.address() as { port: number }).port
  const gone = createServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const otlpGrpc = (gone.address() as { port: number }).port
  await new Promise((resolve) => gone.close(resolve))
  const found = await intakePorts({ otlp, otlpGrpc, zipkin }, '/tmp/weir-of-this-test')
  assert.deepEqual(
    found.map((it) => [it.name, it.port, it.problem?.replace(/held by .* \(process (\d+)\)/, 'held by $1') ?? null]),
    [
      ['OTLP/HTTP', otlp, null],
      ['OTLP/gRPC', otlpGrpc, 'does not answer'],
      ['Zipkin', zipkin, `held by ${process.pid}`],
    ],
  )
})
