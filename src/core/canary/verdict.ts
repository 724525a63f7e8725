/**
 * | verdict      | means                                                        |
 * |--------------|--------------------------------------------------------------|
 * | fail         | the canary is worse; the chance that it is not is bounded    |
 * | pass         | worse by the margin is excluded: proof, not absence of alarm |
 * | inconclusive | neither yet: what is missing, and how long it would take     |
 */
export interface Verdict {
  readonly kind: 'pass' | 'fail' | 'inconclusive'
  /** One sentence: "canary 41 of 52 errors, expected 5.2; by chance 1 in 10⁹; POST /pay worst". */
  readonly text: string
  /** What the verdict stands on, strongest first; every test that was made, those too that say nothing. */
  readonly tests: readonly TestResult[]
  /** Routes too rare for a proof of their own. */
  readonly unproven: readonly string[]
  /** Of an inconclusive one: seconds until a pass could be proven at the present rate; null: not known, or never. */
  readonly needsS: number | null
  /** Measured share of the canary in what is randomised, newest stage; null: nothing counted. */
  readonly share: number | null
  readonly counted: { readonly canary: number; readonly stable: number; readonly unit: 'requests' | 'clients' }
}

export interface TestResult {
  /** `errors`, `latency`, `errors web GET /pay`, … */
  readonly name: string
  readonly indicator: string
  readonly service: string | null
  readonly route: string | null
  /** What was counted on the canary side, and over both. */
  readonly canary: number
  readonly total: number
  /** Of `total`, if both sides were alike. */
  readonly expected: number
  /** Natural logarithm of the evidence against "not worse"; null: a rule without chance (a crash loop). */
  readonly logE: number | null
  /** The test fails from here on. */
  readonly threshold: number
  readonly state: 'fails' | 'passes' | 'open'
  readonly dryRun: boolean
  readonly text: string
}
