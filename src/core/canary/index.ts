/**
 * Releases that judge themselves: counts of two sides in, a verdict out; a library without dependencies, without clock and without I/O.
 *
 * `createJudge` says whether a canary fails, passes or needs more evidence; `docs/concepts/judging.md` explains the statistics.
 */
export { type Analysis, type CustomIndicator, type Indicator, STANDARD_ANALYSIS } from './analysis.ts'
export {
  type ClientRow,
  type EvidenceBlock,
  type EvidenceRow,
  QUANTILES,
  type ReplicaRow,
  type Side,
  type SideEvidence,
  type Thresholds,
} from './evidence.ts'
export { createJudge, type Judge, NOTHING_BESIDE } from './judge.ts'
export type { JudgeOptions } from './ledger.ts'
export type { TestResult, Verdict } from './verdict.ts'
