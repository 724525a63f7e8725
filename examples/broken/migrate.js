if (process.env.BREAK === 'migrate') {
  console.error('Error: relation "songs" already exists')
  process.exit(1)
}
console.log('nothing to migrate')
