/** The server that is attacked, in a process of its own: `node --expose-gc fuzz-child.mjs BUILD DIRECTORY`, driven over IPC. */
import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [build = '', directory = ''] = process.argv.slice(2)
const load = (name) => import(pathToFileURL(join(build, `${name}.js`)).href)
const [{ createLibrary }, { libraryApi }, { libraryListener }, { filesystemStorage }, { sqliteMetadata }] =
  await Promise.all(['index', 'api', 'node', 'filesystem', 'sqlite'].map(load))

let ahead = 0
let url = ''
/** What was logged as an error: the cause of a 5xx. */
const errors = []
const library = createLibrary({
  publicUrl: () => url,
  extensions: [libraryApi()],
  storage: filesystemStorage({ directory: join(directory, 'blobs'), durability: 'none' }),
  metadata: sqliteMetadata({ file: join(directory, 'registry.db') }),
  clock: () => Date.now() + ahead,
  limits: { partBytes: 1000, idleSeconds: 2, maxImageBytes: 10_000_000 },
  logger: {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (facts, message) => errors.push(`${message}: ${facts.route} ${facts.err?.stack ?? JSON.stringify(facts)}`),
  },
})
const server = createServer({ connectionsCheckingInterval: 1000, headersTimeout: 5000 }, libraryListener(library))
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
url = `http://127.0.0.1:${server.address().port}`
await library.ready()

const answers = {
  token: async (user) => {
    await library.accounts.addUser({ name: user, takeOver: true }).catch(() => {})
    return (await library.accounts.createToken({ user })).token
  },
  state: async () => {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 50))
    globalThis.gc?.()
    const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
    const connections = await new Promise((resolve) => server.getConnections((_error, count) => resolve(count)))
    return {
      rss,
      heapUsed,
      external,
      arrayBuffers,
      handles: process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0,
      connections,
      errors,
    }
  },
  /** Days later: what is left after a sweep. */
  sweep: async () => {
    ahead += 10 * 86_400_000
    await library.sweep({ graceSeconds: 0 })
    return readdirSync(join(directory, 'blobs'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes('/keys/records'))
      .map((entry) => entry.name)
  },
  stop: async () => {
    server.closeAllConnections()
    server.close()
    await library.close()
    setImmediate(() => process.exit(0))
  },
}
process.on('message', async ({ id, ask, argument }) => {
  try {
    process.send?.({ id, value: await answers[ask](argument) })
  } catch (error) {
    process.send?.({ id, error: String(error) })
  }
})
process.on('disconnect', () => process.exit(0))
process.send?.({ id: 0, value: url })
