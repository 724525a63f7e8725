import type { Epoch } from '../core/model/epoch.ts'
import type { Operation } from '../core/plan/operations.ts'
import type { EnvironmentState } from '../core/rollout/state.ts'
import type { Driver } from '../drivers/driver.ts'
import { isWeirError } from '../errors.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { EnvironmentRecord } from './journal.ts'
import { replicaSpec, resourceSpec, taskSpec } from './specs.ts'

export interface ApplyPorts {
  readonly driver: Driver
  readonly gateway: Gateway
  readonly edgeAddress: (environment: string) => string
}

export interface ApplyInput {
  readonly record: EnvironmentRecord
  /** The state that has been saved: it holds the ids and edges that the effects are given. */
  readonly state: EnvironmentState
  readonly releases: EnvironmentRecord['releases']
  /** Origins decided in this pass, not yet in `releases`. */
  readonly origins: Readonly<Record<number, Readonly<Record<string, number>>>>
  readonly operations: readonly Operation[]
  readonly epoch: Epoch
}

/** `error`: null when the effect was accepted. */
export interface Outcome {
  readonly operation: Operation
  readonly error: unknown
}

/**
 * The only switch that acts. It starts things and returns; nothing here waits for a process, a migration or a worker. One effect that
 * fails does not hold up the others, but a stale epoch ends the pass: somebody else acts now.
 */
export async function apply(ports: ApplyPorts, input: ApplyInput): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  for (const operation of input.operations) {
    try {
      await perform(ports, input, operation)
      outcomes.push({ operation, error: null })
    } catch (error) {
      if (isWeirError(error, 'E_STALE_EPOCH')) throw error
      outcomes.push({ operation, error })
    }
  }
  return outcomes
}

async function perform({ driver, gateway, edgeAddress }: ApplyPorts, input: ApplyInput, operation: Operation): Promise<void> {
  const { record, epoch } = input
  const address = edgeAddress(record.id)
  switch (operation.kind) {
    case 'ensure-resource':
      return driver.ensureResource(resourceSpec(input, operation), epoch)
    case 'remove-resource':
      return driver.removeResource(record.id, operation.name, operation.withData, epoch)
    case 'start-task':
      return driver.startTask(taskSpec(input, operation.id, address), epoch)
    case 'forget-task':
      return driver.forgetTask(operation.id, epoch)
    case 'start-replica':
      return driver.startReplica(replicaSpec(input, operation, address), epoch)
    case 'stop-replica':
      return driver.stopReplica(operation.id, epoch)
    case 'publish-table':
      return gateway.publish(operation.table)
    case 'withdraw-table':
      return gateway.withdraw(record.id, operation.version)
  }
}
