import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { listFolder, writeTar, TAR_END } from '../archive/tar-write.ts'
import { Sources } from '../source/sources.ts'
import type { BuildRequest, ObservedBuild } from './builder.ts'
import { SlugBuilder, type SlugBuilderOptions } from './slug-builder.ts'
import { PlainConfined } from './testing/confined.ts'

const temporary: string[] = []
after(() => Promise.all(temporary.map((path) => rm(path, { recursive: true, force: true }))))

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'weir-build-'))
  temporary.push(path)
  await chmod(path, 0o711)
  return path
}

async function workshop(options: Partial<SlugBuilderOptions> = {}) {
  const home = await folder()
  const paths = { mirrors: join(home, 'mirrors'), uploads: join(home, 'uploads'), slugs: join(home, 'slugs'), builds: join(home, 'builds'), runtimes: join(home, 'runtimes') }
  const sources = await Sources.open({ paths, credentials: async () => null, reach: () => 'machine' })
  const confined = new PlainConfined()
  const builder = await SlugBuilder.open({ paths, source: sources, confined, ...options })
  const request = async (files: Record<string, string>, more: Partial<BuildRequest> = {}): Promise<BuildRequest & { key: string }> => {
    const from = await folder()
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(from, name)), { recursive: true })
      await writeFile(join(from, name), text)
    }
    async function* tar() {
      yield* writeTar(from, await listFolder(from), 0)
      yield TAR_END
    }
    const { digest } = await sources.uploads.receive(tar())
    const tree = await sources.fetch('acme', { kind: 'upload', digest, label: 'test' })
    const made = { tenant: 'acme', app: 'shop', service: 'web', tree, context: '.', command: null, output: null, ...more }
    return { ...made, key: await builder.key(made) }
  }
  const built = async (it: BuildRequest & { key: string }): Promise<ObservedBuild> => {
    await builder.start(it)
    for (;;) {
      const seen = await builder.observe(it.key)
      if (seen && (seen.phase === 'succeeded' || seen.phase === 'failed')) return seen
      await sleep(10)
    }
  }
  return { home, paths, sources, confined, builder, request, built }
}

test('a Node app with a lock file and nothing to install becomes a slug without running anything', async () => {
  const { built, request, confined } = await workshop()
  const seen = await built(
    await request({
      'package.json': '{"name":"hello","version":"1.0.0","scripts":{"start":"node server.js"}}',
      'package-lock.json': '{"name":"hello","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"hello","version":"1.0.0"}}}',
      'server.js': 'console.log(1)\n',
    }),
  )
  assert.equal(seen.phase, 'succeeded', JSON.stringify(seen))
  assert.ok(seen.phase === 'succeeded')
  assert.deepEqual(seen.artifact.command, ['node', 'server.js'])
  assert.equal(seen.artifact.runtime, `node-${process.versions.node}`)
  assert.match(seen.artifact.digest, /^sha256:[0-9a-f]{64}$/)
  assert.equal(confined.started.length, 0)
})
