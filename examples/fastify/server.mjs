// node examples/fastify/server.mjs
import { buildApp } from './app.mjs'

const port = Number(process.env.PORT ?? 3000)
const { app, library } = await buildApp({
  publicUrl: process.env.PUBLIC_URL ?? `http://127.0.0.1:${port}/library`,
  directory: process.env.DATA ?? './fastify-data',
})

// a user to begin with
if ((await library.accounts.findUser('alice')) === undefined) {
  await library.accounts.addUser({ name: 'alice' })
  const { token } = await library.accounts.createToken({ user: 'alice', label: 'first' })
  console.log(`token of alice: ${token}`)
}
await app.listen({ port, host: '127.0.0.1' })
// every hour: ends uploads that their clients left, deletes bytes that no image refers to any more
library.startUpkeep()
process.once('SIGTERM', () => app.close())
