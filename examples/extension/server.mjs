// node examples/extension/server.mjs
import { buildApp } from './app.mjs'

const port = Number(process.env.PORT ?? 3000)
const publicUrl = process.env.PUBLIC_URL ?? `http://127.0.0.1:${port}/library`
const { server, library } = buildApp({ publicUrl, directory: process.env.DATA ?? './feed-data' })

// a user to begin with
if ((await library.accounts.findUser('alice')) === undefined) {
  await library.accounts.addUser({ name: 'alice' })
  const { token } = await library.accounts.createToken({ user: 'alice', label: 'first' })
  console.log(`token of alice: ${token}`)
}
// sweeps, and the job of the feed
library.startUpkeep()
server.listen(port, '127.0.0.1', () => console.log(`feeds: ${publicUrl}/feed.atom and ${publicUrl}/feed.json`))

process.once('SIGTERM', () => {
  server.close(() => library.close())
  server.closeIdleConnections()
})
