// Not a server: does one thing and ends, as a migration or a task does. How it ends is its first argument.
const http = require('node:http')

const [how, url] = process.argv.slice(2)
http
  .get(url, (answer) => {
    answer.resume().on('close', () => {
      if (how === 'exit') process.exit(0)
      if (how === 'slow-exit') setTimeout(() => process.exit(0), 60)
      if (how === 'throw')
        setTimeout(() => {
          throw new Error('a mistake of the app')
        }, 60)
    })
  })
  .on('error', () => {})
