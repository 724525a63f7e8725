import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { isWeirError } from '../errors.ts'
import type { Confined, ConfinedJob } from './confined.ts'

export interface ConfinedUnderTest {
  readonly confined: Confined
  /** `paths.builds`. */
  readonly builds: string
  /** A job that lasts longer than the suite. */
  lasting(id: string): ConfinedJob
  close(): Promise<void>
}

/** What holds for whatever runs builds: whoever has been succeeded can disturb nothing any more. */
export function confinedContract(name: string, make: () => Promise<ConfinedUnderTest>): void {
  describe(`builds run by the ${name}`, () => {
    let world: ConfinedUnderTest
    before(async () => {
      world = await make()
    })
    after(() => world.close())
    const phase = async (id: string) => (await world.confined.observe(id))?.phase ?? null
    const stage = (folder: string, files: Readonly<Record<string, string>>) => {
      for (const [file, text] of Object.entries(files)) {
        mkdirSync(join(world.builds, folder, file, '..'), { recursive: true })
        writeFileSync(join(world.builds, folder, file), text)
      }
    }
    const read = (path: string) => readFileSync(join(world.builds, path), 'utf8')

    test("whoever takes over ends the jobs of lower epochs, and leaves the others' alone", async () => {
      const { confined } = world
      await confined.start(world.lasting('first'), 1)
      await confined.start(world.lasting('second'), 2)
      await confined.takeOver(2)
      assert.deepEqual([await phase('first'), await phase('second')], [null, 'running'])
      await confined.takeOver(2)
      assert.equal(await phase('second'), 'running')
    })

    test('a build is put in its place as a whole; what was there is moved aside, and a new package cache takes the place of the old one', async () => {
      const { confined } = world
      mkdirSync(join(world.builds, 'cache/acme'), { recursive: true })
      stage('stage-2-1', { 'app/file': 'one', 'packages/kept': 'old cache' })
      await confined.place({ stage: 'stage-2-1', tenant: 'acme' }, 2)
      stage('stage-2-2', { 'app/file': 'two' })
      await confined.place({ stage: 'stage-2-2', tenant: 'acme' }, 2)
      assert.deepEqual([read('work/app/file'), read('cache/acme/packages/kept')], ['two', 'old cache'])
      stage('stage-2-3', { 'app/file': 'three', 'packages/kept': 'new cache' })
      await confined.place({ stage: 'stage-2-3', tenant: 'acme' }, 2)
      assert.deepEqual([read('work/app/file'), read('cache/acme/packages/kept')], ['three', 'new cache'])
      assert.deepEqual(
        readdirSync(world.builds).filter((it) => it.startsWith('stage-')),
        [],
      )
    })

    test('after a higher epoch every effect of a lower one is refused, and nothing has changed', async () => {
      const { confined } = world
      await confined.confirm(2)
      stage('stage-1-9', { 'app/file': 'late' })
      const effects = [
        () => confined.start(world.lasting('late'), 1),
        () => confined.stop('second', 1),
        () => confined.place({ stage: 'stage-1-9', tenant: 'acme' }, 1),
        () => confined.clear('acme', 1),
        () => confined.takeOver(1),
        () => confined.confirm(1),
      ]
      for (const effect of effects) await assert.rejects(effect, (error) => isWeirError(error, 'E_STALE_EPOCH'))
      assert.deepEqual([await phase('late'), await phase('second'), read('work/app/file')], [null, 'running', 'three'])
      assert.ok(existsSync(join(world.builds, 'stage-1-9')))
    })

    test('a job is stopped by those who lead', async () => {
      await world.confined.stop('second', 2)
      assert.equal(await phase('second'), null)
    })
  })
}
