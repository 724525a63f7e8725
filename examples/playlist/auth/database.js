import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 4 })
pool.on('error', (error) => console.error(`database: ${error.message}`)) // an idle connection was lost; the next query opens another

/** @example await rows('select * from songs where id = $1', [7]) */
export async function rows(text, values = []) {
  const result = await pool.query(text, values)
  return result.rows
}

export function close() {
  return pool.end()
}
