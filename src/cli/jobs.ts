import { everyPage } from './frame/pages.ts'
import type { Session } from './frame/session.ts'
import { escapeControl } from './output/escape.ts'
import { showTable } from './output/show-table.ts'

export async function list(session: Session): Promise<undefined> {
  const params = await session.app()
  const client = await session.client()
  const jobs = await everyPage((cursor) => client.call('jobs.list', { params, query: { limit: 200, ...cursor } }))
  await showTable(
    session,
    jobs,
    [
      { title: 'JOB', value: (it) => it.name },
      { title: 'SERVICE', value: (it) => it.service },
      { title: 'SCHEDULE (UTC)', value: (it) => it.schedule },
      { title: 'NEXT', value: (it) => it.nextAt?.slice(0, 16) ?? '-' },
      { title: 'LAST', value: (it) => it.last?.phase ?? '-' },
      { title: 'COMMAND', flexible: true, value: (it) => escapeControl(it.command.join(' ')) },
    ],
    'no jobs',
  )
}

export async function run(session: Session): Promise<undefined> {
  const [job = ''] = session.args
  const client = await session.client()
  const answer = await client.call('jobs.run', { params: { ...(await session.app()), job } })
  await session.print(answer, () => [`${job} runs as ${answer.task}; weir jobs list shows how it ended`])
}
