import { rows } from './database.js'
import { Refusal, serve } from './http.js'
import { digest, matches } from './passwords.js'

serve({
  'POST /users': async ({ body: { name, password } }) => {
    if (typeof name !== 'string' || !/^[a-z]{2,20}$/.test(name)) throw new Refusal(422, 'a name has 2 to 20 letters a to z')
    if (typeof password !== 'string' || password.length < 8) throw new Refusal(422, 'a password has at least 8 characters')
    const [user] = await rows('insert into users (name, password) values ($1, $2) on conflict do nothing returning id, name', [name, digest(password)])
    if (!user) throw new Refusal(409, `there is a ${name} already`)
    return user
  },
  'POST /users/check': async ({ body: { name, password } }) => {
    const [user] = await rows('select id, name, password from users where name = $1', [String(name)])
    if (!user || !matches(String(password), user.password)) throw new Refusal(401, 'name and password do not match')
    return { id: user.id, name: user.name }
  },
  'GET /users/:id': async ({ params }) => {
    const [user] = await rows('select id, name from users where id = $1', [Number(params.id) || 0])
    if (!user) throw new Refusal(404, 'no such user')
    return user
  },
})
