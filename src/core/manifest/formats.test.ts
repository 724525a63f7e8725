import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReadResult } from './manifest.ts'
import { graphFor, parseManifestFile, readManifest } from './manifest.ts'
import { problemLine } from './problems.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const source = (files: Readonly<Record<string, string>>, folders: readonly string[] = []) =>
  readManifest({
    files: new Map(Object.entries(files).map(([name, text]) => [name, bytes(text)])),
    listing: [...Object.keys(files), ...folders],
    name: 'My_Shop 2',
  })
const file = (name: string, text: string, listing: readonly string[] = []) => parseManifestFile(name, bytes(text), { name: 'shop', listing })
const problems = (result: ReadResult) => (result.ok ? [] : result.problems.map((problem) => `${problem.code} ${problemLine(problem)}`))
const notes = (result: ReadResult) => (result.ok ? result.notes.map((note) => `${note.line}:${note.column} ${note.path}`) : problems(result))
function graph(result: ReadResult) {
  assert.ok(result.ok, problems(result).join('\n'))
  return graphFor(result.manifest, 'production')
}

test('weir.yaml comes before all others, and what is not read is said', () => {
  const result = source({ 'weir.yaml': 'version: 1\nservices: { web: { build: . } }\n', 'weir.yml': 'x', Procfile: 'web: node x.js', 'package.json': '{}' })
  assert.equal(graph(result).format, 'weir')
  assert.ok(result.ok && result.notes.some((note) => note.file === 'weir.yml' && note.effect === 'not read: weir.yaml is'))
})

test('an app without a name is called like its folder', () => {
  assert.equal(graph(source({ 'index.html': '' })).app, 'my-shop-2')
})

test('a Procfile comes before package.json', () => {
  assert.deepEqual(Object.keys(graph(source({ Procfile: 'worker: node w.js', 'package.json': '{}' })).services), ['worker'])
})

test('package.json with tabs is JSON too', () => {
  assert.equal(graph(source({ 'package.json': '{\n\t"scripts": {\n\t\t"start": "node x.js"\n\t}\n}\n' })).format, 'detected')
})

test('package.json without a start is refused with the fix', () => {
  assert.deepEqual(problems(source({ 'package.json': '{"name":"x"}' })), [
    'E_MANIFEST package.json:1:1 package.json has no `start` script (add "scripts": { "start": "node server.js" })',
  ])
})

test('a Dockerfile alone is refused with the reason', () => {
  assert.match(problems(source({ Dockerfile: 'FROM x' }))[0]!, /^E_UNSUPPORTED Dockerfile:1:1 not yet supported: Dockerfile, because no containers run/)
})

test('lines of a Procfile that are none are refused with their place', () => {
  assert.deepEqual(problems(file('Procfile', '# ok\nweb node\nweb: node a.js\nweb: node b.js\nclock:\nWorker_1: node w.js\n')), [
    'E_MANIFEST Procfile:2:1 not a line of a Procfile (write NAME: COMMAND)',
    'E_MANIFEST Procfile:4:1 `web` is here twice (keep one of them)',
    'E_MANIFEST Procfile:5:1 `clock` has no command (write NAME: COMMAND)',
    "E_NAME Procfile:6:1 the name \"Worker_1\" must be lower-case letters, digits and '-', starting with a letter and not ending with '-' (call it `worker-1`)",
  ])
})

test('the release line of a Procfile runs before web starts', () => {
  assert.deepEqual(
    graph(file('Procfile', 'release: node m.js\nweb: node s.js')).services['web']?.preStart.map((step) => step.command),
    [['node', 'm.js']],
  )
})

test('EMP names a repository, a folder, or is refused', () => {
  const emp = (image: string, listing: readonly string[] = []) =>
    file('app.json', JSON.stringify({ name: 'notes', docker_image: image, stateless: 'true', port: '3000', envs: [], quality_metrics: [] }), listing)
  const hint = (result: ReadResult) => (result.ok ? result.manifest.sourceHint : problems(result))
  assert.deepEqual(hint(emp('https://git.example.com/x.git')), { kind: 'repository', url: 'https://git.example.com/x.git' })
  assert.deepEqual(hint(emp('git@example.com:x/y')), { kind: 'repository', url: 'git@example.com:x/y' })
  assert.deepEqual(hint(emp('./notes')), { kind: 'folder', path: './notes' })
  assert.deepEqual(hint(emp('notes', ['notes/'])), { kind: 'folder', path: 'notes' })
  assert.match(String(hint(emp('acme/notes:1.0'))), /^E_UNSUPPORTED app.json:1:32 not yet supported: images/)
  assert.deepEqual(graph(emp('./notes')).services['web']?.ports, { http: { number: 3000, protocol: 'http' } })
})

