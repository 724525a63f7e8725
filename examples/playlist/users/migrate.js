import { close, rows } from './database.js'
import { digest } from './passwords.js'

await rows(`create table if not exists users (
  id bigint generated always as identity primary key,
  name text not null unique,
  password text not null
)`)
await rows('insert into users (name, password) values ($1, $2) on conflict do nothing', ['ada', digest('lovelace')])
await close()
