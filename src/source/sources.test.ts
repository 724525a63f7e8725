import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, truncate, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isWeirError } from '../errors.ts'
import { Sources, type SourcesOptions } from './sources.ts'

const temporary: string[] = []
after(() => Promise.all(temporary.map((path) => rm(path, { recursive: true, force: true }))))

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'weir-sources-'))
  temporary.push(path)
  return path
}
function git(cwd: string, ...args: string[]): string {
  const env = {
    PATH: process.env['PATH'],
    HOME: cwd,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'Ann',
    GIT_AUTHOR_EMAIL: 'a@b',
    GIT_COMMITTER_NAME: 'Ann',
    GIT_COMMITTER_EMAIL: 'a@b',
  }
  return execFileSync('git', ['-c', 'init.defaultBranch=main', '-c', 'protocol.file.allow=always', ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    .toString()
    .trim()
}
/** A repository with these files, committed. */
async function repository(files: Record<string, string>): Promise<{ path: string; url: string; commit: () => Promise<string> }> {
  const path = await folder()
  git(path, 'init', '--quiet')
  const commit = async () => {
    git(path, 'add', '-A')
    git(path, 'commit', '--quiet', '--allow-empty', '-m', 'Say hello')
    return git(path, 'rev-parse', 'HEAD')
  }
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(path, name, '..'), { recursive: true })
    await writeFile(join(path, name), text)
  }
  if (Object.keys(files).length > 0) await commit()
  return { path, url: `file://${path}`, commit }
}
async function sources(options: Partial<SourcesOptions> = {}): Promise<{ it: Sources; home: string }> {
  const home = await folder()
  const paths = { mirrors: join(home, 'mirrors'), uploads: join(home, 'uploads') }
  return { it: await Sources.open({ paths, credentials: async () => null, reach: () => 'machine', ...options }), home }
}
const source = (url: string, ref: string | null = null, commit: string | null = null, path = '') => ({ kind: 'git', url, ref, commit, path }) as const

test('the default branch of a local repository becomes a tree that can be read, listed and exported', async () => {
  const repo = await repository({ 'weir.yaml': 'version: 1\n', 'web/server.js': 'hi\n' })
  const { it } = await sources()
  const resolved = await it.resolve('acme', source(repo.url))
  assert.equal(resolved.ref, 'main')
  const tree = await it.fetch('acme', source(repo.url, null, resolved.commit))
  assert.deepEqual(tree.summary, { subject: 'Say hello', author: 'Ann' })
  assert.ok(Math.abs(tree.time - Date.now()) < 60_000)
  assert.deepEqual(await it.list(tree, ''), ['web/', 'weir.yaml'])
  assert.deepEqual(await it.list(tree, 'web'), ['server.js'])
  assert.equal(await it.list(tree, 'api'), null)
  assert.equal(Buffer.from((await it.readFile(tree, 'weir.yaml', 100)) ?? []).toString(), 'version: 1\n')
  assert.equal(await it.readFile(tree, 'nothing', 100), null)
  const into = await folder()
  await it.export(tree, 'web', into)
  assert.deepEqual(await readdir(into), ['server.js'])
  assert.match(await it.digest(tree, 'web'), /^git-tree:[0-9a-f]{40}$/)
})

const code =
  (expected: string, inCause = '') =>
  (error: unknown) => {
    assert.ok(isWeirError(error), String(error))
    assert.equal(error.code, expected, JSON.stringify(error.explanation))
    assert.ok(JSON.stringify(error.explanation).includes(inCause), JSON.stringify(error.explanation))
    return true
  }

test('branch, tag, annotated tag, whole and short commit id all resolve', async () => {
  const repo = await repository({ a: '1' })
  const first = git(repo.path, 'rev-parse', 'HEAD')
  git(repo.path, 'tag', 'light')
  git(repo.path, 'tag', '-a', '-m', 'one', 'annotated')
  git(repo.path, 'checkout', '--quiet', '-b', 'release/1')
  const second = await repo.commit()
  const { it } = await sources()
  assert.deepEqual(await it.resolve('acme', source(repo.url, 'main')), { commit: first, ref: 'main' })
  assert.deepEqual(await it.resolve('acme', source(repo.url, 'release/1')), { commit: second, ref: 'release/1' })
  assert.deepEqual(await it.resolve('acme', source(repo.url, 'light')), { commit: first, ref: 'light' })
  assert.deepEqual(await it.resolve('acme', source(repo.url, 'annotated')), { commit: first, ref: 'annotated' })
  assert.equal((await it.resolve('acme', source(repo.url, null, first))).commit, first)
  assert.equal((await it.resolve('acme', source(repo.url, null, first.slice(0, 10)))).commit, first)
})

