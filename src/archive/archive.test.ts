import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { isWeirError } from '../errors.ts'
import { linkProblem, pathProblem } from './entry-rules.ts'
import { padding } from './tar-read.ts'
import { listFolder, TAR_END, tarHeader, writeTar } from './tar-write.ts'
import { unpackTar } from './unpack.ts'

const temporary: string[] = []
after(() => Promise.all(temporary.map((path) => rm(path, { recursive: true, force: true }))))
async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'weir-archive-'))
  temporary.push(path)
  return path
}

const LIMITS = { bytes: 1024 * 1024, entries: 100 }
interface Hostile {
  path: string
  type?: string
  target?: string
  body?: string
  mode?: number
}
/** Builds a tar whatever it says; the checksum is right, so that the entry itself is judged. */
function tarOf(entries: readonly Hostile[], end: Buffer = TAR_END): Buffer {
  const parts = entries.map(({ path, type = '0', target = '', body = '', mode = 0o644 }) => {
    const header = tarHeader({ path, type: '0', mode, size: Buffer.byteLength(body), target, timeMs: 0 })
    const last = header.subarray(header.length - 512)
    last.write(type, 156)
    last.write('        ', 148)
    last.write(
      `${last
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\u0000 `,
      148,
    )
    return Buffer.concat([header, Buffer.from(body), Buffer.alloc(padding(Buffer.byteLength(body)))])
  })
  return Buffer.concat([...parts, end])
}
async function* stream(bytes: Buffer, piece = 700): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece)
}
async function unpack(bytes: Buffer, limits = LIMITS): Promise<{ into: string; files: Awaited<ReturnType<typeof unpackTar>> }> {
  const outer = await folder()
  const into = join(outer, 'in')
  await mkdir(into)
  try {
    return { into, files: await unpackTar(stream(bytes), into, limits) }
  } finally {
    assert.deepEqual(await readdir(outer), ['in'], 'nothing may be written beside the folder')
  }
}

test('a folder comes back from its tar as it was: contents, executable bit, links, long and non-ASCII names', async () => {
  const from = await folder()
  const long = `${'deep/'.repeat(40)}é-${'x'.repeat(120)}.txt`
  await mkdir(join(from, 'deep/'.repeat(40)), { recursive: true })
  await writeFile(join(from, long), 'long')
  await writeFile(join(from, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 })
  await writeFile(join(from, 'empty'), '')
  await symlink('run.sh', join(from, 'start'))
  const parts: Buffer[] = []
  for await (const part of writeTar(from, await listFolder(from), 0)) parts.push(part)
  const { into, files } = await unpack(Buffer.concat([...parts, TAR_END]))
  assert.equal(await readFile(join(into, long), 'utf8'), 'long')
  assert.equal((await stat(join(into, 'run.sh'))).mode & 0o777, 0o755)
  assert.equal(await readlink(join(into, 'start')), 'run.sh')
  assert.deepEqual(files.map(({ kind }) => kind).sort(), ['executable', 'file', 'file', 'link'])
})

test('tars made by the system tar in all its formats are read', async () => {
  const from = await folder()
  await writeFile(join(from, `${'n'.repeat(150)}.txt`), 'x'.repeat(5000))
  await mkdir(join(from, 'sub'))
  for (const format of ['gnu', 'posix']) {
    const made = execFileSync('tar', [`--format=${format}`, '-C', from, '-cf', '-', '.'])
    const { files } = await unpack(made)
    assert.equal(files.length, 1, format)
    assert.equal(files[0]?.path, `${'n'.repeat(150)}.txt`)
  }
})

test('our tars are read by the system tar, and are the same bytes twice', async () => {
  const from = await folder()
  await writeFile(join(from, 'b'), '2')
  await writeFile(join(from, 'a'), '1')
  const make = async () => {
    const parts: Buffer[] = []
    for await (const part of writeTar(from, await listFolder(from), 1_700_000_000_000)) parts.push(part)
    return Buffer.concat([...parts, TAR_END])
  }
  const once = await make()
  await writeFile(join(from, 'a'), '1')
  assert.ok(once.equals(await make()))
  const listed = execFileSync('tar', ['-tvf', '-', '--numeric-owner', '--utc'], { input: once }).toString()
  assert.match(listed, /^-rw-r--r-- 0\/0 +1 2023-11-14 22:13 a\n-rw-r--r-- 0\/0 +1 2023-11-14 22:13 b\n$/)
})

