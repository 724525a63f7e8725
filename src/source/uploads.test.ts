import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { ignores, parseIgnore } from '../archive/ignore-rules.ts'
import { filesToSend, packFolder } from '../archive/pack-folder.ts'
import { TAR_END, tarHeader } from '../archive/tar-write.ts'
import { isWeirError } from '../errors.ts'
import { Sources } from './sources.ts'

const temporary: string[] = []
after(() => Promise.all(temporary.map((path) => rm(path, { recursive: true, force: true }))))
async function folder(files: Record<string, string> = {}): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'weir-upload-'))
  temporary.push(path)
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), text)
  }
  return path
}
async function open(limits = {}): Promise<{ it: Sources; uploads: string }> {
  const home = await folder()
  const uploads = join(home, 'uploads')
  return {
    it: await Sources.open({ paths: { mirrors: join(home, 'mirrors'), uploads }, credentials: async () => null, reach: () => 'network', limits }),
    uploads,
  }
}
async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}
const refuses = (code: string) => (error: unknown) => isWeirError(error) && error.code === code

test('a packed folder arrives as a tree that can be read, listed, digested and exported', async () => {
  const from = await folder({ 'weir.yaml': 'version: 1\n', 'web/server.js': 'hi', 'api/server.js': 'hi' })
  await symlink('server.js', join(from, 'web/main.js'))
  const { it } = await open()
  const { digest, files } = await it.uploads.receive('acme', (await packFolder(from)).stream)
  assert.equal(files, 4)
  const tree = await it.fetch('acme', { kind: 'upload', digest, label: 'shop' })
  assert.equal(tree.commit, null)
  assert.deepEqual(await it.list(tree, ''), ['api/', 'web/', 'weir.yaml'])
  assert.deepEqual(await it.list(tree, './web/'), ['main.js', 'server.js'])
  assert.equal(await it.list(tree, 'none'), null)
  assert.equal(Buffer.from((await it.readFile(tree, 'web/server.js', 10)) ?? []).toString(), 'hi')
  await assert.rejects(it.readFile(tree, 'web/main.js', 10), refuses('E_ARCHIVE'))
  await assert.rejects(it.readFile(tree, 'weir.yaml', 3), refuses('E_SOURCE_TOO_LARGE'))
  const into = await folder()
  await it.export(tree, 'web', into)
  assert.deepEqual((await readdir(into)).sort(), ['main.js', 'server.js'])
  assert.equal(await it.digest(tree, ''), digest)
  assert.notEqual(await it.digest(tree, 'web'), await it.digest(tree, 'api'))
  await assert.rejects(it.digest(tree, 'none'), refuses('E_SOURCE_NOT_FOUND'))
})

test('the digest depends on names, contents and executable bits, not on the order, times or compression of the archive', async () => {
  const from = await folder({ a: '1', b: '2' })
  const tar = (...args: string[]) => execFileSync('tar', ['-C', from, '-cf', '-', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const { it, uploads } = await open()
  const first = await it.uploads.receive('acme', once(tar('a', 'b')))
  assert.deepEqual(await it.uploads.receive('acme', once(tar('--mtime=@0', 'b', 'a'))), first)
  assert.deepEqual(await it.uploads.receive('acme', once(gzipSync(tar('a', 'b')))), first)
  assert.equal((await readdir(join(uploads, 'acme'))).length, 1)
  assert.notEqual((await it.uploads.receive('acme', once(tar('--mode=755', 'a', 'b')))).digest, first.digest)
})

test('an archive that is refused leaves nothing on the disk', async () => {
  const { it, uploads } = await open({ bytes: 50 * 1024 ** 2, streamBytes: 1024 ** 2 })
  const entry = (path: string, type: '0' | '2', target = '') => Buffer.concat([tarHeader({ path, type, mode: 0o644, size: 0, target, timeMs: 0 }), TAR_END])
  const bomb = gzipSync(
    Buffer.concat([tarHeader({ path: 'zeros', type: '0', mode: 0o644, size: 200 * 1024 ** 2, target: '', timeMs: 0 }), Buffer.alloc(60 * 1024 ** 2)]),
  )
  const whole = gzipSync(entry('a', '0'))
  await assert.rejects(it.uploads.receive('acme', once(entry('../out', '0'))), refuses('E_ARCHIVE'))
  await assert.rejects(it.uploads.receive('acme', once(entry('l', '2', '/etc'))), refuses('E_ARCHIVE'))
  await assert.rejects(it.uploads.receive('acme', once(bomb)), refuses('E_SOURCE_TOO_LARGE'))
  await assert.rejects(it.uploads.receive('acme', once(Buffer.alloc(2 * 1024 ** 2, 'x'))), (error) => isWeirError(error))
  await assert.rejects(it.uploads.receive('acme', once(whole.subarray(0, whole.length - 12))), refuses('E_ARCHIVE'))
  await assert.rejects(it.uploads.receive('acme', once(Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.alloc(100, 7)]))), refuses('E_ARCHIVE'))
  await assert.rejects(it.uploads.receive('acme', once(Buffer.alloc(0))), refuses('E_ARCHIVE'))
  await assert.rejects(it.uploads.receive('acme', once(TAR_END)), refuses('E_SOURCE_EMPTY'))
  assert.deepEqual(await readdir(join(uploads, 'acme')), [])
})

