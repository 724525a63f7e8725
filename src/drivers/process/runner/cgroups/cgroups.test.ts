import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { CgroupsV1, v1Folders } from './v1.ts'
import { CgroupsV2 } from './v2.ts'

const tree = mkdtempSync(join(tmpdir(), 'weir-cgroups-'))
after(() => rmSync(tree, { recursive: true }))

/** The kernel makes these files with a group; a temporary folder does not. */
function fakeV2Group(path: string): void {
  mkdirSync(path, { recursive: true })
  for (const file of ['cgroup.procs', 'cgroup.subtree_control', 'cgroup.kill', 'memory.max', 'memory.swap.max', 'memory.events', 'pids.max', 'cpu.max'])
    writeFileSync(join(path, file), '')
}
function read(...path: string[]): string {
  return readFileSync(join(tree, ...path), 'utf8')
}

test('version 2: controllers are handed on, limits are written as the kernel reads them', () => {
  for (const path of ['v2', 'v2/system.slice/runner', 'v2/weir-1', 'v2/weir-1/web']) fakeV2Group(join(tree, path))
  const groups = new CgroupsV2({ mount: join(tree, 'v2'), own: '/system.slice/runner', parent: 'weir-1' })
  assert.equal(read('v2/cgroup.subtree_control'), '+cpu +memory +pids')
  assert.equal(read('v2/weir-1/cgroup.subtree_control'), '+cpu +memory +pids')
  groups.create('web', { cpu: 0.5, memoryBytes: 1000, pids: 7 })
  assert.equal(read('v2/weir-1/web/memory.max'), '1000')
  assert.equal(read('v2/weir-1/web/memory.swap.max'), '0')
  assert.equal(read('v2/weir-1/web/pids.max'), '7')
  assert.equal(read('v2/weir-1/web/cpu.max'), '50000 100000')
})

test('version 2: entering moves the runner in, leaving moves it back to where it was', () => {
  const groups = new CgroupsV2({ mount: join(tree, 'v2'), own: '/system.slice/runner', parent: 'weir-1' })
  const leave = groups.enter('web')
  assert.equal(read('v2/weir-1/web/cgroup.procs'), '0')
  assert.equal(read('v2/system.slice/runner/cgroup.procs'), '')
  leave()
  assert.equal(read('v2/system.slice/runner/cgroup.procs'), '0')
})

test('version 2: killing asks the kernel to, until nobody is left', async () => {
  const groups = new CgroupsV2({ mount: join(tree, 'v2'), own: '/system.slice/runner', parent: 'weir-1' })
  writeFileSync(join(tree, 'v2/weir-1/web/cgroup.procs'), '4194303\n4194302\n')
  assert.deepEqual(groups.pids('web'), [4194303, 4194302])
  const killed = groups.kill('web')
  assert.equal(read('v2/weir-1/web/cgroup.kill'), '1')
  writeFileSync(join(tree, 'v2/weir-1/web/cgroup.procs'), '')
  await killed
})

test('version 2: kills for want of memory are counted from memory.events', () => {
  const groups = new CgroupsV2({ mount: join(tree, 'v2'), own: '/system.slice/runner', parent: 'weir-1' })
  writeFileSync(join(tree, 'v2/weir-1/web/memory.events'), 'low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\n')
  assert.equal(groups.oomKills('web'), 2)
  assert.equal(groups.oomKills('nobody'), 0)
  assert.deepEqual(groups.names(), ['web'])
})

test('version 1: the folder of each controller comes from where we are and what is mounted', () => {
  const mounts: string[] = []
  for (const controllers of ['memory', 'pids', 'cpu,cpuacct', 'freezer']) {
    const folder = join(tree, 'v1', controllers, 'a/b')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'tasks'), '')
    mounts.push(`30 23 0:26 / ${join(tree, 'v1', controllers)} rw - cgroup cgroup rw,${controllers}`)
  }
  const own = '8:pids:/a/b\n4:memory:/a/b\n3:cpu,cpuacct:/a/b\n2:freezer:/a/b\n0::/'
  assert.equal(v1Folders(own, mounts.join('\n'))?.cpu, join(tree, 'v1/cpu,cpuacct/a/b'))
  assert.equal(v1Folders(own, mounts.slice(1).join('\n')), null)
})

test('version 1: less than the least share of the processor is the least share', () => {
  const own = { memory: join(tree, 'm'), pids: join(tree, 'p'), cpu: join(tree, 'c'), freezer: join(tree, 'f') }
  for (const path of Object.values(own)) {
    mkdirSync(join(path, 'weir-1/web'), { recursive: true })
    for (const file of ['memory.limit_in_bytes', 'pids.max', 'cpu.cfs_period_us', 'cpu.cfs_quota_us']) writeFileSync(join(path, 'weir-1/web', file), '')
  }
  new CgroupsV1({ own, base: own, parent: 'weir-1' }).create('web', { cpu: 0.001, memoryBytes: 4096, pids: 3 })
  assert.equal(read('c/weir-1/web/cpu.cfs_quota_us'), '1000')
  assert.equal(read('m/weir-1/web/memory.limit_in_bytes'), '4096')
})
