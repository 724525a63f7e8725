import type { Marks } from '../journal/left-journal.ts'
import type { Session } from './connection.ts'

/** How a mark of a process's journal is called among the others. */
export function markName(kind: keyof Marks, journal: string): string {
  return `journal ${journal} ${kind}`
}

export async function loadMarks(session: Session): Promise<ReadonlyMap<string, Marks>> {
  const rows = await session.rows<{ name: string; value: string }>("select name, value from telemetry.marks where name like 'journal %'")
  const marks = new Map<string, Marks>()
  for (const { name, value } of rows) {
    const [, journal = '', kind = ''] = name.split(' ')
    marks.set(journal, { counted: 0, drawn: 0, ...marks.get(journal), [kind]: Number(value) })
  }
  return marks
}

export async function forgetMarks(session: Session, except: string): Promise<void> {
  await session.rows("delete from telemetry.marks where name like 'journal %' and name not like $1", [`journal ${except} %`])
}
