import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeServer, weir } from './testing.ts'

const zipkin = { name: 'forward zipkin', address: 'http://127.0.0.1:9412/zipkin/', problem: null, spans: 7, lost: { 'not-forwarded': 0 } }

async function tracing(links: readonly (Omit<typeof zipkin, 'problem'> & { problem: string | null })[]) {
  const telemetry = { accepted: 7, lost: {}, capped: [], storage: null, links: [...links], memoryBytes: 1 }
  const server = await fakeServer({ 'system.health': () => ({ version: '1', schema: 1, epoch: 1, holder: null, telemetry }) })
  try {
    return await weir(server, ['tracing'])
  } finally {
    await server.close()
  }
}

test('tracing prints the address of Zipkin, and why spans do not arrive there', async () => {
  assert.equal((await tracing([zipkin])).out, 'http://127.0.0.1:9412/zipkin/\n')
  assert.match((await tracing([{ ...zipkin, problem: 'connect ECONNREFUSED' }])).out, /zipkin\/\n! spans do not arrive there: connect ECONNREFUSED/)
})

test('without a Zipkin it says how to have one', async () => {
  const { exit, err } = await tracing([])
  assert.equal(exit, 5)
  assert.match(err, /WEIR_FORWARD_ZIPKIN/)
})
