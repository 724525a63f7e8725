// Statements in all the ways that node-postgres has, each path one.
const http = require('node:http')
const pg = require('pg')

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 1 })
const ways = {
  '/promise': () => pool.query('select $1::int as n', [7]),
  '/literal': () => pool.query("select 'secret' as password, 42 as n -- and a secret"),
  '/callback': () => new Promise((resolve) => pool.query('select 1 as n', (_error, result) => fetch(`${self()}/echo`).then(() => resolve(result)))),
  '/config': () => pool.query({ text: 'select $1::text as n', values: ['a'], name: 'prepared' }),
  '/fails': () => pool.query('select * from nowhere').catch((error) => ({ rows: [{ code: error.code }] })),
  '/client': async () => {
    const client = await pool.connect()
    try {
      await client.query('begin')
      return await client.query('commit')
    } finally {
      client.release()
    }
  },
  '/echo': () => ({ rows: [] }),
}
const self = () => `http://127.0.0.1:${server.address().port}`
const server = http.createServer(async ({ url }, response) => response.end(JSON.stringify((await ways[url]()).rows)))
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`))
