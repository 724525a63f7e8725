import assert from 'node:assert/strict'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { VERBS } from '../src/cli/frame/verbs.ts'
import { graphFor, readManifest } from '../src/core/manifest/manifest.ts'

const ROOT = join(import.meta.dirname, '..')
const PAGES = [...globSync('*.md', { cwd: ROOT }), ...globSync('{docs,examples}/**/*.md', { cwd: ROOT, exclude: (name) => name === 'node_modules' })].sort()
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')

for (const name of readdirSync(join(ROOT, 'examples'))) {
  test(`examples/${name} has a manifest without problems or notes`, () => {
    const folder = join(ROOT, 'examples', name)
    const files = new Map([['weir.yaml', readFileSync(join(folder, 'weir.yaml'))]])
    const result = readManifest({ files, listing: readdirSync(folder), name })
    assert.ok(result.ok, JSON.stringify(result))
    assert.deepEqual(result.notes, [])
    assert.ok('services' in graphFor(result.manifest, 'production'))
  })
}

test('every manifest in the documentation is valid', () => {
  let count = 0
  for (const page of PAGES) {
    for (const [, text = ''] of read(page).matchAll(/```yaml\n([\s\S]*?)```/g)) {
      count++
      const whole = text.startsWith('version:') ? text : `version: 1\napp: example\n${text}`
      const result = readManifest({ files: new Map([['weir.yaml', Buffer.from(whole)]]), listing: ['weir.yaml'], name: 'example' })
      const problems = result.ok ? graphFor(result.manifest, 'production') : result.problems
      assert.ok(result.ok && 'services' in problems, `${page}: ${JSON.stringify(problems)}`)
    }
  }
  assert.ok(count >= 4, 'manifests were found')
})

test('every link in the documentation leads to a file that is there', () => {
  const dead = PAGES.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
      .map(([, to = '']) => to)
      .filter((to) => !existsSync(join(ROOT, dirname(page), to)))
      .map((to) => `${page}: ${to}`),
  )
  assert.deepEqual(dead, [])
})

test('every `weir VERB` in the documentation is a verb that weir knows', () => {
  const known = new Set(VERBS.flatMap(({ path, aliases = [] }) => [path, ...aliases]).map((path) => path.split(' ')[0]))
  const unknown = PAGES.flatMap((page) =>
    [...read(page).matchAll(/(?:`|^ {4}|^\$ |sudo )weir ([a-z][a-z_-]*)/gm)]
      .map(([, verb = '']) => verb)
      .filter((verb) => verb !== 'help' && !known.has(verb))
      .map((verb) => `${page}: weir ${verb}`),
  )
  assert.deepEqual(unknown, [])
})
