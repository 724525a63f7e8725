import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { graphFor, MANIFEST_FILES, parseManifestFile, readManifest } from './manifest.ts'
import { valueOf } from './tree.ts'
import { parseYaml } from './yaml-tree.ts'

const LIMIT_MS = 100
const encode = (text: string) => new TextEncoder().encode(text)

/** Reads it as each kind of file; all that may happen is a manifest or problems with a place, soon. */
function survives(bytes: Uint8Array): void {
  for (const name of ['weir.yaml', 'compose.yaml', 'Procfile', 'package.json', 'app.json']) {
    const result = parseManifestFile(name, bytes, { name: 'x', listing: [name] })
    if (result.ok) assert.ok(Object.keys(graphFor(result.manifest, 'production').services).length > 0)
    else
      for (const problem of result.problems) assert.ok(problem.line >= 1 && problem.column >= 1 && problem.message.length > 0 && problem.message.length < 2000)
  }
  readManifest({ files: new Map(MANIFEST_FILES.map((name) => [name, bytes])), listing: MANIFEST_FILES, name: '' })
}

/** The best of three, because other programs share the machine. */
function quick(bytes: Uint8Array): void {
  let best = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < 3 && best > LIMIT_MS; attempt += 1) {
    const started = performance.now()
    parseManifestFile('weir.yaml', bytes, { name: 'x', listing: [] })
    best = Math.min(best, performance.now() - started)
  }
  assert.ok(best <= LIMIT_MS, `took ${best} ms`)
}

const WORDS = [
  'version: 1\n',
  'services:\n',
  '  web:\n',
  '    build: .\n',
  '    ports: { http: 8080 }\n',
  'image: x\n',
  '&a ',
  '*a ',
  '<<: ',
  '[',
  ']',
  '{',
  '}',
  '- ',
  '? ',
  ': ',
  '\n',
  '\n    ',
  '"',
  "'",
  '|\n',
  '>\n',
  '---\n',
  '!!str ',
  '!x ',
  '%YAML 1.2\n',
  '#',
  '\t',
  '__proto__: ',
  'constructor: ',
  'toString: ',
  '${services.web.url}',
  '$',
  '0x1f',
  '1.10',
  '~',
  '\u{1F600}',
  '\0',
  '\ufeff',
  'environment: ',
  'depends_on: ',
  'command: ',
  'docker_image: ',
  '"name": "x",',
]
const document = fc.array(fc.constantFrom(...WORDS), { maxLength: 60 }).map((words) => words.join(''))

const KEYS = [
  'version',
  'app',
  'services',
  'web',
  'api',
  'build',
  'context',
  'command',
  'routes',
  'host',
  'path',
  'port',
  'ports',
  'http',
  'depends_on',
  'condition',
  'healthcheck',
  'test',
  'environment',
  'secrets',
  'resources',
  'cpu',
  'stop',
  'grace',
  'slo',
  'scale',
  'min',
  'max',
  'release',
  'strategy',
  'steps',
  'weight',
  'at_least',
  'split',
  'analysis',
  'custom',
  'promql',
  'on_inconclusive',
  'promote-after',
  'shadow',
  'checks',
  'before',
  'after',
  'pre_start',
  'jobs',
  'schedule',
  'service',
  'environments',
  'from',
  'image',
  'entrypoint',
  'expose',
  'deploy',
  'volumes',
  'type',
  'docker_image',
  'envs',
  'quality_metrics',
  'metric',
  'values',
  'name',
]
const VALUES = fc.oneof(
  fc.constantFrom<unknown>(
    1,
    0,
    -1,
    8080,
    'web',
    'api',
    '.',
    '10s',
    '5%',
    'canary',
    'postgres',
    'postgres:18',
    '${services.api.url}',
    '${x',
    '/healthz',
    '* * * * *',
    null,
    true,
    '',
    'a && b',
    '80:80',
    'data:/x',
  ),
  fc.string(),
)
const { tree: shaped } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    VALUES,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...KEYS), tie('tree'), { maxKeys: 6 }),
  ),
}))
const app = fc.record({
  version: fc.constant(1),
  services: fc.dictionary(fc.constantFrom('web', 'api', 'My_X'), shaped, { maxKeys: 3 }),
  resources: shaped,
  jobs: shaped,
  environments: shaped,
})

test('any bytes are read or refused', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), survives), { numRuns: 300 })
})

test('any text of YAML’s signs is read or refused', () => {
  fc.assert(
    fc.property(document, (text) => survives(encode(text))),
    { numRuns: 600 },
  )
})

test('any values under known keys are read or refused', () => {
  fc.assert(
    fc.property(fc.oneof(shaped, app), (value) => survives(encode(JSON.stringify(value)))),
    { numRuns: 600 },
  )
})

test('any such text is done within 100 ms', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        document,
        shaped.map((value) => JSON.stringify(value) ?? ''),
      ),
      (text) => quick(encode(text)),
    ),
    { numRuns: 200 },
  )
})

test('JSON comes through the YAML reader as it is', () => {
  const plain = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value')),
      fc.dictionary(
        fc.string({ minLength: 1 }).filter((key) => !['__proto__', 'constructor', 'prototype'].includes(key)),
        tie('value'),
      ),
    ),
  })).value
  fc.assert(
    fc.property(
      plain.filter((value) => value !== null),
      (value) => {
        const text = JSON.stringify(value)
        const { tree, problems } = parseYaml('x.json', encode(text))
        // DEL and its like are legal in JSON text and refused here.
        if (problems.some((problem) => problem.message.startsWith('control character'))) return
        assert.deepEqual(problems, [])
        assert.deepEqual(JSON.parse(JSON.stringify(valueOf(tree!))), JSON.parse(text))
      },
    ),
    { numRuns: 300 },
  )
})
