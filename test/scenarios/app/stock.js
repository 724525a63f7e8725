import { createServer } from 'node:http'

/** Answers after as long as the question takes. */
createServer((request, response) => {
  const { searchParams } = new URL(request.url, 'http://stock')
  setTimeout(() => response.end('12 left'), Number(searchParams.get('takes') ?? 2))
}).listen(Number(process.env.PORT), process.env.HOST)

process.on('SIGTERM', () => process.exit(0))
