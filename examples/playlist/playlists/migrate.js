import { close, rows } from './database.js'

await rows(`create table if not exists playlists (
  id bigint generated always as identity primary key,
  owner bigint not null,
  name text not null
)`)
await rows(`create table if not exists entries (
  playlist_id bigint not null references playlists on delete cascade,
  song_id bigint not null,
  added timestamptz not null default now(),
  primary key (playlist_id, song_id)
)`)
await close()
