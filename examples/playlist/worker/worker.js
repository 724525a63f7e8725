import { setTimeout } from 'node:timers/promises'
import { close, rows } from './database.js'

/** Takes a batch off the queue and counts it, in one statement: a worker that dies counts nothing twice and loses nothing. */
const COUNT = `
  with taken as (
    delete from plays where id in (select id from plays order by id limit 100 for update skip locked) returning song_id
  )
  insert into most_played (song_id, plays) select song_id, count(*) from taken group by song_id
  on conflict (song_id) do update set plays = most_played.plays + excluded.plays returning song_id`

const stop = new AbortController()
process.on('SIGTERM', () => stop.abort())

console.log('counts plays')
while (!stop.signal.aborted) {
  const counted = await rows(COUNT).catch((error) => {
    console.error(`cannot count: ${error.message}`)
    return []
  })
  if (counted.length > 0) console.log(`counted plays of ${counted.length} songs`)
  else await setTimeout(500, null, { signal: stop.signal }).catch(() => {}) // stopped while it waited
}
await close()
