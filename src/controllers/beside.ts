import type { CustomIndicator } from '../core/canary/analysis.ts'
import type { Side, SideEvidence } from '../core/canary/evidence.ts'

/**
 * What is known of a rollout beside its requests: errors by signature and what replicas take of the machine, both out of telemetry, and the
 * team's own indicators. What cannot be asked, or is not known, is absent from the answer: that is neither bad nor good.
 */
export interface Beside {
  /** Asked about once a second while a rollout is judged; may take its time, nothing waits for it. */
  sideEvidence(request: BesideRequest): Promise<BesideEvidence>
}

export type BesideEvidence = Pick<SideEvidence, 'signatures' | 'usage' | 'custom'>

export interface BesideRequest {
  /** Id of the environment. */
  readonly id: string
  readonly tenant: string
  readonly app: string
  readonly environment: string
  /** Of the app's account. */
  readonly appNumber: number
  readonly rollout: string
  /** How long ago requests first went to it. */
  readonly sinceMs: number
  /** What is split, and so what errors are counted in. */
  readonly unit: 'request' | 'client'
  /** Of the services that the rollout changes: the release that started the replicas of each side; `stable: null` was not there before. */
  readonly services: readonly { readonly service: string; readonly stable: number | null; readonly canary: number }[]
  readonly replicas: readonly { readonly id: string; readonly service: string; readonly side: Side }[]
  readonly custom: readonly CustomIndicator[]
}

export const NOTHING_BESIDE: BesideEvidence = { signatures: [], usage: [], custom: [] }
