/** What really happened in a simulated world, for the checks of invariants afterwards. */
export interface HistoryEntry {
  /** On the world's monotonic clock. */
  readonly at: number
  readonly event:
    | 'replica-started'
    | 'replica-ready'
    | 'replica-exited'
    | 'replica-stopping'
    | 'replica-gone'
    | 'task-started'
    | 'task-ended'
    | 'task-forgotten'
    | 'resource-ready'
    | 'resource-removed'
    | 'refused'
  readonly environment: string
  readonly id: string
  /** Of the effect that led to it; 0: none did. */
  readonly epoch: number
}
