import { readFileSync } from 'node:fs'
import { serve } from './http.js'

const { HOME_URL, AUTH_URL, SONGS_URL, PLAYLISTS_URL, WEIR_RELEASE = null } = process.env
const page = readFileSync(new URL('./index.html', import.meta.url))

/** The user who is signed in, by number; refused when nobody is. */
async function signedIn(token, call) {
  const { user } = await call(`${AUTH_URL}/sessions/${encodeURIComponent(token ?? 'none')}`)
  return user
}

serve({
  'GET /': () => page,
  'GET /api/home': async ({ query, token, call }) => {
    const user = token === null ? '' : await signedIn(token, call)
    const home = await call(`${HOME_URL}/home?user=${user}&q=${encodeURIComponent(query.get('q') ?? '')}`)
    return { ...home, releases: { web: WEIR_RELEASE, ...home.releases } }
  },
  'POST /api/sessions': ({ body, call }) => call(`${AUTH_URL}/sessions`, { method: 'POST', body }),
  'POST /api/songs/:id/plays': ({ params, call }) => call(`${SONGS_URL}/songs/${params.id}/plays`, { method: 'POST' }),
  'POST /api/playlists': async ({ body: { name }, token, call }) => {
    const owner = await signedIn(token, call)
    return call(`${PLAYLISTS_URL}/playlists`, { method: 'POST', body: { owner, name } })
  },
  'POST /api/playlists/:id/songs': async ({ params, body: { song }, token, call }) => {
    const owner = await signedIn(token, call)
    return call(`${PLAYLISTS_URL}/playlists/${params.id}/songs`, { method: 'POST', body: { song, owner } })
  },
})
