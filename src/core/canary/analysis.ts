/** How a release is judged: the `analysis` part of the manifest with everything filled in; stored with the release. Shares are fractions (0.01 is 1 %). */
export interface Analysis {
  /** Chance that a release without a fault is rolled back, over all tests and looks. */
  readonly falseAlarm: number
  readonly margins: {
    /** Further errors, as a share of requests, that are put up with; also what a pass must exclude more than. */
    readonly errors: number
    /** How much slower, as a share of the stable side's latency. */
    readonly latency: number
  }
  /** Routes that get tests of their own; `auto`: those that have traffic. */
  readonly routes: 'auto' | readonly string[]
  /** Indicators that decide. */
  readonly compare: readonly Indicator[]
  /** Indicators that are shown and decide nothing. */
  readonly dryRun: readonly Indicator[]
  readonly custom: readonly CustomIndicator[]
}

export type Indicator = 'errors' | 'latency' | 'rejected' | 'signatures' | 'throughput' | 'restarts' | 'memory' | 'cpu'

export interface CustomIndicator {
  readonly name: string
  readonly source:
    | { readonly kind: 'promql'; readonly url: string; readonly query: string }
    | { readonly kind: 'http-json'; readonly url: string; readonly path: string }
    | { readonly kind: 'sql'; readonly resource: string; readonly query: string }
  readonly max: number | null
  readonly min: number | null
  /** Shown, decides nothing. */
  readonly dryRun: boolean
}

export const STANDARD_ANALYSIS: Analysis = {
  falseAlarm: 0.01,
  margins: { errors: 0.002, latency: 0.1 },
  routes: 'auto',
  compare: ['errors', 'latency', 'signatures', 'throughput', 'restarts', 'memory', 'cpu'],
  dryRun: ['rejected'],
  custom: [],
}
