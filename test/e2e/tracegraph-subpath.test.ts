import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '../..')

test('the example of weir/tracegraph runs as it is written down', () => {
  const page = readFileSync(join(ROOT, 'docs/concepts/understanding.md'), 'utf8')
  const [, code = ''] = /```js\n([\s\S]*?)```/.exec(page) ?? []
  const told = execFileSync(process.execPath, ['--input-type=module', '--eval', code], { cwd: ROOT, encoding: 'utf8' })
  assert.deepEqual(told.trim().split('\n'), [
    'server GET /cart: 30 ms on the path, 100 ms to gain, web answers for it',
    'client GET /price: 30 ms on the path, 20 ms to gain, pricing answers for it',
    'server GET /price: 40 ms on the path, 20 ms to gain, pricing answers for it',
    'client GET /stock: 0 ms on the path, 0 ms to gain, web answers for it',
  ])
})
