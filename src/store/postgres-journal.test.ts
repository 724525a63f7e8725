import { after, before } from 'node:test'
import { Hints } from './hints.ts'
import { PostgresJournal } from './journal.ts'
import { type JournalFixture, journalContract } from './journal-contract.ts'
import { startTestPostgres, type TestPostgres, writerFor } from './testing.ts'

let postgres: TestPostgres
const hints: Hints[] = []
before(async () => {
  postgres = await startTestPostgres()
})
after(async () => {
  for (const opened of hints) opened.close()
  await postgres.stop()
})

journalContract('postgres', async (): Promise<JournalFixture> => {
  const { address, database } = await postgres.freshStore()
  const write = writerFor(database)
  const listening = new Hints(address)
  hints.push(listening)
  for (const tenant of ['acme', 'globex']) await write((writer) => writer.createTenant(tenant))
  return {
    journal: (clock) => new PostgresJournal(database, listening, clock),
    ensureEnvironment: async (ref) => (await write((writer) => writer.ensureEnvironment(ref))).id,
    createRelease: (ref, source, whenBusy) => write((writer) => writer.createRelease(ref, { source, manifest: null, whenBusy })),
    addCommand: (ref, command) => write((writer) => writer.addCommand(ref, command)),
    follow: async (ref, branch) => {
      await write((writer) => writer.follow(ref, branch))
    },
    outcome: async (ref, id) => {
      const [row] = await database.rows<{ outcome: string; code: string | null; rollout: string | null }>(
        `select case when consumed_at is null then 'pending' when refused is not null then 'refused' else 'consumed' end as outcome, refused ->> 'code' as code, c.rollout
         from commands c join environments e on e.id = c.environment where e.tenant = $1 and c.id = $2`,
        [ref.tenant, id],
      )
      return row ?? null
    },
    events: async (tenant) =>
      (await database.rows<{ kind: string }>('select kind from events where tenant = $1 order by seq', [tenant])).map((row) => row.kind),
    requests: async (ref) => {
      const [row] = await database.rows<{ requests: string }>(
        'select coalesce(sum(requests), 0) as requests from counters c join environments e on e.id = c.environment where e.tenant = $1 and e.app = $2 and e.name = $3',
        [ref.tenant, ref.app, ref.environment],
      )
      return Number(row?.requests)
    },
  }
})
