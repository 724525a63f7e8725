import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '../..')

test('the example of weir/tracegraph runs as it is written down', () => {
  const told = execFileSync(process.execPath, ['examples/tracegraph/critical-path.js'], { cwd: ROOT, encoding: 'utf8' })
  assert.deepEqual(told.trim().split('\n'), [
    'server web GET /cart: 30 ms on the critical path, web answers for it; at most 100 ms to gain',
    'client web GET /price: 30 ms on the critical path, pricing answers for it; at most 20 ms to gain',
    'server pricing GET /price: 40 ms on the critical path, pricing answers for it; at most 20 ms to gain',
    'client web GET /stock: 0 ms on the critical path, web answers for it; at most 0 ms to gain',
  ])
})
