import assert from 'node:assert/strict'
import type { IncomingMessage, RequestListener } from 'node:http'
import { after, afterEach, before, describe, test } from 'node:test'
import type { CountedEvidence } from '../core/model/evidence.ts'
import type { Listener, RoutingTable, Shadow } from '../core/model/routing.ts'
import { ask, freePort, group, pause, route, service, startTarget, type Target, table, until } from './testing.ts'
import { type Carried, startCarrier } from './testing-carrier.ts'

interface Heard {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

describe('requests that are copied', () => {
  let it: Carried
  let old: Target
  let young: Target
  let version = 0
  let rollout = ''
  let answerOld: RequestListener = (_request, response) => response.end('same')
  let answerYoung: RequestListener = answerOld
  let copies: Heard[] = []
  const originals: Heard[] = []
  before(async () => {
    it = await startCarrier()
    const hearing = (heard: () => Heard[], answer: () => RequestListener): RequestListener => {
      return (request, response) => {
        let body = ''
        request.on('data', (chunk) => {
          body += chunk
        })
        request.on('end', () => {
          heard().push({ method: request.method as string, url: request.url as string, headers: request.headers, body })
          answer()(request, response)
        })
      }
    }
    old = await startTarget(
      hearing(
        () => originals,
        () => answerOld,
      ),
    )
    young = await startTarget(
      hearing(
        () => copies,
        () => answerYoung,
      ),
    )
  })
  after(() => {
    it.carrier.destroy()
    old.close()
    young.close()
  })
  afterEach(() => {
    answerOld = (_request, response) => response.end('same')
    answerYoung = answerOld
    copies = []
    originals.length = 0
    it.carrier.closeBlock()
  })

  const publish = (more: Partial<Shadow> = {}, targets: Readonly<Record<string, number>> = { w2: young.port }, listeners: readonly Listener[] = []) => {
    // A rollout of its own for each test: a copy of the one before may still be under way.
    rollout = `r${++version}`
    const shadow: Shadow = { rollout, share: 100, methods: ['GET', 'HEAD', 'OPTIONS'], diff: false, thresholds: {}, ...more }
    const web = service(group(1, { w1: old.port }), { canary: group(2, targets) })
    const api = service(group(1, { a1: old.port }))
    it.carrier.apply(table('copied', version, [route('copied.test'), ...listeners], { web, api }, { shadow } satisfies Partial<RoutingTable>))
  }
  const send = (more: Partial<Parameters<typeof ask>[0]> = {}) =>
    ask({ port: it.port, ...more, headers: { host: 'copied.test', ...(more as { headers?: object }).headers } })
  /** The first evidence that comes, once `check` of all so far holds. */
  const evidence = async (check: (sum: NonNullable<CountedEvidence['copies']>[number]) => boolean): Promise<CountedEvidence> => {
    let last: CountedEvidence | undefined
    const sum = { service: 'web', route: '', compared: 0, status: 0, bodies: 0, body: 0, dropped: 0 }
    await until(
      () => {
        for (const block of it.carrier.closeBlock()?.evidence ?? []) {
          if (block.rollout !== rollout) continue
          for (const counts of block.copies ?? []) {
            last = block
            for (const key of ['compared', 'status', 'bodies', 'body', 'dropped'] as const) sum[key] += counts[key]
          }
        }
        return check(sum)
      },
      `what became of the copies: ${JSON.stringify(sum)}`,
    )
    return last as CountedEvidence
  }

  test('a copy goes to the release that is shadowed, marked, without the trace of its original; the answer is thrown away', async () => {
    answerYoung = (_request, response) => response.end('other')
    publish()
    const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`
    const answer = await send({ path: '/cart/7?x=1', headers: { traceparent, 'weir-shadow': '1', baggage: 'user=7', 'x-request-id': 'abc' } })
    assert.deepEqual([answer.body, answer.headers['x-weir-release'], answer.headers['x-weir-track']], ['same', 'v1', 'stable'])
    const copy = await until(() => copies[0], 'the copy')
    assert.deepEqual([copy.method, copy.url], ['GET', '/cart/7?x=1'])
    assert.deepEqual(
      ['host', 'weir-shadow', 'baggage', 'x-request-id', 'traceparent', 'x-forwarded-for'].map((name) => copy.headers[name]),
      ['copied.test', '1', 'user=7,weir-track=shadow', 'abc', undefined, '127.0.0.1'],
    )
    assert.deepEqual([originals[0]?.headers['weir-shadow'], originals[0]?.headers.baggage], [undefined, 'user=7'], 'nobody from outside can pass for a copy')
  })

  test('the pair is evidence: the original as stable, the copy as canary', async () => {
    answerYoung = (_request, response) => response.writeHead(500).end()
    publish()
    await send({ path: '/cart/7' })
    const block = await evidence(({ compared }) => compared === 1)
    assert.deepEqual([block.rollout, block.stage], [rollout, 0])
    assert.deepEqual(
      block.rows.map((row) => [row.service, row.route, row.side, row.requests, row.errors]),
      [
        ['web', '/cart/:id', 'stable', 1, 0],
        ['web', '/cart/:id', 'canary', 1, 1],
      ],
    )
    assert.deepEqual(
      block.replicas.map((row) => [row.replica, row.side]),
      [
        ['w1', 'stable'],
        ['w2', 'canary'],
      ],
    )
    assert.deepEqual(block.copies, [{ service: 'web', route: '/cart/:id', compared: 1, status: 1, bodies: 0, body: 0, dropped: 0 }])
  })

  test('bodies are compared where that is wanted', async () => {
    publish({ diff: true })
    answerYoung = (request, response) => response.end(request.url === '/differs' ? 'other' : 'same')
    for (const path of ['/equal', '/differs']) await send({ path })
    await evidence(({ compared, bodies, body }) => compared === 2 && bodies === 2 && body === 1)
  })

  test('only the methods that are named are copied, with their body', async () => {
    publish({ methods: ['GET', 'POST'] })
    await send({ method: 'PUT', body: 'x' })
    await send({ method: 'POST', body: 'pay 7', headers: { 'transfer-encoding': 'chunked' } })
    await until(() => copies[0], 'the copy')
    await pause(20)
    assert.deepEqual(
      copies.map(({ method, body, headers }) => [method, body, headers['content-length']]),
      [['POST', 'pay 7', '5']],
    )
    publish()
    await send({ method: 'POST', body: 'pay 8' })
    await pause(30)
    assert.equal(copies.length, 1, 'POST is not copied unless it is named')
  })

  test('a request whose body is too long is not copied, and said so', async () => {
    publish({ methods: ['POST'] })
    assert.equal((await send({ method: 'POST', body: 'x'.repeat(70_000) })).status, 200)
    await evidence(({ dropped }) => dropped === 1)
    assert.equal(copies.length, 0)
  })

  test('of the share that is asked for, about as many are copied', async () => {
    publish({ share: 25 })
    for (let i = 0; i < 60; i++) await send()
    await pause(50)
    assert.ok(copies.length >= 4 && copies.length <= 30, String(copies.length))
    publish({ share: 0 })
    copies = []
    for (let i = 0; i < 10; i++) await send()
    await pause(20)
    assert.equal(copies.length, 0)
  })

  test('a shadow that does not answer costs users nothing, and not more than so many copies wait for it', async () => {
    const silent: (() => void)[] = []
    answerYoung = (_request, response) => silent.push(() => response.end())
    publish()
    const startedAt = performance.now()
    for (let i = 0; i < 50; i++) assert.equal((await send()).body, 'same')
    const took = performance.now() - startedAt
    await evidence(({ dropped }) => dropped === 50 - 32)
    assert.equal(copies.length, 32)
    assert.ok(took < 3000, `${took} ms`)
    for (const end of silent) end()
    await evidence(({ compared }) => compared === 32)
  })

  test('a shadow that nobody can connect to is an error of the copies alone', async () => {
    publish({}, { w3: await freePort() })
    for (let i = 0; i < 10; i++) assert.equal((await send()).status, 200)
    const block = await evidence(({ compared, status }) => compared >= 1 && compared === status)
    assert.deepEqual(
      block.rows.map((row) => [row.side, row.errors === row.requests]),
      [
        ['stable', false],
        ['canary', true],
      ],
    )
    publish({}, {})
    assert.equal((await send()).status, 200, 'nor one without replicas')
  })

  test('an answer without end is read no further than the limit', async () => {
    let closed = false
    answerYoung = (_request, response) => {
      const chunk = Buffer.alloc(64 * 1024)
      response.on('close', () => {
        closed = true
      })
      const more = () => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    }
    publish()
    assert.equal((await send()).body, 'same')
    const block = await evidence(({ compared }) => compared === 1)
    assert.equal(block.rows.find((row) => row.side === 'canary')?.errors, 1)
    await until(() => closed, 'the connection was given up')
  })

  test('what a copy asks of others: safe methods reach its own track, the others nobody', async () => {
    const [mine, theirs] = [await freePort(), await freePort()]
    const edge = (id: string, listen: number, to: string, track: 'shadow' | 'baggage'): Listener => {
      return { kind: 'edge', id, address: '127.0.0.1', listen, caller: 'front', origin: 2, service: to, port: 'http', protocol: 'http', track }
    }
    publish({}, { w2: young.port }, [edge('front-web', mine, 'web', 'shadow'), edge('api-web', theirs, 'web', 'baggage')])
    for (const listen of [mine, theirs])
      await new Promise<void>((resolve) => it.carrier.open(`127.0.0.1:${listen}`, { host: '127.0.0.1', port: listen }, resolve))
    const marked = { baggage: 'weir-track=shadow' }
    assert.equal((await ask({ port: mine })).headers['x-weir-release'], 'v2')
    assert.equal((await ask({ port: theirs, headers: marked })).headers['x-weir-release'], 'v2', 'also through a service that was not changed')
    assert.equal((await ask({ port: theirs })).headers['x-weir-release'], 'v1')
    assert.deepEqual(
      copies.map(({ headers }) => [headers['weir-shadow'], headers.baggage]),
      [
        ['1', 'weir-track=shadow'],
        ['1', 'weir-track=shadow'],
      ],
    )
    copies = []
    originals.length = 0
    for (const asked of [{ port: mine }, { port: theirs, headers: marked }]) {
      const answer = await ask({ ...asked, method: 'POST', body: 'pay' })
      assert.deepEqual([answer.status, answer.body, answer.headers['weir-shadow']], [202, '{}', '1'])
    }
    assert.deepEqual([copies, originals], [[], []])
    assert.equal((await ask({ port: theirs, method: 'POST', body: 'pay' })).headers['x-weir-release'], 'v1', 'who is no copy pays')
  })
})
