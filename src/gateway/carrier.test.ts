import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { connect, createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { ask, freePort, group, pause, route, service, startTarget, type Target, table, until } from './testing.ts'
import { type Carried, speak, startCarrier } from './testing-carrier.ts'

describe('the request path', () => {
  let it: Carried
  const targets: Target[] = []
  let version = 0
  const target = async (handler: Parameters<typeof startTarget>[0]) => {
    const started = await startTarget(handler)
    targets.push(started)
    return started
  }
  const publish = (host: string, services: Parameters<typeof table>[3], more: Parameters<typeof table>[4] = {}, path = '/') =>
    it.carrier.apply(table(host.replaceAll('.', '-'), ++version, [route(host, path)], services, more))
  const rows = () => (it.carrier.closeBlock()?.rows ?? []).map(({ latency: _latency, ...row }) => row)

  before(async () => {
    it = await startCarrier({ headersMs: 200, bodyIdleMs: 150, idleMs: 200, lingerMs: 100 }, ['10.0.0.0/8'])
  })
  after(() => {
    it.carrier.destroy()
    for (const { close } of targets) close()
  })

  test('two apps on two hosts never see each other, and an unknown host gets a page', async () => {
    const a = await target((_request, response) => response.end('a'))
    const b = await target((_request, response) => response.end('b'))
    publish('a.test', { web: service(group(1, { ra: a.port })) })
    publish('b.test', { web: service(group(1, { rb: b.port })) })
    assert.equal((await ask({ port: it.port, headers: { host: 'a.test' } })).body, 'a')
    assert.equal((await ask({ port: it.port, headers: { host: 'B.Test:8080' } })).body, 'b')
    const unknown = await ask({ port: it.port, headers: { host: 'c.test', accept: 'text/html' } })
    assert.equal(unknown.status, 404)
    assert.match(unknown.headers['content-type'] ?? '', /text\/html/)
    assert.match(unknown.body, /no app has a route for c\.test/)
    assert.match(unknown.body, new RegExp(unknown.headers['x-request-id'] as string))
  })

  test('what goes up and what comes down are whole: method, path, body, status, headers, trailers', async () => {
    const echo = await target((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        response.writeHead(201, 'Made', {
          'x-method': request.method as string,
          'x-url': request.url as string,
          trailer: 'x-sum',
          'set-cookie': ['a=1', 'b=2'],
        })
        response.write(Buffer.concat(chunks))
        response.addTrailers({ 'x-sum': String(Buffer.concat(chunks).length) })
        response.end()
      })
    })
    publish('echo.test', { web: service(group(1, { echo: echo.port })) })
    const body = Buffer.alloc(700_000, 'abc')
    const answer = await ask({ port: it.port, method: 'PUT', path: '/x?y=1', headers: { host: 'echo.test' }, body })
    assert.equal(answer.status, 201)
    assert.equal(answer.headers['x-method'], 'PUT')
    assert.equal(answer.headers['x-url'], '/x?y=1')
    assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2'])
    assert.equal(answer.body, body.toString())
    assert.equal(answer.trailers['x-sum'], '700000')
    const chunked = await ask({ port: it.port, method: 'POST', headers: { host: 'echo.test', 'transfer-encoding': 'chunked' }, body: 'hello' })
    assert.equal(chunked.body, 'hello')
  })

  test('bodies of any bytes and any size come out as they came in', async () => {
    const bytes = (length: number) => Buffer.from(Array.from({ length }, (_, at) => (at * 7 + (at >> 8)) & 255))
    const sender = await target((request, response) => response.end(bytes(Number(request.url?.slice('/bytes/'.length)))))
    it.carrier.apply(table('any', 1, [route(null, '/bytes')], { web: service(group(1, { by: sender.port })) }))
    for (const length of [1, 256, 16 * 1024, 16 * 1024 + 1, 300_000]) {
      const answer = await fetch(`http://127.0.0.1:${it.port}/bytes/${length}`)
      assert.ok(Buffer.from(await answer.arrayBuffer()).equals(bytes(length)), `${length} bytes`)
    }
  })

  test('headers for one hop stay on it, and the gateway says who asks', async () => {
    const seen = await target((request, response) => {
      response.setHeader('connection', 'close, x-private')
      response.setHeader('x-private', '1')
      response.setHeader('x-weir-release', 'forged')
      response.end(JSON.stringify(request.headers))
    })
    publish('headers.test', { web: service(group(4, { hd: seen.port })) })
    const answer = await ask({
      port: it.port,
      headers: {
        host: 'headers.test',
        connection: 'x-hop',
        'x-hop': '1',
        te: 'trailers',
        'x-forwarded-for': '6.6.6.6',
        'x-real-ip': '6.6.6.6',
        baggage: 'a=1,weir-track=canary',
        'x-weir-track': 'canary',
      },
    })
    const got = JSON.parse(answer.body) as Record<string, string>
    for (const name of ['x-hop', 'te', 'x-real-ip', 'x-weir-track']) assert.equal(got[name], undefined, name)
    assert.equal(got['x-forwarded-for'], '127.0.0.1')
    assert.equal(got['x-forwarded-host'], 'headers.test')
    assert.equal(got['x-forwarded-proto'], 'http')
    assert.equal(got['baggage'], 'a=1')
    assert.match(got['traceparent'] as string, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    assert.equal(got['x-request-id'], answer.headers['x-request-id'])
    assert.equal(answer.headers['x-private'], undefined)
    assert.equal(answer.headers['x-weir-release'], 'v4')
    assert.equal(answer.headers['x-weir-track'], 'stable')
  })

  test('a given trace and request id go on, with the gateway as the parent of what follows', async () => {
    const seen = await target((request, response) => response.end(JSON.stringify(request.headers)))
    publish('trace.test', { web: service(group(1, { tr: seen.port })) })
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'
    const got = JSON.parse((await ask({ port: it.port, headers: { host: 'trace.test', traceparent, 'x-request-id': 'abc-1' } })).body) as Record<string, string>
    assert.match(got['traceparent'] ?? '', /^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)[0-9a-f]{16}-01$/)
    assert.equal(got['b3'], `${got['traceparent']?.slice(3, 52)}-1`)
    assert.equal(got['x-request-id'], 'abc-1')
  })

  test('the entry splits by weight, tells the next hop by baggage, and counts both releases', async () => {
    const old = await target((request, response) => response.end(String(request.headers['baggage'])))
    const fresh = await target((request, response) => response.end(String(request.headers['baggage'])))
    publish(
      'split.test',
      { web: service(group(1, { so: old.port }), { canary: group(2, { sn: fresh.port }) }) },
      { split: { rollout: 'r', weight: 50, by: { kind: 'request' }, judge: null } },
    )
    rows()
    const tracks = { stable: 0, canary: 0 }
    for (let i = 0; i < 60; i++) {
      const { body, headers } = await ask({ port: it.port, headers: { host: 'split.test', baggage: 'weir-track=canary' } })
      assert.equal(body, `weir-track=${headers['x-weir-track'] as string}`)
      assert.equal(headers['x-weir-release'], headers['x-weir-track'] === 'canary' ? 'v2' : 'v1')
      tracks[headers['x-weir-track'] as 'stable' | 'canary']++
    }
    assert.ok(tracks.stable > 10 && tracks.canary > 10, JSON.stringify(tracks))
    const counted = rows().filter((row) => row.environment === 'split-test')
    assert.deepEqual(Object.fromEntries(counted.map((row) => [row.track, [row.origin, row.requests]])), {
      stable: [1, tracks.stable],
      canary: [2, tracks.canary],
    })
  })

  test('a browser keeps its side by its cookie, and a growing weight keeps it in', async () => {
    const any = await target((_request, response) => response.end())
    const services = { web: service(group(1, { co: any.port }), { canary: group(2, { cn: any.port }) }) }
    const split = (weight: number) => publish('client.test', services, { split: { rollout: 'r9', weight, by: { kind: 'client' }, judge: null } })
    split(30)
    const members: string[] = []
    for (let i = 0; i < 40; i++) {
      const first = await ask({ port: it.port, headers: { host: 'client.test', accept: 'text/html' } })
      const cookie = String(first.headers['set-cookie']?.[0]).split(';')[0] ?? ''
      for (let again = 0; again < 2; again++) {
        const next = await ask({ port: it.port, headers: { host: 'client.test', accept: 'text/html', cookie } })
        assert.equal(next.headers['x-weir-track'], first.headers['x-weir-track'])
        assert.equal(next.headers['set-cookie'], undefined)
      }
      if (first.headers['x-weir-track'] === 'canary') members.push(cookie)
    }
    assert.ok(members.length > 1 && members.length < 30, String(members.length))
    split(60)
    for (const cookie of members) assert.equal((await ask({ port: it.port, headers: { host: 'client.test', cookie } })).headers['x-weir-track'], 'canary')
  })

  test('an edge follows its rule: own track, baggage, or stable where baggage was lost', async () => {
    const old = await target((_request, response) => response.end('stable'))
    const fresh = await target((_request, response) => response.end('canary'))
    const listen = await freePort()
    const edge = (track: 'stable' | 'canary' | 'baggage' | 'split', weight: number) => {
      it.carrier.apply(
        table(
          'edges',
          ++version,
          [{ kind: 'edge', id: 'e-web-1-api', address: '127.0.0.1', listen, caller: 'web', origin: 1, service: 'api', port: 'http', protocol: 'http', track }],
          { api: service(group(1, { eo: old.port }), { canary: group(2, { en: fresh.port }) }) },
          { split: { rollout: 'r', weight, by: { kind: 'request' }, judge: null } },
        ),
      )
    }
    edge('baggage', 10)
    await new Promise<void>((resolve) => it.carrier.open(`127.0.0.1:${listen}`, { host: '127.0.0.1', port: listen }, resolve))
    const via = async (baggage: string | null) => (await ask({ port: listen, headers: baggage === null ? {} : { baggage } })).body
    rows()
    assert.deepEqual([await via('weir-track=canary'), await via('weir-track=stable'), await via(null)], ['canary', 'stable', 'stable'])
    assert.deepEqual(
      rows()
        .map((row) => [row.hop, row.track, row.origin])
        .sort(),
      [
        ['e-web-1-api', 'canary', 2],
        ['e-web-1-api', 'stable', 1],
        ['e-web-1-api', 'unknown', 1],
      ],
    )
    edge('baggage', 0)
    assert.equal(await via('weir-track=canary'), 'stable')
    edge('canary', 0)
    assert.equal(await via(null), 'canary')
    edge('stable', 100)
    assert.equal(await via('weir-track=canary'), 'stable')
    edge('split', 100)
    assert.equal(await via(null), 'canary')
  })

  test('where a service drops its baggage the next hop is counted as unknown, on neither track, and nothing is missing', async () => {
    const listen = await freePort()
    const api = await target((_request, response) => response.writeHead(500).end())
    const web = await target((request, response) => {
      const { baggage } = request.headers
      const headers = baggage === undefined || request.url === '/forgets' ? {} : { baggage: String(baggage) }
      void ask({ port: listen, headers }).then(() => response.end())
    })
    it.carrier.apply(
      table(
        'chain',
        1,
        [
          route('chain.test'),
          {
            kind: 'edge',
            id: 'e-chain',
            address: '127.0.0.1',
            listen,
            caller: 'web',
            origin: 1,
            service: 'api',
            port: 'http',
            protocol: 'http',
            track: 'baggage',
          },
        ],
        { web: service(group(1, { cw: web.port })), api: service(group(1, { ca1: api.port }), { canary: group(2, { ca2: api.port }) }) },
        { split: { rollout: 'r', weight: 50, by: { kind: 'request' }, judge: null } },
      ),
    )
    await new Promise<void>((resolve) => it.carrier.open(`127.0.0.1:${listen}`, { host: '127.0.0.1', port: listen }, resolve))
    rows()
    for (let i = 0; i < 40; i++) await ask({ port: it.port, path: i % 2 === 0 ? '/passes' : '/forgets', headers: { host: 'chain.test' } })
    const counted = rows().filter((row) => row.environment === 'chain')
    const sum = (hop: string, track: string, path: string, of: 'requests' | 'errors' = 'requests') =>
      counted.filter((row) => row.hop === hop && row.track === track && (hop !== 'entry' || row.route === path)).reduce((total, row) => total + row[of], 0)
    assert.equal(sum('e-chain', 'canary', '/'), sum('entry', 'canary', '/passes'), 'what was passed on keeps its track')
    assert.equal(sum('e-chain', 'stable', '/'), sum('entry', 'stable', '/passes'))
    assert.equal(sum('e-chain', 'unknown', '/'), 20, 'what was forgotten blames nobody')
    assert.equal(sum('e-chain', 'unknown', '/', 'errors'), 20)
    assert.deepEqual([sum('entry', 'canary', '/forgets') + sum('entry', 'stable', '/forgets'), sum('entry', 'unknown', '/forgets')], [20, 0])
    assert.ok(
      counted.every((row) => row.track !== 'unknown' || row.origin === 1),
      'and is served by stable',
    )
  })

  test('a refused connection is tried elsewhere, with any method, and the refusing target is left out', async () => {
    const good = await target((request, response) => {
      request.resume()
      request.on('end', () => response.end('good'))
    })
    publish('retry.test', { web: service(group(1, { dead: await freePort(), good: good.port })) })
    for (let i = 0; i < 20; i++) {
      const answer = await ask({ port: it.port, method: 'POST', headers: { host: 'retry.test' }, body: 'x'.repeat(1000) })
      assert.equal(answer.body, 'good')
    }
  })

  test('a connection that breaks before the answer is tried again for GET, never for POST', async () => {
    let posts = 0
    const flaky = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', (chunk) => {
        if (chunk.toString().startsWith('POST')) posts++
        socket.destroy()
      })
    })
    await new Promise<void>((resolve) => flaky.listen(0, '127.0.0.1', resolve))
    const good = await target((_request, response) => response.end('good'))
    const { port } = flaky.address() as { port: number }
    for (let i = 0; i < 8; i++) {
      publish('flaky.test', { web: service(group(1, { [`f${i}`]: port, [`g${i}`]: good.port })) })
      assert.equal((await ask({ port: it.port, headers: { host: 'flaky.test' } })).body, 'good')
    }
    publish('flaky.test', { web: service(group(7, { only: port })) })
    const failed = await ask({ port: it.port, method: 'POST', headers: { host: 'flaky.test', accept: 'application/json' }, body: 'once' })
    assert.equal(failed.status, 502)
    assert.equal(posts, 1)
    assert.match((JSON.parse(failed.body) as { detail: string }).detail, /^v7: /)
    flaky.close()
  })

  test('nobody there: 503 with the cause of the group, counted as an error of origin 0', async () => {
    publish('none.test', { web: service(group(43, {}, 'v43: exited with 1: Error: <boom>')) })
    rows()
    const answer = await ask({ port: it.port, headers: { host: 'none.test', accept: 'text/html' } })
    assert.equal(answer.status, 503)
    assert.match(answer.body, /v43: exited with 1: Error: &lt;boom&gt;/)
    assert.deepEqual(
      rows().map(({ origin, errors, requests }) => ({ origin, errors, requests })),
      [{ origin: 0, errors: 1, requests: 1 }],
    )
  })

  test('an answer whose first byte is late is a 504', async () => {
    const slow = await target(() => {})
    publish('slow.test', { web: service(group(1, { slow: slow.port }), { timeoutMs: 60 }) })
    const answer = await ask({ port: it.port, headers: { host: 'slow.test' } })
    assert.equal(answer.status, 504)
  })

  test('a body over the limit is a 413, announced or not, and the service sees no whole request', async () => {
    let whole = 0
    const sink = await target((request, response) => {
      request.resume()
      request.on('end', () => {
        whole++
        response.end()
      })
    })
    publish('limit.test', { web: service(group(1, { sink: sink.port }), { bodyLimit: 1000 }) })
    const announced = await ask({ port: it.port, method: 'POST', headers: { host: 'limit.test' }, body: 'x'.repeat(1001) })
    const unannounced = await ask({ port: it.port, method: 'POST', headers: { host: 'limit.test', 'transfer-encoding': 'chunked' }, body: 'x'.repeat(200_000) })
    const fits = await ask({ port: it.port, method: 'POST', headers: { host: 'limit.test' }, body: 'x'.repeat(1000) })
    assert.deepEqual([announced.status, unannounced.status, fits.status, whole], [413, 413, 200, 1])
  })

  test('a body that stops coming is a 408, a head that does is closed', async () => {
    const sink = await target((request) => request.resume())
    publish('stall.test', { web: service(group(1, { st: sink.port }), { timeoutMs: 50 }) })
    assert.match(await speak(it.port, 'POST / HTTP/1.1\r\nhost: stall.test\r\ncontent-length: 10\r\n\r\nabc', 1500), /^HTTP\/1\.1 408 /)
    assert.match(await speak(it.port, 'GET / HTTP/1.1\r\nhost: sta', 1500), /^HTTP\/1\.1 408 /)
  })

  test('an answer that breaks off in the middle is not passed off as whole', async () => {
    const broken = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', () => socket.destroy()))
    })
    await new Promise<void>((resolve) => broken.listen(0, '127.0.0.1', resolve))
    publish('broken.test', { web: service(group(1, { br: (broken.address() as { port: number }).port })) })
    rows()
    await assert.rejects(ask({ port: it.port, headers: { host: 'broken.test' } }), /aborted|hang up|reset/)
    await until(() => rows().find((row) => row.environment === 'broken-test' && row.errors === 1), 'it counts as an error')
    broken.close()
  })

  test('a client that goes away is counted as aborted, and the service is told', async () => {
    let told = false
    const waiting = await target((request) => {
      request.on('close', () => {
        told = true
      })
    })
    publish('gone.test', { web: service(group(1, { go: waiting.port })) })
    rows()
    await speak(it.port, 'GET / HTTP/1.1\r\nhost: gone.test\r\n\r\n', 50)
    await until(() => told, 'the service is told')
    assert.deepEqual(
      rows().map(({ requests, errors, aborted }) => ({ requests, errors, aborted })),
      [{ requests: 1, errors: 0, aborted: 1 }],
    )
  })

  test('a slow reader holds back the service instead of filling the memory', async () => {
    let written = 0
    const fountain = await target((_request, response) => {
      const chunk = Buffer.alloc(64 * 1024)
      const pour = () => {
        while (written < 200 * 1024 * 1024 && response.write(chunk)) written += chunk.length
      }
      response.on('drain', pour)
      pour()
    })
    publish('big.test', { web: service(group(1, { big: fountain.port })) })
    const heldBack = new Promise<void>((resolve) => {
      const socket = connect(it.port, '127.0.0.1', () => {
        socket.write('GET / HTTP/1.1\r\nhost: big.test\r\n\r\n')
        socket.pause()
      })
      socket.on('error', () => {})
      setTimeout(() => {
        socket.destroy()
        resolve()
      }, 120)
    })
    await heldBack
    assert.ok(written < 60 * 1024 * 1024, `${written} bytes`)
  })

  test('an event stream flows at once, and ends when its drained replica has had its time', async () => {
    const stream = await target((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: 1\n\n')
    })
    publish('sse.test', { web: service(group(1, { sse: stream.port }), { drainMs: 80 }) })
    const startedAt = performance.now()
    const whole = ask({ port: it.port, headers: { host: 'sse.test' } })
    await until(() => it.carrier.directory.inflight()['sse-test']?.['sse'] === 1, 'in flight')
    await pause(250) // longer than the idle limit of ordinary answers
    publish('sse.test', { web: service(group(2, { sse2: stream.port })) })
    const answer = await whole
    assert.equal(answer.body, 'data: 1\n\n')
    const lasted = performance.now() - startedAt
    assert.ok(lasted > 300 && lasted < 1000, `${lasted} ms`)
  })

  test('a removed replica finishes what it has, and gets nothing new', async () => {
    let finish = () => {}
    const old = await target((_request, response) => {
      finish = () => response.end('old')
    })
    const fresh = await target((_request, response) => response.end('fresh'))
    publish('drain.test', { web: service(group(1, { dro: old.port }), { drainMs: 20 }) })
    const first = ask({ port: it.port, headers: { host: 'drain.test' } })
    await until(() => it.carrier.directory.inflight()['drain-test']?.['dro'] === 1, 'in flight')
    publish('drain.test', { web: service(group(2, { drn: fresh.port })) })
    assert.equal((await ask({ port: it.port, headers: { host: 'drain.test' } })).body, 'fresh')
    await pause(60)
    finish()
    assert.equal((await first).body, 'old')
    assert.equal(it.carrier.directory.inflight()['drain-test'], undefined)
  })

  test('the longest path wins, on segment borders', async () => {
    const api = await target((_request, response) => response.end('api'))
    const web = await target((_request, response) => response.end('web'))
    it.carrier.apply(
      table('paths', ++version, [route('paths.test', '/', 'web'), route('paths.test', '/api', 'api')], {
        web: service(group(1, { pw: web.port })),
        api: service(group(1, { pa: api.port })),
      }),
    )
    const bodies = await Promise.all(
      ['/', '/api', '/api/x', '/apis', '/api?x'].map(async (path) => (await ask({ port: it.port, path, headers: { host: 'paths.test' } })).body),
    )
    assert.deepEqual(bodies, ['web', 'api', 'api', 'web', 'api'])
  })

  test('connections to a service are used again, and one connection of a client too', async () => {
    let connections = 0
    const counted = await target((_request, response) => response.end('x'))
    counted.server.on('connection', () => connections++)
    publish('keep.test', { web: service(group(1, { keep: counted.port })) })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let i = 0; i < 20; i++) await ask({ port: it.port, headers: { host: 'keep.test' }, agent })
    agent.destroy()
    assert.equal(connections, 1)
  })

  test('a burst beyond what a service can accept at once waits for its turn, and none fails', async () => {
    const narrow = await target((_request, response) => setTimeout(() => response.end('x'), 20))
    publish('burst.test', { web: service(group(1, { burst: narrow.port })) })
    const answer = await speak(
      it.port,
      ['GET / HTTP/1.1\r\nhost: burst.test\r\n\r\n'.repeat(299), 'GET / HTTP/1.1\r\nhost: burst.test\r\nconnection: close\r\n\r\n'],
      8000,
    )
    assert.equal(answer.split('HTTP/1.1 200').length - 1, 300)
  })

  test('a HEAD and a 304 have no body but keep their length, and the connection stays usable', async () => {
    const some = await target((request, response) => {
      if (request.url === '/304') response.writeHead(304, { etag: '"x"' })
      else response.writeHead(200, { 'content-length': 5 })
      response.end(request.method === 'HEAD' || request.url === '/304' ? undefined : 'hello')
    })
    publish('head.test', { web: service(group(1, { head: some.port })) })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const head = await ask({ port: it.port, method: 'HEAD', headers: { host: 'head.test' }, agent })
    assert.deepEqual([head.headers['content-length'], head.body], ['5', ''])
    assert.equal((await ask({ port: it.port, path: '/304', headers: { host: 'head.test' }, agent })).status, 304)
    assert.equal((await ask({ port: it.port, headers: { host: 'head.test' }, agent })).body, 'hello')
    agent.destroy()
  })
})
