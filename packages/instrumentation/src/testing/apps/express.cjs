const express = require('express')

const app = express()
app.use(express.json())
const orders = express.Router()
orders.get('/items/:item', (request, response) => response.json(request.params))
orders.get('/', (_request, response) => response.json([]))
app.use('/orders/:order', orders)
app.get('/songs/:id', (request, response) => response.json({ id: request.params.id }))
app.post('/songs', async (request, response) => {
  const answer = await fetch(`http://127.0.0.1:${request.socket.localPort}/songs/${request.body.id}`)
  response.json(await answer.json())
})
app.get('/throws', () => {
  throw new TypeError('thrown in express')
})
app.get('/rejects', () => Promise.reject(new RangeError('rejected in express')))
app.get('/handled', () => {
  throw new Error('handled by the app')
})
app.use((error, request, response, next) => (request.path === '/handled' ? response.status(418).end() : next(error)))
const server = app.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`))
