import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CrashPoint } from './runner/crash-point.ts'
import { TestRunner, taskSpec, until } from './testing.ts'

let runner: TestRunner
before(async () => {
  runner = await TestRunner.start()
})
after(() => runner.close())

const TASK_POINTS: [CrashPoint, 'succeeded' | 'unknown'][] = [
  ['task-recorded', 'succeeded'],
  ['task-starting', 'unknown'],
  ['task-spawned', 'unknown'],
  ['task-running', 'unknown'],
  ['task-ended', 'succeeded'],
]
for (const [point, phase] of TASK_POINTS) {
  test(`killed at ${point}: the task has run at most once, and is ${phase}`, async () => {
    const id = `s4-${point}`
    await runner.kill9()
    await runner.up(point)
    const spec = taskSpec(id, runner.slug({ 'task.js': `console.log('ran'); setTimeout(() => {}, 300)` }))
    await runner.driver.startTask(spec, 30).catch(() => {})
    await runner.ended()
    await runner.up()
    await runner.driver.startTask(spec, 30)
    await until(async () => (await runner.task(id))?.phase !== 'running', 'it has ended')
    assert.equal((await runner.task(id))?.phase, phase)
    assert.ok(((await runner.task(id))?.lastLines.filter((it) => it === 'ran').length ?? 0) <= 1)
  })
}

test('a task that ends while no runner runs is unknown, and is not run again', async () => {
  const spec = taskSpec('s5-migrate', runner.slug({ 'task.js': `console.log('ran'); setTimeout(() => {}, 300)` }))
  await runner.driver.startTask(spec, 40)
  await until(async () => (await runner.task('s5-migrate'))?.lastLines.length === 1, 'it runs')
  await runner.kill9()
  await sleep(400)
  await runner.up()
  await runner.driver.startTask(spec, 40)
  assert.equal((await runner.task('s5-migrate'))?.phase, 'unknown')
  await sleep(100)
  assert.deepEqual((await runner.task('s5-migrate'))?.lastLines, ['ran'])
})
