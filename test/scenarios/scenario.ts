/** A file of this folder: traffic, what is wrong with a release, and what is decided by when. The same files run in made-up traffic and on real processes. */
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse } from 'yaml'
import * as z from 'zod'

/** All have ten routes, whose traffic falls off as 1/rank. */
export const ROUTES = 10

export type Unit = 'request' | 'client'

export interface Scenario {
  /** The file's, without its ending. */
  readonly name: string
  readonly title: string
  readonly load: {
    /** Requests a second, over both sides. */
    readonly rate: number
    readonly clients: number
    /** Share of requests that fail on both sides. */
    readonly errors: number
  }
  readonly canary: { readonly weight: number; readonly split: readonly Unit[] }
  readonly fault: ScenarioFault | null
  readonly expect: {
    readonly decision: 'fail' | 'pass'
    /** From the canary's first request, of several runs: the middle one, and 95 of 100. */
    readonly medianS: number
    readonly withinS: number
    /** Users that met a bad answer of the new release before it was taken back, 95 of 100 runs; null: not limited. */
    readonly badAnswers: number | null
  }
}

/** Of the new release alone. */
export type ScenarioFault =
  | { readonly kind: 'errors'; readonly share: number; readonly route: number | null }
  | { readonly kind: 'slower'; readonly factor: number }
  | { readonly kind: 'crash'; readonly afterRequests: number }
  | { readonly kind: 'new-exception' }
  | { readonly kind: 'out-of-memory'; readonly afterMs: number }
  | { readonly kind: 'dependency'; readonly takesMs: number }

const share = z
  .string('a share such as 5%')
  .regex(/^\d+(\.\d+)?%$/, 'a share such as 5%')
  .transform((text) => Number(text.slice(0, -1)) / 100)
  .refine((value) => value <= 1, 'at most 100%')
const milliseconds = z
  .string('a time such as 15s or 60ms')
  .regex(/^\d+(ms|s)$/, 'a time such as 15s or 60ms')
  .transform((text) => (text.endsWith('ms') ? Number(text.slice(0, -2)) : Number(text.slice(0, -1)) * 1000))
const seconds = milliseconds.transform((ms) => ms / 1000)

const fault = z.union(
  [
    z.literal('none').transform(() => null),
    z
      .strictObject({
        errors: share,
        route: z
          .int()
          .min(0)
          .max(ROUTES - 1)
          .optional(),
      })
      .transform(({ errors, route }): ScenarioFault => ({ kind: 'errors', share: errors, route: route ?? null })),
    z.strictObject({ slower: z.number().gt(1) }).transform(({ slower }): ScenarioFault => ({ kind: 'slower', factor: slower })),
    z.strictObject({ crash_after: z.int().min(1) }).transform((it): ScenarioFault => ({ kind: 'crash', afterRequests: it.crash_after })),
    z.strictObject({ new_exception: z.literal(true) }).transform((): ScenarioFault => ({ kind: 'new-exception' })),
    z.strictObject({ out_of_memory_after: milliseconds }).transform((it): ScenarioFault => ({ kind: 'out-of-memory', afterMs: it.out_of_memory_after })),
    z.strictObject({ dependency_takes: milliseconds }).transform((it): ScenarioFault => ({ kind: 'dependency', takesMs: it.dependency_takes })),
  ],
  {
    error:
      'one of: none, {errors: 5%}, {errors: 100%, route: 3}, {slower: 1.5}, {crash_after: 20}, {new_exception: true}, {out_of_memory_after: 15s}, {dependency_takes: 60ms}',
  },
)

const file = z.strictObject({
  title: z.string().min(1),
  load: z.strictObject({ rate: z.number().positive(), clients: z.int().positive(), errors: share.default(0.001) }),
  canary: z.strictObject({
    weight: share.refine((value) => value > 0 && value < 1, 'between 0% and 100%'),
    split: z.array(z.enum(['request', 'client'])).min(1),
  }),
  fault,
  expect: z.strictObject({
    decision: z.enum(['fail', 'pass']),
    median: seconds,
    within: seconds,
    bad_answers: z.int().nonnegative().optional(),
  }),
})

/**
 * Reads the text of a file; one that is not as it should be is refused with every place that is wrong.
 *
 * @example readScenario('crash', 'title: …').expect.withinS // 10
 */
export function readScenario(name: string, text: string): Scenario {
  const result = file.safeParse(parse(text))
  if (!result.success) {
    const problems = result.error.issues.map(({ path, message }) => `  ${path.length === 0 ? 'the file' : path.join('.')}: ${message}`)
    throw new Error([`test/scenarios/${name}.yaml:`, ...problems].join('\n'))
  }
  const { title, load, canary, fault: its, expect } = result.data
  const { decision, median, within, bad_answers: badAnswers = null } = expect
  return { name, title, load, canary, fault: its, expect: { decision, medianS: median, withinS: within, badAnswers } }
}

/** All files of this folder, by name. */
export function scenarios(): Scenario[] {
  const files = globSync('*.yaml', { cwd: import.meta.dirname }).sort()
  return files.map((path) => readScenario(basename(path, '.yaml'), readFileSync(join(import.meta.dirname, path), 'utf8')))
}
