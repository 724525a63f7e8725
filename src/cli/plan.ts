import type { PlanView } from '../../packages/client/src/types.ts'
import { deploySource } from './frame/deploy-source.ts'
import type { Session } from './frame/session.ts'
import { diffLines, planLines } from './output/plan-lines.ts'

const CHANGES = 2

/** What a deploy would do, in which order and why; changes nothing. */
export async function plan(session: Session): Promise<number> {
  return preview(session, (view) => planLines(view, session.terminal.colours))
}

/** Only what a deploy would change. */
export async function diff(session: Session): Promise<number> {
  return preview(session, (view) => diffLines(view, session.terminal.colours))
}

async function preview(session: Session, lines: (view: PlanView) => readonly string[]): Promise<number> {
  const source = await deploySource(session)
  const client = await session.client()
  const view = await client.call('plan.create', { params: source.context, body: await source.request(client) })
  await session.print(view, () => lines(view))
  return session.flag('detailedExitCode') && changesAnything(view) ? CHANGES : 0
}

function changesAnything(view: PlanView): boolean {
  return view.changes.length > 0 || view.resources.some((it) => it.action !== 'keep') || view.routes.added.length > 0 || view.routes.removed.length > 0
}