const HOSTILE: [string, Hostile[]][] = [
  ['../ in a name', [{ path: '../out' }]],
  ['../ in the middle of a name', [{ path: 'a/../../out' }]],
  ['an absolute name', [{ path: '/tmp/weir-out' }]],
  ['a backslash', [{ path: '..\\out' }]],
  ['a newline in a name', [{ path: 'a\nb' }]],
  ['a name over 255 bytes', [{ path: 'n'.repeat(300) }]],
  ['an absolute link', [{ path: 'l', type: '2', target: '/etc/passwd' }]],
  ['a link out', [{ path: 'l', type: '2', target: '../out' }]],
  ['a link out from a folder', [{ path: 'a/b/l', type: '2', target: '../../../out' }]],
  [
    'a link that climbs after going down',
    [
      { path: 'y', type: '2', target: '.' },
      { path: 'x', type: '2', target: 'y/y/..' },
    ],
  ],
  [
    'a file below a link',
    [
      { path: 'l', type: '2', target: 'a' },
      { path: 'l/f', body: 'x' },
    ],
  ],
  [
    'a link put where a folder is',
    [
      { path: 'a/f', body: 'x' },
      { path: 'a', type: '2', target: 'b' },
    ],
  ],
  [
    'a file twice',
    [
      { path: 'f', body: '1' },
      { path: 'f', body: '2' },
    ],
  ],
  [
    'a file below a file',
    [
      { path: 'f', body: '1' },
      { path: 'f/g', body: '2' },
    ],
  ],
  ['a hard link', [{ path: 'f', type: '1', target: '/etc/passwd' }]],
  ['a character device', [{ path: 'f', type: '3' }]],
  ['a block device', [{ path: 'f', type: '4' }]],
  ['a pipe', [{ path: 'f', type: '6' }]],
  ['a sparse file', [{ path: 'f', type: 'S' }]],
  ['an unknown type', [{ path: 'f', type: 'V' }]],
]
for (const [what, entries] of HOSTILE) {
  test(`an archive with ${what} is refused`, async () => {
    await assert.rejects(unpack(tarOf(entries)), (error) => isWeirError(error, 'E_ARCHIVE'))
  })
}

test('a damaged archive is refused: cut off, wrong checksum, data after the end, malformed headers', async () => {
  const good = tarOf([{ path: 'a', body: 'x'.repeat(2000) }])
  const broken = (change: (bytes: Buffer) => Buffer) => assert.rejects(unpack(change(Buffer.from(good))), (error) => isWeirError(error, 'E_ARCHIVE'))
  await broken((it) => it.subarray(0, 600))
  await broken((it) => it.subarray(0, 300))
  await broken((it) => it.subarray(0, good.length - 1024))
  await broken((it) => (it.write('z', 5), it))
  await broken((it) => Buffer.concat([it, Buffer.from('more')]))
  await broken(() => Buffer.from('not a tar at all'.repeat(100)))
  await broken(() => tarOf([{ path: 'x', type: 'x', body: '9999 path=a\n' }]))
  await broken(() => tarOf([{ path: 'x', type: 'x', body: '20 size=-1\n' }]))
})

test('set-uid and set-gid bits are not unpacked', async () => {
  const { into } = await unpack(tarOf([{ path: 'su', body: 'x', mode: 0o6755 }]))
  assert.equal((await stat(join(into, 'su'))).mode & 0o7777, 0o755)
})

test('folders that no entry names are counted, too: one short archive could make millions of them', async () => {
  const deep = (n: number) => `${Array.from({ length: 40 }, (_, at) => `${n}-${at}`).join('/')}/f`
  const tar = tarOf([{ path: deep(1) }, { path: deep(2) }, { path: deep(3) }])
  await assert.rejects(unpack(tar), (error) => isWeirError(error, 'E_SOURCE_TOO_LARGE'))
  assert.equal((await unpack(tar, { ...LIMITS, entries: 200 })).files.length, 3)
})

test('too many entries and too many bytes end the unpacking with what was too much', async () => {
  const many = Array.from({ length: 101 }, (_, n) => ({ path: `f${n}` }))
  await assert.rejects(unpack(tarOf(many)), (error) => isWeirError(error, 'E_SOURCE_TOO_LARGE'))
  const large = tarHeader({ path: 'big', type: '0', mode: 0o644, size: 9 * 1024 ** 3, target: '', timeMs: 0 })
  await assert.rejects(unpack(large), (error) => isWeirError(error, 'E_SOURCE_TOO_LARGE'))
})

test('whatever path and link the rules accept stays inside of the folder', () => {
  const part = fc.constantFrom('a', 'b', '..', '.', '', 'a b', '...', 'c')
  const text = fc.array(part, { minLength: 1, maxLength: 5 }).map((it) => it.join('/'))
  fc.assert(
    fc.property(text, text, (path, target) => {
      if (pathProblem(path) !== null) return
      assert.ok(!path.split('/').includes('..') && !path.startsWith('/'))
      if (linkProblem(path, target) !== null) return
      const base = path.split('/').slice(0, -1)
      for (const step of target.split('/')) {
        if (step === '..') assert.notEqual(base.pop(), undefined)
        else if (step !== '' && step !== '.') base.push(step)
      }
    }),
  )
})

test('random bytes never do anything but unpack or be refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), fc.nat(2047), async (noise, at) => {
      const bytes = tarOf([{ path: 'a', body: 'x'.repeat(900) }])
      bytes.set(noise.subarray(0, bytes.length - Math.min(at, bytes.length)), Math.min(at, bytes.length))
      await unpack(bytes).catch((error) => assert.ok(isWeirError(error), String(error)))
    }),
    { numRuns: 60 },
  )
})

test('a tar is read from a file as from a stream', async () => {
  const path = join(await folder(), 'a.tar')
  await writeFile(path, tarOf([{ path: 'a', body: 'x' }]))
  assert.equal((await unpackTar(createReadStream(path), await folder(), LIMITS)).length, 1)
})
