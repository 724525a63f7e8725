/** A reporter for node:test that writes one line of JSON for each test that ended, for scripts/test.ts. */
import type { TestEvent } from 'node:test/reporters'

export interface EndedTest {
  readonly name: string
  readonly outcome: 'passed' | 'failed' | 'skipped'
  readonly at: string
  readonly error: string | null
}

export default async function* endedTests(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    if (data.details.type === 'suite' && type === 'test:pass') continue
    const failure: (Error & { failureType?: string }) | null = type === 'test:fail' ? data.details.error : null
    if (failure?.failureType === 'subtestsFailed') continue // the subtest was reported itself
    const skipped = data.skip !== undefined || data.todo !== undefined
    const ended: EndedTest = {
      name: data.name,
      outcome: skipped ? 'skipped' : failure ? 'failed' : 'passed',
      at: `${data.file ?? ''}:${data.line ?? 0}`,
      error: failure ? explain(failure.cause ?? failure) : null,
    }
    yield `${JSON.stringify(ended)}\n`
  }
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = (error.stack ?? error.message)
    .split('\n')
    .filter((line) => !line.includes('(node:') && !line.includes('at node:'))
    .join('\n')
  return error.cause === undefined ? own : `${own}\ncaused by ${explain(error.cause)}`
}
