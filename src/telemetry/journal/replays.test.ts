import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Journal } from './journal.ts'
import { Recovery } from './recovery.ts'
import { setAsideIn } from './replays.ts'

const root = mkdtempSync(join(tmpdir(), 'weir-replays-'))
after(() => rmSync(root, { recursive: true, force: true }))

function started(folder: string, own: string, accept: (request: string) => void) {
  const said: string[] = []
  const log = (line: string) => said.push(line)
  const now = () => 1_000_000
  const journal = new Journal({ folder, name: own, now, log })
  const recovery = new Recovery({ journal, folder, now, accept: (_, request) => accept(`${request}`), know: () => {}, log })
  return { said, run: () => recovery.run(new Map()).finally(() => journal.close()) }
}

function left(name: string, request: string): string {
  const folder = join(root, name)
  const journal = new Journal({ folder, name: 'aa', now: () => 1, log: () => {} })
  journal.request(12, Buffer.from(request))
  journal.close()
  return folder
}

test('a journal of which two processes died is set aside, which is said, and the next one is taken in', async () => {
  const folder = left('poison', 'poison')
  const die = () => {
    throw new Error('dies of it')
  }
  for (const own of ['b1', 'b2']) {
    await assert.rejects(started(folder, own, die).run())
    assert.deepEqual(setAsideIn(folder), [])
    for (const file of readdirSync(folder)) if (file.startsWith(own)) rmSync(join(folder, file))
  }
  const third = started(folder, 'b3', die)
  await third.run()
  assert.deepEqual(setAsideIn(folder), ['aa-1.journal.set-aside'])
  assert.match(third.said.join(), /died taking in aa-1\.journal; it is set aside/)
  const taken: string[] = []
  left('poison', 'good')
  await started(folder, 'b4', (request) => taken.push(request)).run()
  assert.deepEqual([taken, existsSync(join(folder, 'replays.json'))], [['good'], false], 'who came to the end is not counted as dead')
})

test('a journal that cannot be read is set aside as well', async () => {
  const folder = join(root, 'unreadable')
  mkdirSync(join(folder, 'aa-1.journal'), { recursive: true })
  for (const own of ['b1', 'b2']) await assert.rejects(started(folder, own, () => {}).run(), /EISDIR/)
  await started(folder, 'b3', () => {}).run()
  assert.deepEqual(setAsideIn(folder), ['aa-1.journal.set-aside'])
})

test('of what was set aside the newest stays, and no disk fills up with it', async () => {
  const folder = left('many', 'request')
  for (let n = 0; n < 5; n++) writeFileSync(join(folder, `${n}.journal.set-aside`), '')
  await started(folder, 'b1', () => {}).run()
  assert.equal(setAsideIn(folder).length, 2)
})
