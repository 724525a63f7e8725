// Sends to a broker that is not there: `kafka.mjs CLIENT`. Prints what it would have sent.
const header = (headers) => {
  const entries = headers instanceof Map ? [...headers] : Object.entries(headers ?? {})
  return entries.map(([name, value]) => `${name}=${value}`).join()
}

if (process.argv[2] === 'kafkajs') {
  const { Kafka, logLevel, Partitioners } = (await import('kafkajs')).default
  const kafka = new Kafka({ brokers: ['127.0.0.1:4'], logLevel: logLevel.NOTHING, retry: { retries: 0 } })
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  let seen = {}
  const messages = [{ value: 'a' }]
  // It refuses before it looks at a message, so the message that it was handed is caught on its way.
  messages.map = (make) => Array.from(messages, (message) => (seen = make(message)))
  await producer.send({ topic: 'orders', messages }).catch(() => console.log(`refused: ${header(seen.headers)}`))
} else {
  const { Producer, stringSerializers } = await import('@platformatic/kafka')
  const producer = new Producer({ clientId: 'a', bootstrapBrokers: ['127.0.0.1:4'], serializers: stringSerializers, retries: 0 })
  const options = { messages: [{ topic: 'orders', value: 'a' }] }
  await producer.send(options).catch(() => console.log(`refused: ${header(options.messages[0].headers)}`))
  await producer.close()
}
