import { test } from 'node:test'
import { countersContract } from './contract/counters-contract.ts'
import { environmentsContract } from './contract/environments-contract.ts'
import { followsContract } from './contract/follows-contract.ts'
import { leaseContract } from './contract/lease-contract.ts'
import { releasesContract } from './contract/releases-contract.ts'
import { retentionContract } from './contract/retention-contract.ts'
import type { Contract, JournalFixture } from './contract/testing.ts'

export { changes, event, graphOf, handClock, type JournalFixture } from './contract/testing.ts'

/**
 * What every Journal does, by subject. `open` gives a fresh store.
 *
 * @example journalContract('simulated', async () => simulatedFixture())
 */
export function journalContract(name: string, open: () => Promise<JournalFixture>): void {
  const contract: Contract = (sentence, run) => void test(`${name}: ${sentence}`, async () => run(await open()))
  leaseContract(contract)
  environmentsContract(contract)
  releasesContract(contract)
  followsContract(contract)
  countersContract(contract)
  retentionContract(contract)
}
