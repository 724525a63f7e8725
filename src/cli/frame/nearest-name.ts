import { nearest } from '../../core/manifest/nearest.ts'
import { WeirError } from '../../errors.ts'
import { failureOf } from '../output/failure.ts'
import type { Session } from './session.ts'

/** "no app shp", "there is no service wbe": the one that was meant is one look away, and becomes the next thing to type. */
export async function withNearest(session: Session, error: unknown): Promise<unknown> {
  const failure = failureOf(error)
  if (failure.code !== 'E_NOT_FOUND') return error
  const { message, cause = '' } = failure.explanation
  const [, kind, name = ''] = /\bno (app|environment|service)\b[^a-z]*"?([a-z][-a-z0-9]*)/.exec(`${message}\n${cause}`) ?? []
  if (kind === undefined) return error
  try {
    const meant = nearest(name, kind === 'service' ? await services(session) : await apps(session))
    if (meant === null || meant === name) return error
    return new WeirError('E_NOT_FOUND', { ...failure.explanation, next: `did you mean ${meant}?` }, { cause: error })
  } catch {
    return error // the first trouble is the one to tell
  }
}

async function apps(session: Session): Promise<readonly string[]> {
  const client = await session.client()
  return (await client.call('apps.list', { query: { limit: 200 } })).items.map((app) => app.name)
}

async function services(session: Session): Promise<readonly string[]> {
  const client = await session.client()
  return (await client.call('environments.show', { params: await session.app() })).services.map((service) => service.name)
}
