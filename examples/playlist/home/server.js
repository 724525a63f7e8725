import { serve } from './http.js'

const { USERS_URL, SONGS_URL, PLAYLISTS_URL } = process.env

serve({
  'GET /home': async ({ query, call }) => {
    const user = Number(query.get('user')) || 0
    const [songs, mostPlayed, owner, playlists] = await Promise.all([
      call(`${SONGS_URL}/songs?q=${encodeURIComponent(query.get('q') ?? '')}`),
      call(`${SONGS_URL}/songs/most-played`),
      user ? call(`${USERS_URL}/users/${user}`) : null,
      user ? call(`${PLAYLISTS_URL}/playlists?owner=${user}`) : [],
    ])
    const titles = new Map(songs.map((song) => [Number(song.id), song.title]))
    const named = playlists.map((playlist) => ({ ...playlist, songs: playlist.songs.map((id) => titles.get(Number(id)) ?? `song ${id}`) }))
    return { user: owner, songs, mostPlayed, playlists: named, releases: { home: process.env.WEIR_RELEASE ?? null } }
  },
})
