/** As OpenTelemetry's own guide has it: the SDK by its defaults and environment variables. `app.mjs server PORT`, or `app.mjs client URL COUNT`. */
import { createRequire } from 'node:module'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { NodeSDK } from '@opentelemetry/sdk-node'

const sdk = new NodeSDK({ instrumentations: [new HttpInstrumentation()] })
sdk.start()
const http = createRequire(import.meta.url)('node:http') // after the SDK, so that it is instrumented

const [role, target, count] = process.argv.slice(2)
if (role === 'server') {
  const server = http.createServer((_, response) => setTimeout(() => response.end('reviews'), 5))
  server.listen(Number(target), '127.0.0.1')
  process.on('SIGTERM', () => void sdk.shutdown().then(() => process.exit(0)))
} else {
  for (let n = 0; n < Number(count); n++) {
    await new Promise((resolve, reject) => http.get(target, (response) => response.resume().on('end', resolve)).on('error', reject))
  }
  await sdk.shutdown()
}