test('an unknown digest is not found, and no digest leads out of the folder', async () => {
  const { it } = await open()
  for (const digest of [`sha256:${'0'.repeat(64)}`, 'sha256:../../etc', '', 'x']) {
    await assert.rejects(it.fetch('acme', { kind: 'upload', digest, label: '' }), refuses('E_SOURCE_NOT_FOUND'), digest)
  }
})

test('a git work tree is packed as git sees it, with what is new and without what is ignored', async () => {
  const from = await folder({
    '.gitignore': '*.log\ndist/\n',
    'app.js': '1',
    'new.js': '2',
    'x.log': '3',
    'dist/out.js': '4',
    'node_modules/x/i.js': '5',
    'docs/big.pdf': '6',
    '.weirignore': 'docs/\n',
    '.weir/context.json': '{}',
  })
  execFileSync('git', ['init', '--quiet', from])
  execFileSync('git', ['-C', from, 'add', 'app.js'])
  assert.deepEqual(
    (await filesToSend(from)).map(({ path }) => path),
    ['.gitignore', '.weirignore', 'app.js', 'new.js'],
  )
  await rm(join(from, 'app.js'))
  assert.deepEqual(
    (await filesToSend(from)).map(({ path }) => path),
    ['.gitignore', '.weirignore', 'new.js'],
  )
})

test('a folder outside of git is packed whole, without node_modules', async () => {
  const from = await folder({ 'app.js': '1', 'a/node_modules/x.js': '2', 'node_modules/y.js': '3' })
  assert.deepEqual(
    (await filesToSend(from)).map(({ path }) => path),
    ['app.js'],
  )
  await assert.rejects(packFolder(await folder()), refuses('E_SOURCE_EMPTY'))
})

test('.weirignore follows the pattern language of git', async () => {
  const table: [string, string[], string[]][] = [
    ['*.log', ['a.log', 'x/y/a.log'], ['a.logs', 'log']],
    ['/build', ['build', 'build/a'], ['x/build']],
    ['docs/', ['docs/a', 'x/docs/b'], ['docs']],
    ['a/**/z', ['a/z', 'a/b/z', 'a/b/c/z'], ['b/z']],
    ['*.js\n!keep.js', ['a.js'], ['keep.js', 'x/keep.js']],
    ['# comment\n\\#x', ['#x'], ['comment']],
    ['te?t', ['test', 'text'], ['te/t', 'tet']],
  ]
  for (const [text, left, kept] of table) {
    for (const path of left) assert.ok(ignores(parseIgnore(text), path), `${text} leaves out ${path}`)
    for (const path of kept) assert.ok(!ignores(parseIgnore(text), path), `${text} keeps ${path}`)
  }
})

test("a tenant finds nothing by another's digest, and learns nothing by sending the same", async () => {
  const from = await folder({ 'weir.yaml': 'version: 1\n' })
  const { it, uploads } = await open()
  const { digest } = await it.uploads.receive('acme', (await packFolder(from)).stream)
  const asked = (tenant: string, of: string) => it.fetch(tenant, { kind: 'upload', digest: of, label: 'shop' }).catch((error: Error) => error)
  const [foreign, unknown] = await Promise.all([asked('globex', digest), asked('globex', `sha256:${'0'.repeat(64)}`)])
  assert.ok(isWeirError(foreign, 'E_SOURCE_NOT_FOUND') && isWeirError(unknown, 'E_SOURCE_NOT_FOUND'))
  assert.equal(foreign.message, unknown.message)
  assert.deepEqual(await it.uploads.receive('globex', (await packFolder(from)).stream), { digest, files: 1 })
  assert.deepEqual((await readdir(uploads)).sort(), ['acme', 'globex'])
  assert.deepEqual(await it.uploads.collect(new Set(), new Date(Date.now() + 1000)), [digest, digest])
  assert.ok(isWeirError(await asked('acme', digest), 'E_SOURCE_NOT_FOUND'))
})
