import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isWeirError } from '../errors.ts'
import type { Credential } from './credentials.ts'
import { Sources } from './sources.ts'

const TOKEN = 'hunter2-very-secret'
let home = ''
let repo = ''
let commit = ''
let server: Server
let port = 0
const seen: { path: string; authorization: string | undefined }[] = []
const savedPath = process.env['PATH']

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'weir-remote-'))
  repo = join(home, 'repos/app.git')
  const env = {
    PATH: savedPath,
    HOME: home,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'A',
    GIT_AUTHOR_EMAIL: 'a@b',
    GIT_COMMITTER_NAME: 'A',
    GIT_COMMITTER_EMAIL: 'a@b',
  }
  const git = (...args: string[]) =>
    execFileSync('git', args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
      .toString()
      .trim()
  git('init', '--quiet', '--initial-branch=main', join(home, 'work'))
  await writeFile(join(home, 'work/a'), '1')
  git('-C', join(home, 'work'), 'add', '-A')
  git('-C', join(home, 'work'), 'commit', '--quiet', '-m', 'One')
  commit = git('-C', join(home, 'work'), 'rev-parse', 'HEAD')
  await mkdir(join(home, 'repos'))
  git('clone', '--quiet', '--bare', join(home, 'work'), repo)
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost',
      '-keyout',
      join(home, 'key.pem'),
      '-out',
      join(home, 'cert.pem'),
    ],
    { stdio: 'ignore' },
  )
  server = createServer({ key: await readFile(join(home, 'key.pem')), cert: await readFile(join(home, 'cert.pem')) }, (request, response) => {
    const { authorization } = request.headers
    const [path = '', query = ''] = (request.url ?? '').split('?')
    seen.push({ path, authorization })
    if (path.startsWith('/moved/')) return response.writeHead(301, { location: request.url?.replace('/moved/', '/open/') ?? '' }).end()
    if (path.startsWith('/slow/')) return response
    if (path.startsWith('/down/')) return response.writeHead(503).end()
    const closed = path.startsWith('/closed/')
    if (closed && authorization !== `Basic ${Buffer.from(`deploy:${TOKEN}`).toString('base64')}`)
      return response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
    const backend = spawn('git', ['http-backend'], {
      env: {
        PATH: savedPath,
        GIT_PROJECT_ROOT: join(home, 'repos'),
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: path.replace(/^\/(open|closed)/, ''),
        QUERY_STRING: query,
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        HTTP_GIT_PROTOCOL: request.headers['git-protocol'] as string,
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'safe.directory',
        GIT_CONFIG_VALUE_0: '*',
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    request.pipe(backend.stdin)
    const parts: Buffer[] = []
    backend.stdout.on('data', (chunk: Buffer) => parts.push(chunk))
    backend.on('close', () => {
      const all = Buffer.concat(parts)
      const end = all.indexOf('\r\n\r\n')
      const lines = all
        .subarray(0, end)
        .toString()
        .split('\r\n')
        .map((line) => line.split(': '))
      response.writeHead(
        Number.parseInt(lines.find(([name]) => name === 'Status')?.[1] ?? '200', 10),
        Object.fromEntries(lines.filter(([name]) => name !== 'Status')),
      )
      response.end(all.subarray(end + 4))
    })
    return response
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
  process.env['GIT_SSL_CAINFO'] = join(home, 'cert.pem')
})
after(async () => {
  server.closeAllConnections()
  server.close()
  await rm(home, { recursive: true, force: true })
})

async function sources(credential: Credential | null, resolveMs = 20_000): Promise<{ it: Sources; mirrors: string }> {
  const mirrors = await mkdtemp(join(home, 'state-'))
  return {
    it: await Sources.open({
      paths: { mirrors, uploads: join(mirrors, 'uploads') },
      credentials: async () => credential,
      reach: () => 'machine',
      limits: { resolveMs },
    }),
    mirrors,
  }
}
const source = (url: string) => ({ kind: 'git', url, ref: null, commit: null, path: '' }) as const
const https = (path: string) => source(`https://localhost:${port}${path}`)
const fails = (code: string) => (error: unknown) => {
  assert.ok(isWeirError(error), String(error))
  assert.equal(error.code, code, JSON.stringify(error.explanation))
  assert.ok(!JSON.stringify([error.message, error.explanation, error.stack]).includes(TOKEN))
  assert.ok(!JSON.stringify(error.explanation).includes(Buffer.from(`deploy:${TOKEN}`).toString('base64')))
  return true
}

test('a repository is fetched over https, and a commit that is there needs no second visit', async () => {
  const { it } = await sources(null)
  const tree = await it.fetch('acme', https('/open/app.git'))
  assert.equal(tree.commit, commit)
  const visits = seen.length
  await it.fetch('acme', { ...https('/open/app.git'), commit })
  assert.equal(seen.length, visits)
})

test('a token opens a closed repository, and is neither in argv, in the environment nor on the disk afterwards', async () => {
  const { it, mirrors } = await sources({ kind: 'token', user: 'deploy', token: TOKEN })
  const watched: string[] = []
  const secret = [TOKEN, Buffer.from(`deploy:${TOKEN}`).toString('base64')]
  const watching = new AbortController()
  const watch = (async () => {
    while (!watching.signal.aborted) {
      for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
        const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
        if (!command.startsWith('git')) continue
        watched.push(command, await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => ''))
      }
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })()
  assert.equal((await it.fetch('acme', https('/closed/app.git'))).commit, commit)
  watching.abort()
  await watch
  assert.ok(watched.length > 0)
  for (const text of watched) for (const value of secret) assert.ok(!text.includes(value))
  for (const name of await readdir(mirrors, { recursive: true, withFileTypes: true })) {
    if (!name.isFile()) continue
    const text = await readFile(join(name.parentPath, name.name), 'latin1')
    for (const value of secret) assert.ok(!text.includes(value), name.name)
  }
})

test('wrong and missing credentials, a missing repository, a server in trouble and a moved one each have their own error', async () => {
  const without = await sources(null)
  await assert.rejects(without.it.resolve('acme', https('/closed/app.git')), fails('E_SOURCE_AUTH'))
  const wrong = await sources({ kind: 'token', user: 'deploy', token: `${TOKEN}x` })
  await assert.rejects(wrong.it.resolve('acme', https('/closed/app.git')), fails('E_SOURCE_AUTH'))
  await assert.rejects(without.it.resolve('acme', https('/open/none.git')), fails('E_SOURCE_NOT_FOUND'))
  await assert.rejects(without.it.resolve('acme', https('/down/app.git')), fails('E_SOURCE_UNREACHABLE'))
  await assert.rejects(without.it.resolve('acme', https('/moved/app.git')), fails('E_SOURCE_NOT_FOUND'))
  await assert.rejects(without.it.resolve('acme', source('https://weir-test.invalid/a.git')), fails('E_SOURCE_UNREACHABLE'))
  await assert.rejects(without.it.resolve('acme', source('https://localhost:1/a.git')), fails('E_SOURCE_UNREACHABLE'))
})

test('a redirect does not carry the token to another address', async () => {
  const { it } = await sources({ kind: 'token', user: 'deploy', token: TOKEN })
  const before = seen.length
  await assert.rejects(it.resolve('acme', https('/moved/app.git')), fails('E_SOURCE_NOT_FOUND'))
  assert.ok(seen.slice(before).every(({ path }) => path.startsWith('/moved/')))
})

test('a server that never answers is given up in time', async () => {
  const { it } = await sources(null, 300)
  const started = performance.now()
  await assert.rejects(it.resolve('acme', https('/slow/app.git')), fails('E_SOURCE_TIMEOUT'))
  assert.ok(performance.now() - started < 3000)
})

test('a certificate that the machine does not trust is refused', async () => {
  process.env['GIT_SSL_CAINFO'] = '/etc/ssl/certs/ca-certificates.crt'
  try {
    const { it } = await sources(null)
    await assert.rejects(it.resolve('acme', https('/open/app.git')), fails('E_SOURCE_UNREACHABLE'))
  } finally {
    process.env['GIT_SSL_CAINFO'] = join(home, 'cert.pem')
  }
})

test('ssh is given the key and known hosts by file, pinned to the address, and checks the host key', async () => {
  const bin = join(home, 'bin')
  await mkdir(bin)
  const log = join(home, 'ssh.log')
  // In the place of ssh: notes its arguments and files, then does what the far end would.
  await writeFile(
    join(bin, 'ssh'),
    `#!/bin/sh\nprintf '%s\\n' "$@" > ${log}\ncat "$WEIR_GIT_SESSION/known_hosts" "$WEIR_GIT_SESSION/key" >> ${log}\nstat -c %a "$WEIR_GIT_SESSION/key" >> ${log}\nexec git -c safe.directory='*' upload-pack ${repo}\n`,
  )
  await chmod(join(bin, 'ssh'), 0o755)
  process.env['PATH'] = `${bin}:${savedPath}`
  try {
    const { it, mirrors } = await sources({ kind: 'ssh', privateKey: 'PRIVATE KEY', knownHosts: '[127.0.0.1]:2222 ssh-ed25519 AAAA' })
    assert.equal((await it.fetch('acme', source('ssh://git@127.0.0.1:2222/app.git'))).commit, commit)
    const said = await readFile(log, 'utf8')
    for (const part of [
      '-oStrictHostKeyChecking=yes',
      '-oBatchMode=yes',
      'HostName=127.0.0.1',
      'HostKeyAlias=[127.0.0.1]:2222',
      'PRIVATE KEY\n',
      'ssh-ed25519 AAAA',
      '\n600\n',
      'git@127.0.0.1',
    ])
      assert.ok(said.includes(part), `${part} in ${said}`)
    assert.deepEqual(
      (await readdir(mirrors)).filter((name) => name.startsWith('.session')),
      [],
    )
  } finally {
    process.env['PATH'] = savedPath
  }
})

test('an ssh host that nobody knows is refused by the real ssh', async (t) => {
  // Only as far as the port: nothing there speaks ssh, so what is tested is that the real client runs and its failure is named.
  const silent = createTcpServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  t.after(() => silent.close())
  const { it } = await sources({ kind: 'ssh', privateKey: 'x', knownHosts: '' })
  await assert.rejects(it.resolve('acme', source(`ssh://git@127.0.0.1:${(silent.address() as AddressInfo).port}/app.git`)), fails('E_SOURCE_UNREACHABLE'))
})
