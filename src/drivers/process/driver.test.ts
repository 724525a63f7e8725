import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { driverContract } from '../contract.ts'
import { replicaSpec, TestRunner, taskSpec, until } from './testing.ts'

const WEB = `console.log('run'); require('node:http').createServer((_, answer) => answer.end('ok')).listen(process.env.PORT, process.env.HOST)`
const REPLICAS = { serves: WEB, 'never-ready': `setInterval(() => {}, 1000)`, exits: `console.error('Error: no luck'); process.exitCode = 7` }
const TASKS = { succeeds: `console.log('run')`, fails: `process.exitCode = 7`, lasts: `setInterval(() => {}, 1000)` }

driverContract('process', async () => {
  const runner = await TestRunner.start()
  const slugs = new Map(Object.entries({ ...REPLICAS, ...TASKS }).map(([name, code]) => [name, runner.slug({ 'app.js': code })]))
  return {
    driver: runner.driver,
    replica: (id, environment, behaviour) =>
      replicaSpec(id, slugs.get(behaviour) ?? '', {
        environment,
        healthcheck: {
          kind: 'http',
          path: '/',
          port: 'http',
          intervalMs: 50,
          timeoutMs: 1000,
          retries: 2,
          startPeriodMs: behaviour === 'never-ready' ? 300 : 5_000,
        },
      }),
    task: (id, environment, behaviour) => taskSpec(id, slugs.get(behaviour) ?? '', { environment, argv: ['node', 'app.js'] }),
    runs: (id) => readFileSync(join(runner.paths.logs, id.split('-')[0] ?? '', `${id}.jsonl`), 'utf8').split('"run"').length - 1,
    until,
    close: () => runner.close(),
  }
})
