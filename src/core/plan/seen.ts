import type { ObservedReplica, ObservedResource, ObservedTask } from '../model/replica.ts'
import type { ObservedTraffic } from '../model/routing.ts'

/** One look at the world. What a driver or gateway could not tell is an error of the pass, never an empty list here. */
export interface Seen {
  readonly replicas: ReadonlyMap<string, ObservedReplica>
  readonly tasks: ReadonlyMap<string, ObservedTask>
  readonly resources: ReadonlyMap<string, ObservedResource>
  readonly traffic: ObservedTraffic
}
