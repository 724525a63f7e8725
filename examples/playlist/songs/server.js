import { rows } from './database.js'
import { Refusal, serve } from './http.js'

serve({
  'GET /songs': ({ query }) =>
    rows(`select id, title, artist from songs where title ilike $1 or artist ilike $1 order by title limit 100`, [`%${query.get('q') ?? ''}%`]),
  'GET /songs/most-played': () =>
    rows('select s.id, s.title, s.artist, m.plays::int from most_played m join songs s on s.id = m.song_id order by m.plays desc, s.title limit 5'),
  'GET /songs/:id': async ({ params }) => {
    const [song] = await rows('select id, title, artist from songs where id = $1', [Number(params.id) || 0])
    if (!song) throw new Refusal(404, 'no such song')
    return song
  },
  'POST /songs/:id/plays': async ({ params }) => {
    const [play] = await rows('insert into plays (song_id) select id from songs where id = $1 returning id', [Number(params.id) || 0])
    if (!play) throw new Refusal(404, 'no such song')
    return { queued: true }
  },
})
