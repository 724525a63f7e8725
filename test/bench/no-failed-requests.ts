/** D5: clients of every kind while one release takes over from the other, again and again. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Installation } from '../e2e/installation.ts'
import { changeSource, deployed, withInstallation } from './deployed.ts'
import type { Figure, Goal } from './goal.ts'
import type { Tally } from './load/mixed.ts'
import { LoadProcess } from './load/process.ts'
import { spread, timed } from './measured.ts'

export const goals: readonly Goal[] = [
  {
    id: 'D5',
    title: 'failed requests over consecutive deploys under load',
    run: ({ full }) => measure(full ? { requests: 1_000_000, deploys: 1_000 } : { requests: 100_000, deploys: 20 }),
  },
]

/** Two replicas with room for the load: what is measured is the change of releases, not an overload. */
const MANIFEST = `version: 1
app: hello
services:
  hello:
    build: .
    command: ["node", "server.js"]
    ports: { http: 8080 }
    healthcheck: { http: /healthz }
    resources: { cpu: 1, memory: 128MiB }
    scale: { min: 2, max: 4 }
`

async function measure(least: { readonly requests: number; readonly deploys: number }): Promise<Figure[]> {
  return withInstallation(async (weir) => {
    const folder = weir.example('hello')
    writeFileSync(join(folder, 'weir.yaml'), MANIFEST)
    const { url } = await deployed(weir, ['up'], folder)
    const load = new LoadProcess<Tally>('mixed.ts', url)
    try {
      const seconds = await deployUnderLoad(weir, folder, load, least)
      const { total, failed, failures, kinds, drained, releases } = await load.ask('stop')
      const each = Object.entries(kinds).map(([kind, count]) => `${count} ${kind}`)
      const detail = `of ${total} (${each.join(', ')}) over ${seconds.length} deploys; ${releases.length} releases answered, ${drained} long connections were drained; deploys ${spread(seconds, 's')}`
      if (releases.length < seconds.length) throw new Error(`only ${releases.length} releases answered: ${detail}`)
      return [
        {
          value: failed,
          unit: '',
          target: `0 of ≥${least.requests}`,
          pass: failed === 0 && total >= least.requests,
          detail: [detail, ...failures.slice(0, 5)].join(' | '),
        },
      ]
    } finally {
      await load.end()
    }
  })
}

/** Deploys until there were enough of both. */
async function deployUnderLoad(
  weir: Installation,
  folder: string,
  load: LoadProcess<Tally>,
  least: { readonly requests: number; readonly deploys: number },
): Promise<number[]> {
  const seconds: number[] = []
  while (seconds.length < least.deploys || (await load.ask()).total < least.requests) {
    changeSource(folder, 'server.js', `deploy ${seconds.length}`)
    seconds.push(await timed(() => weir.json(['deploy'], { cwd: folder })))
  }
  return seconds
}
