import { WeirError } from '../errors.ts'
import type { Sealer } from '../secrets/sealer.ts'
import { IDEMPOTENCY_MS } from './collect.ts'
import type { Query } from './database.ts'
import type { Answer, WriteRequest } from './writes.ts'

/**
 * Claims the request's key, or returns the answer that was stored with it. A second request with the same key waits here, at the
 * unique index, until the first has committed (then it gets that answer) or rolled back (then it runs itself).
 */
export async function claimKey(query: Query, sealer: Sealer, request: WriteRequest): Promise<Answer | null> {
  if (!request.idempotency) return null
  const { key, fingerprint } = request.idempotency
  const claimed = await query.rows(
    `insert into idempotency as i (scope, key, fingerprint) values ($1, $2, $3)
     on conflict (scope, key) do update set fingerprint = excluded.fingerprint, status = null, body = null, created_at = now()
       where i.created_at < now() - $4 * interval '1 ms' returning 1`,
    [request.scope, key, fingerprint, IDEMPOTENCY_MS],
  )
  if (claimed.length === 1) return null
  const [stored] = await query.rows<{ fingerprint: string; status: number; body: Buffer }>(
    'select fingerprint, status, body from idempotency where scope = $1 and key = $2',
    [request.scope, key],
  )
  if (!stored || stored.fingerprint !== fingerprint) {
    throw new WeirError('E_IDEMPOTENCY', {
      message: 'this idempotency key was used with another request',
      state: 'nothing was changed',
      next: 'use a new key for a new request',
    })
  }
  return { status: stored.status, body: JSON.parse(sealer.open(stored.body, contextOf(request.scope, key)).toString('utf8')) }
}

/** Sealed, because an answer may show a token. */
export async function keepAnswer(query: Query, sealer: Sealer, request: WriteRequest, answer: Answer): Promise<void> {
  if (!request.idempotency) return
  const { key } = request.idempotency
  const body = sealer.seal(Buffer.from(JSON.stringify(answer.body ?? null), 'utf8'), contextOf(request.scope, key))
  await query.rows('update idempotency set status = $3, body = $4 where scope = $1 and key = $2', [request.scope, key, answer.status, body])
}

function contextOf(scope: string, key: string): readonly string[] {
  return ['answer', scope, key]
}
