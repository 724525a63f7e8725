/** D1: from a folder or a repository to the first good answer, on a Weir that has never run here, and on one that has. */
import { globSync } from 'node:fs'
import { join } from 'node:path'
import type { Installation } from '../e2e/installation.ts'
import { repository } from '../e2e/repository.ts'
import { changeSource, deployed, withInstallation } from './deployed.ts'
import type { Figure, Goal } from './goal.ts'
import { atMost, median, spread, timed } from './measured.ts'

const EXAMPLES = ['hello', 'playlist'] as const
const ORIGINS = ['folder', 'git'] as const
type Origin = (typeof ORIGINS)[number]

export const goals: readonly Goal[] = [
  {
    id: 'D1',
    title: 'folder or repository → URL answering, cold and warm',
    run: ({ full }) => measure(full ? { cold: 3, warm: 10 } : { cold: 1, warm: 3 }),
  },
]

async function measure(rounds: { readonly cold: number; readonly warm: number }): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const example of EXAMPLES) {
    for (const origin of ORIGINS) {
      const cold: number[] = []
      let warm: number[] = []
      for (let round = 0; round < rounds.cold; round++) {
        await withInstallation(async (weir) => {
          cold.push(await coldStart(weir, example, origin))
          if (round === 0) warm = await warmStarts(weir, example, origin, rounds.warm)
        })
      }
      figures.push(
        atMost(60, 's', median(cold), `${example} from ${origin}, cold, with the start of Weir: ${spread(cold, 's')}`),
        atMost(15, 's', median(warm), `${example} from ${origin}, warm, as another app with other code: ${spread(warm, 's')}`),
      )
    }
  }
  return figures
}

/** State folder and package caches are empty: `weir up` makes everything first. */
async function coldStart(weir: Installation, example: string, origin: Origin): Promise<number> {
  const source = await sourceOf(weir, example, 'cold', origin)
  return timed(async () => {
    if (origin === 'folder') await deployed(weir, ['up'], source)
    else {
      await weir.json(['up', '--no-deploy'])
      await deployed(weir, ['deploy', source, '--branch', 'main'], weir.home)
    }
  })
}

/** An app that was never here, of code that was never built here; Weir runs, and packages are in its caches. */
async function warmStarts(weir: Installation, example: string, origin: Origin, rounds: number): Promise<number[]> {
  const seconds: number[] = []
  for (let round = 0; round < rounds; round++) {
    const name = `${example}-warm${round}`
    const source = await sourceOf(weir, example, name, origin)
    const args = origin === 'folder' ? ['deploy', '.', '-a', name] : ['deploy', source, '--branch', 'main', '-a', name]
    seconds.push(await timed(() => deployed(weir, args, origin === 'folder' ? source : weir.home)))
    await weir.json(['remove', '-a', name, '--yes', '--with-data'])
  }
  return seconds
}

/** A copy with code of its own: the folder, or the repository that it was committed to. */
async function sourceOf(weir: Installation, example: string, name: string, origin: Origin): Promise<string> {
  const folder = weir.example(example, name)
  for (const file of globSync('{,*/}{server,worker}.js', { cwd: folder })) changeSource(folder, file, name)
  if (origin === 'folder') return folder
  await (await repository(folder)).commit(`${example} for ${name}`)
  return `file://${join(folder)}`
}
