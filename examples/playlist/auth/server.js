import { createHash, randomBytes } from 'node:crypto'
import { rows } from './database.js'
import { Refusal, serve } from './http.js'

/** Only the digest is stored: who reads the table cannot sign in with it. */
const digest = (token) => createHash('sha256').update(token).digest('hex')

serve({
  'POST /sessions': async ({ body, call }) => {
    const user = await call(`${process.env.USERS_URL}/users/check`, { method: 'POST', body })
    const token = randomBytes(24).toString('base64url')
    await rows('insert into sessions (token, user_id) values ($1, $2)', [digest(token), user.id])
    return { token, user }
  },
  'GET /sessions/:token': async ({ params }) => {
    const [session] = await rows('select user_id from sessions where token = $1 and until > now()', [digest(params.token)])
    if (!session) throw new Refusal(401, 'sign in first')
    return { user: session.user_id }
  },
})
