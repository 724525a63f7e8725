/** One row of docs/goals.md. A file of this folder that exports `goals: readonly Goal[]` is measured by `npm run goals`. */
export interface Goal {
  /** Letter of the area and number: `D5`. */
  readonly id: string
  readonly title: string
  run(options: GoalOptions): Promise<readonly Figure[]>
}

export interface GoalOptions {
  /** The long form: as many runs as docs/goals.md names. */
  readonly full: boolean
  /** All chance comes from it, so that a run can be had again. */
  readonly seed: number
}

export interface Figure {
  readonly value: number
  /** As it is printed, with its comparison: `≤3s`. */
  readonly target: string
  readonly unit: string
  readonly pass: boolean
  /** What was measured and how often, on one line; may be empty. */
  readonly detail: string
}