test('a force-push moves the branch, and the commit that was released stays buildable', async () => {
  const repo = await repository({ a: '1' })
  const { it } = await sources()
  const before = await it.resolve('acme', source(repo.url, 'main'))
  await it.fetch('acme', source(repo.url, 'main', before.commit))
  await writeFile(join(repo.path, 'a'), '2')
  git(repo.path, 'add', '-A')
  git(repo.path, 'commit', '--quiet', '--amend', '-m', 'Rewritten')
  git(repo.path, 'reflog', 'expire', '--expire=now', '--all')
  git(repo.path, 'gc', '--quiet', '--prune=now')
  const after = await it.resolve('acme', source(repo.url, 'main'))
  assert.notEqual(after.commit, before.commit)
  await it.fetch('acme', source(repo.url, 'main', after.commit))
  const old = await it.fetch('acme', source(repo.url, null, before.commit))
  assert.equal(Buffer.from((await it.readFile(old, 'a', 10)) ?? []).toString(), '1')
})

test('what is not there is named: repository, branch, commit, folder', async () => {
  const repo = await repository({ a: '1' })
  const { it } = await sources()
  await assert.rejects(it.resolve('acme', source('file:///nowhere/at-all')), code('E_SOURCE_NOT_FOUND', 'no repository'))
  await assert.rejects(it.resolve('acme', source(repo.url, 'nope')), code('E_SOURCE_NOT_FOUND', 'nope'))
  await assert.rejects(it.resolve('acme', source(repo.url, null, 'abcdef1')), code('E_SOURCE_NOT_FOUND', 'abcdef1'))
  await assert.rejects(it.fetch('acme', source(repo.url, null, 'a'.repeat(40))), code('E_SOURCE_NOT_FOUND'))
  await assert.rejects(it.fetch('acme', source(repo.url, null, null, 'services/none')), code('E_SOURCE_NOT_FOUND', 'services/none'))
  await assert.rejects(it.resolve('acme', source(repo.url, '--upload-pack=touch')), code('E_SOURCE_NOT_FOUND', 'option'))
  await assert.rejects(it.fetch('acme', source(repo.url, null, null, '../etc')), code('E_USAGE'))
})

test('an empty repository says so', async () => {
  const repo = await repository({})
  const { it } = await sources()
  await assert.rejects(it.resolve('acme', source(repo.url)), code('E_SOURCE_EMPTY', 'no commit yet'))
})

test('a source that grows over its limit is stopped while it is fetched, and nothing of it stays', async () => {
  const repo = await repository({ a: '1' })
  const noise = Buffer.alloc(12 * 1024 * 1024)
  for (let at = 0; at < noise.length; at += 4) noise.writeUInt32LE((at * 2654435761) >>> 0, at)
  await writeFile(join(repo.path, 'big'), noise)
  git(repo.path, '-c', 'core.compression=0', 'add', '-A')
  await repo.commit()
  const { it, home } = await sources({ limits: { bytes: 2 * 1024 * 1024 } })
  await assert.rejects(it.fetch('acme', source(repo.url)), code('E_SOURCE_TOO_LARGE', '2 MiB'))
  assert.deepEqual(await readdir(join(home, 'mirrors')), [])
})

test('links that leave the repository and links instead of folders are refused at export and at reading', async () => {
  const repo = await repository({ 'web/server.js': '1' })
  await symlink('../../../etc/passwd', join(repo.path, 'web/out'))
  await symlink('/etc/passwd', join(repo.path, 'absolute'))
  await symlink('web', join(repo.path, 'inside'))
  await repo.commit()
  const { it } = await sources()
  const tree = await it.fetch('acme', source(repo.url))
  await assert.rejects(it.readFile(tree, 'absolute', 1000), code('E_ARCHIVE', 'is a link'))
  await assert.rejects(it.export(tree, '', await folder()), code('E_ARCHIVE'))
  await assert.rejects(it.export(tree, 'web', await folder()), code('E_ARCHIVE', 'out'))
  await unlink(join(repo.path, 'absolute'))
  await unlink(join(repo.path, 'web/out'))
  await repo.commit()
  const into = await folder()
  await it.export(await it.fetch('acme', source(repo.url)), '', into)
  assert.equal(await readlink(join(into, 'inside')), 'web')
})

test('submodules are not fetched, whatever address they name, and are named', async () => {
  const mark = join(await folder(), 'ran')
  const repo = await repository({ a: '1', '.gitmodules': `[submodule "x"]\n\tpath = vendor/x\n\turl = ext::sh -c touch% ${mark}\n` })
  git(repo.path, 'update-index', '--add', '--cacheinfo', `160000,${'b'.repeat(40)},vendor/x`)
  git(repo.path, 'commit', '--quiet', '-m', 'Add a submodule')
  const { it } = await sources()
  const tree = await it.fetch('acme', source(repo.url))
  assert.deepEqual(await it.notFetched(tree), ['vendor/x'])
  const into = await folder()
  await it.export(tree, '', into)
  assert.deepEqual(await readdir(join(into, 'vendor/x')), [])
  assert.equal(await stat(mark).catch(() => null), null)
})

