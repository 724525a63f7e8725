import { close, rows } from './database.js'

await rows(`create table if not exists sessions (
  token text primary key,
  user_id bigint not null,
  until timestamptz not null default now() + interval '1 day'
)`)
await rows('delete from sessions where until < now()')
await close()
