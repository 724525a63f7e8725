import { close, rows } from './database.js'

const SONGS = [
  ['Blue in Green', 'Miles Davis'],
  ['Gymnopédie No. 1', 'Erik Satie'],
  ['Clair de lune', 'Claude Debussy'],
  ['Take Five', 'Dave Brubeck'],
  ['Für Elise', 'Ludwig van Beethoven'],
  ['Summertime', 'George Gershwin'],
  ['Spiegel im Spiegel', 'Arvo Pärt'],
  ['So What', 'Miles Davis'],
]

await rows(`create table if not exists songs (
  id bigint generated always as identity primary key,
  title text not null,
  artist text not null,
  unique (title, artist)
)`)
// `plays` is a queue: songs adds to it, the worker takes from it and adds up in `most_played`.
await rows('create table if not exists plays (id bigint generated always as identity primary key, song_id bigint not null references songs)')
await rows('create table if not exists most_played (song_id bigint primary key references songs, plays bigint not null)')
for (const song of SONGS) await rows('insert into songs (title, artist) values ($1, $2) on conflict do nothing', song)
await close()
