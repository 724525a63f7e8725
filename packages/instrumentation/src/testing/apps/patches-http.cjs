// An app that patches http itself, before and after its requests are traced, and one server that hands its requests to another.
const http = require('node:http')

const seen = []
const emit = http.Server.prototype.emit
http.Server.prototype.emit = function (event, ...args) {
  seen.push(event)
  return emit.call(this, event, ...args)
}
const { request } = http
http.request = function (...args) {
  seen.push('call')
  return request.apply(this, args)
}
const inner = http.createServer((incoming, response) => {
  if (incoming.url === '/seen') return response.end(JSON.stringify(seen))
  return http.request({ host: '127.0.0.1', port: server.address().port, path: '/seen' }, (answer) => answer.pipe(response)).end()
})
const server = http.createServer((incoming, response) => inner.emit('request', incoming, response))
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`))
