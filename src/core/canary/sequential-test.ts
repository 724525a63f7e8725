import type { Indicator } from './analysis.ts'

/** One question that is asked again with every batch. */
export interface SequentialTest {
  readonly name: string
  readonly indicator: Indicator
  readonly service: string | null
  readonly route: string | null
  /** Of log evidence: from here on the test fails. */
  readonly threshold: number
  readonly dryRun: boolean
  logE(): number
  /** Of the evidence, what is not long ago: a pass waits for it to fade. Absent: all of it. */
  lately?(): number
  /** Whether what was seen is worse by as much as matters. */
  isBeyondMargin(): boolean
  counts(): TestCounts
}

export interface TestCounts {
  readonly canary: number
  readonly total: number
  readonly expected: number
  /** What is counted: `errors`. */
  readonly of: string
}
