import Fastify from 'fastify'

const app = Fastify()
app.get('/songs/:id', ({ params }) => params)
app.post('/songs', async ({ body, socket }) => (await fetch(`http://127.0.0.1:${socket.localPort}/songs/${body.id}`)).json())
app.get('/throws', () => {
  throw new TypeError('thrown in fastify')
})
await app.register(async (mounted) => mounted.get('/items/:item', ({ params }) => params), { prefix: '/orders/:order' })
await app.listen({ host: '127.0.0.1', port: 0 })
console.log(`port ${app.server.address().port}`)