test('EMP’s mistakes are all reported, in its own words', () => {
  assert.deepEqual(
    problems(file('app.json', '{"docker_image": "./x", "stateless": "maybe", "ports": 80, "quality_metrics": [{"metric": "joy", "values": 1}]}')),
    [
      'E_MANIFEST app.json:1:1 `name` is missing (write "name": "shop")',
      'E_MANIFEST app.json:1:38 expected what EMP has here, got the text "maybe" (write "stateless": "true" or "false")',
      'E_MANIFEST app.json:1:47 unknown key `ports` (EMP knows name, docker_image, stateless, port, envs, quality_metrics)',
    ],
  )
  assert.match(
    problems(file('app.json', '{"name": "x", "docker_image": "./x", "quality_metrics": [{"metric": "joy", "values": 1}]}'))[0]!,
    /1:58 unknown metric "joy" \(metrics are latency/,
  )
})

test('EMP’s variables are plain text', () => {
  assert.deepEqual(
    graph(file('app.json', '{"name": "x", "docker_image": "./x", "envs": [{"name": "A", "value": "${services.b.url} $5"}, {"name": "PORT", "value": "80"}]}'))
      .services['web']?.environment,
    { A: '$${services.b.url} $$5' },
  )
})

test('weir.json is weir.yaml in other signs', () => {
  assert.equal(graph(file('shop.json', '{"version": 1, "app": "shop", "services": {"web": {"build": "."}}}')).app, 'shop')
})

test('an unknown environment sees the app without overlay, a known one with those it comes from', () => {
  const result = file(
    'weir.yaml',
    'version: 1\nservices: { web: { build: ., scale: { max: 50 } } }\nenvironments: { a: { services: { web: { scale: { min: 2 } } } }, b: { from: a, services: { web: { scale: { min: 3 } } } }, c: { from: a } }\n',
  )
  assert.ok(result.ok)
  const min = (name: string) => graphFor(result.manifest, name).services['web']?.scale
  assert.deepEqual(
    [min('other'), min('a'), min('b'), min('c')],
    [
      { min: 1, max: 50 },
      { min: 2, max: 50 },
      { min: 3, max: 50 },
      { min: 2, max: 50 },
    ],
  )
})

test('the entry is web, else the only service that serves, else the only one that nobody calls', () => {
  const entry = (services: string) => graph(file('weir.yaml', `version: 1\nservices:\n${services}`)).entry?.service ?? null
  const one = (name: string, more = '') => `  ${name}: { build: ${name}, ports: { http: 8080 }${more} }\n`
  assert.equal(entry(one('api') + one('web')), 'web')
  assert.equal(entry(one('api') + '  work: { build: work }\n'), 'api')
  assert.equal(entry(one('api') + one('front', ', depends_on: [api]')), 'front')
  assert.equal(entry(one('api') + one('front')), null)
  assert.equal(entry(one('api', ', routes: [{ host: a.example.com }]') + one('web')), null)
})

const compose = (service: string, more = '') => file('docker-compose.yml', `services:\n  web:\n    build: .\n    ${service}\n${more}`)

test('every spelling of a compose port is read', () => {
  const ports = graph(compose('ports: [80, "81", "8082:82", "127.0.0.1:8083:83", "[::1]:8084:84/tcp", { target: 85, name: grpc, app_protocol: grpc }]'))
    .services['web']!.ports
  assert.deepEqual(
    Object.values(ports).map((port) => port.number),
    [80, 81, 82, 83, 84, 85],
  )
  assert.deepEqual(ports['grpc'], { number: 85, protocol: 'grpc' })
})

test('a service that publishes is reached before one that only exposes', () => {
  const result = file('compose.yaml', 'services:\n  api: { build: api, expose: [3000] }\n  front: { build: front, ports: ["8080:80"] }\n')
  assert.deepEqual(graph(result).entry, { service: 'front', port: 'http' })
})

test('compose checks become argv', () => {
  const check = (test: string) => graph(compose(`healthcheck: { test: ${test} }`)).services['web']!.healthcheck
  const argv = (test: string) => {
    const it = check(test)
    return it.kind === 'command' ? it.argv : it.kind
  }
  assert.deepEqual(argv('["CMD", "node", "alive.js"]'), ['node', 'alive.js'])
  assert.deepEqual(argv('["CMD-SHELL", "a || b"]'), ['/bin/sh', '-c', 'a || b'])
  assert.deepEqual(argv('a || b'), ['/bin/sh', '-c', 'a || b'])
  assert.deepEqual(argv('["NONE"]'), 'none')
})

test('each compose field that does nothing is named with its place', () => {
  assert.deepEqual(notes(compose('ports: [80]\n    privileged: true\n    restart: always\n    env_file: .env', 'networks: {}\n')), [
    '5:5 services.web.privileged',
    '6:5 services.web.restart',
    '7:5 services.web.env_file',
    '8:1 networks',
  ])
})

test('keys that objects have anyway are unknown like others', () => {
  assert.deepEqual(problems(compose('toString: 1', 'valueOf: 2\n')), [
    'E_MANIFEST docker-compose.yml:4:5 unknown key `toString` (compose has no such field)',
    'E_MANIFEST docker-compose.yml:5:1 unknown key `valueOf` (compose has no such field)',
  ])
})

test('two compose volumes never become one', () => {
  assert.match(problems(compose('volumes: ["a_b:/x", "a-b:/y"]'))[0] ?? 'none', /none|E_NAME/)
  assert.deepEqual(Object.keys(graph(compose('volumes: ["a_b:/x", "c:/y"]')).resources), ['a-b', 'c'])
})

test('addresses of services and databases become templates, other text stays', () => {
  const environment = graph(
    file(
      'compose.yaml',
      'services:\n  web:\n    build: .\n    ports: [80]\n    environment: { A: "http://api:3000/v1?x=1", B: "api:3000", C: "postgresql://u:p@db/x", D: db, E: "http://other/", F: "the api", G: api }\n  api: { build: api, expose: [3000] }\n  db: { image: postgres }\n',
    ),
  ).services['web']!
  assert.deepEqual(environment.environment, {
    A: '${services.api.url}/v1?x=1',
    B: '${services.api.host}:${services.api.port}',
    C: '${resources.db.url}',
    D: '${resources.db.host}',
    E: 'http://other/',
    F: 'the api',
    G: 'api',
  })
  assert.deepEqual([environment.calls, environment.uses], [['api'], ['db']])
})
