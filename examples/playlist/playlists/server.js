import { rows } from './database.js'
import { Refusal, serve } from './http.js'

serve({
  'GET /playlists': ({ query }) =>
    rows(
      `select p.id, p.name, coalesce(json_agg(e.song_id order by e.added) filter (where e.song_id is not null), '[]') as songs
         from playlists p left join entries e on e.playlist_id = p.id where p.owner = $1 group by p.id order by p.name limit 100`,
      [Number(query.get('owner')) || 0],
    ),
  'POST /playlists': async ({ body: { owner, name } }) => {
    if (typeof name !== 'string' || name.trim() === '' || name.length > 80) throw new Refusal(422, 'a playlist needs a name of at most 80 characters')
    const [playlist] = await rows('insert into playlists (owner, name) values ($1, $2) returning id, name', [Number(owner) || 0, name.trim()])
    return { ...playlist, songs: [] }
  },
  'POST /playlists/:id/songs': async ({ params, body: { song, owner }, call }) => {
    const { id } = await call(`${process.env.SONGS_URL}/songs/${Number(song) || 0}`)
    const [added] = await rows(
      'insert into entries (playlist_id, song_id) select id, $2 from playlists where id = $1 and owner = $3 on conflict do nothing returning song_id',
      [Number(params.id) || 0, id, Number(owner) || 0],
    )
    return { added: added !== undefined }
  },
})