test('filters, export rules and hooks of a repository change nothing of what is built, and run nothing', async () => {
  const mark = join(await folder(), 'ran')
  const repo = await repository({
    'a.txt': 'one\r\ntwo $Id$ $Format:%H$\n',
    hidden: 'x',
    '.gitattributes': 'hidden export-ignore\n*.txt text eol=lf ident export-subst filter=evil\n',
  })
  await writeFile(join(repo.path, '.git/hooks/post-checkout'), `#!/bin/sh\ntouch ${mark}\n`, { mode: 0o755 })
  git(repo.path, 'config', 'filter.evil.smudge', `touch ${mark}`)
  git(repo.path, 'config', 'uploadpack.packObjectsHook', `touch ${mark}`)
  const committed = git(repo.path, 'cat-file', 'blob', 'HEAD:a.txt')
  const { it } = await sources()
  const into = await folder()
  await it.export(await it.fetch('acme', source(repo.url)), '', into)
  assert.equal((await readFile(join(into, 'a.txt'), 'utf8')).trim(), committed)
  assert.equal(await readFile(join(into, 'hidden'), 'utf8'), 'x')
  assert.equal(await stat(mark).catch(() => null), null)
})

test('locks and half-made packs of a killed git are cleared, and a mirror that git cannot read is made anew', async () => {
  const repo = await repository({ a: '1' })
  const { it, home } = await sources()
  await it.fetch('acme', source(repo.url))
  const mirror = join(home, 'mirrors', (await readdir(join(home, 'mirrors')))[0] ?? '')
  await writeFile(join(mirror, 'shallow.lock'), '')
  await writeFile(join(mirror, 'objects/pack/tmp_pack_x'), 'half')
  await writeFile(join(repo.path, 'a'), '2')
  const second = await repo.commit()
  assert.equal((await it.fetch('acme', source(repo.url))).commit, second)
  assert.equal(await stat(join(mirror, 'objects/pack/tmp_pack_x')).catch(() => null), null)
  for (const name of await readdir(mirror, { recursive: true })) {
    if (/objects\/.*[0-9a-f]{20}/.test(name)) {
      await unlink(join(mirror, name))
      await writeFile(join(mirror, name), 'damaged')
    }
  }
  await writeFile(join(repo.path, 'a'), '3')
  await repo.commit()
  const tree = await it.fetch('acme', source(repo.url))
  assert.equal(Buffer.from((await it.readFile(tree, 'a', 10)) ?? []).toString(), '3')
})

test('a mirror without its HEAD is made anew', async () => {
  const repo = await repository({ a: '1' })
  const { it, home } = await sources()
  await it.fetch('acme', source(repo.url))
  const mirror = join(home, 'mirrors', (await readdir(join(home, 'mirrors')))[0] ?? '')
  await truncate(join(mirror, 'HEAD'), 0)
  assert.ok((await it.fetch('acme', source(repo.url))).commit)
})

test('two tenants never share a mirror, and ten fetches at once share one', async () => {
  const repo = await repository({ a: '1' })
  const { it, home } = await sources()
  await Promise.all(Array.from({ length: 10 }, () => it.fetch('acme', source(repo.url))))
  await it.fetch('other', source(repo.url))
  assert.equal((await readdir(join(home, 'mirrors'))).length, 2)
})

test('local paths are out of reach for everyone but the installation itself', async () => {
  const repo = await repository({ a: '1' })
  const { it } = await sources({ reach: () => 'network' })
  await assert.rejects(it.resolve('acme', source(repo.url)), code('E_SOURCE_URL', 'administrators'))
  await assert.rejects(it.resolve('acme', source('https://127.0.0.1/a.git')), code('E_SOURCE_URL', 'inside this network'))
  await assert.rejects(it.resolve('acme', source('https://0x7f.1/a.git')), code('E_SOURCE_URL', 'inside this network'))
  await assert.rejects(it.resolve('acme', source('ssh://0177.0.0.1/a.git')), code('E_SOURCE_URL', 'inside this network'))
  await assert.rejects(it.resolve('acme', source('https://[::ffff:127.0.0.1]/a.git')), code('E_SOURCE_URL'))
  await assert.rejects(it.resolve('acme', source('https://169.254.169.254/latest.git')), code('E_SOURCE_URL'))
})

test('what nobody wants any more is collected', async () => {
  const repo = await repository({ a: '1' })
  const { it, home } = await sources()
  await it.fetch('acme', source(repo.url))
  const nothing = { uploads: new Set<string>(), mirrors: [] }
  const later = new Date(Date.now() + 60_000)
  assert.deepEqual(await it.collect(nothing), [])
  const inVain = { tenant: 'acme', url: 'ext::sh -c id' } // a release that failed for its address is history like any other
  assert.deepEqual(await it.collect({ ...nothing, mirrors: [inVain, { tenant: 'acme', url: repo.path }] }, later), [])
  assert.equal((await it.collect(nothing, later)).length, 1)
  assert.deepEqual(await readdir(join(home, 'mirrors')), [])
  assert.ok((await it.fetch('acme', source(repo.url))).commit)
})

test('a session that a killed server left behind is gone after the next start', async () => {
  const { home } = await sources()
  await mkdir(join(home, 'mirrors/.session-x'))
  await writeFile(join(home, 'mirrors/.session-x/key'), 'secret')
  await Sources.open({ paths: { mirrors: join(home, 'mirrors'), uploads: join(home, 'uploads') }, credentials: async () => null, reach: () => 'machine' })
  assert.deepEqual(await readdir(join(home, 'mirrors')), [])
})
