import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Sources, type SourcesOptions } from './sources.ts'

const temporary: string[] = []
after(() => Promise.all(temporary.map((path) => rm(path, { recursive: true, force: true }))))

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'weir-sources-'))
  temporary.push(path)
  return path
}
function git(cwd: string, ...args: string[]): string {
  const env = { PATH: process.env['PATH'], HOME: cwd, GIT_CONFIG_NOSYSTEM: '1', GIT_AUTHOR_NAME: 'Ann', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'Ann', GIT_COMMITTER_EMAIL: 'a@b' }
  return execFileSync('git', ['-c', 'init.defaultBranch=main', '-c', 'protocol.file.allow=always', ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] }).toString().trim()
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
