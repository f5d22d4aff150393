/** Next: a route of each router, and a server of one's own, mounted as docs/hosts.md says. Its packages are fetched by this test alone. */
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { runOk } from '../e2e/harness/run.js'
import { cleanUpAfterEach, clientOf, startHost } from './cli-support.js'
import { type Consumer, install, pack } from './packed.js'

const env = { NEXT_TELEMETRY_DISABLED: '1' }

const library = `
import { createLibrary } from 'sif-library'
import { sqliteMetadata } from 'sif-library/metadata/sqlite'
import { memoryStorage } from 'sif-library/storage/memory'

const make = (path) => createLibrary({
  publicUrl: () => process.env.ORIGIN + path,
  storage: memoryStorage(),
  metadata: sqliteMetadata({ file: ':memory:' }),
})
// one in the process, however often Next loads this file
export const libraryAt = (path) => (globalThis.libraries ??= {})[path] ??= make(path)
`
const appRoute = `
import { libraryFetch } from 'sif-library/fetch'
import { libraryAt } from '../../../library.mjs'

const handle = libraryFetch(libraryAt('/library'), { prefix: '/library', fallback: true })
export { handle as DELETE, handle as GET, handle as HEAD, handle as PATCH, handle as POST, handle as PUT }
export const dynamic = 'force-dynamic'
`
const pageRoute = `
import { libraryMiddleware } from 'sif-library/express'
import { libraryAt } from '../../../library.mjs'

const handle = libraryMiddleware(libraryAt('/api/library'), { prefix: '/api/library' })
export default (req, res) => new Promise((resolve) => {
  res.once('close', resolve)
  handle(req, res, () => res.status(404).json({ error: 'no such page' }))
})
export const config = { api: { bodyParser: false, externalResolver: true, responseLimit: false } }
`
const server = `
import { createServer } from 'node:http'
import next from 'next'
import { libraryListener } from 'sif-library/node'
import { libraryAt } from './library.mjs'

const app = next({ dev: false, dir: process.cwd() })
await app.prepare()
const own = libraryAt('/own')
const pages = app.getRequestHandler()
const server = createServer({ requestTimeout: 0 }, libraryListener(own, { prefix: '/own', fallback: pages }))
server.listen(0, '127.0.0.1', async () => {
  process.env.ORIGIN = 'http://127.0.0.1:' + server.address().port
  // asked for by the routes too: Next runs them in this process
  await fetch(process.env.ORIGIN + '/library/version')
  await fetch(process.env.ORIGIN + '/api/library/version')
  for (const [path, library] of Object.entries(globalThis.libraries)) {
    await library.accounts.addUser({ name: 'alice' })
    console.log('token of ' + path + ' ' + (await library.accounts.createToken({ user: 'alice' })).token)
  }
  console.log('listening on ' + process.env.ORIGIN)
})
`

let consumer: Consumer
beforeAll(async () => {
  consumer = await install(await pack(), {
    linked: ['better-sqlite3'],
    packages: ['next@16.4.6', 'react@19.3.1', 'react-dom@19.3.1'],
  })
  for (const folder of ['app/library/[...path]', 'pages/api/library'])
    await mkdir(join(consumer.folder, folder), { recursive: true })
  const files: Readonly<Record<string, string>> = {
    'next.config.mjs': "export default { serverExternalPackages: ['sif-library'] }",
    'library.mjs': library,
    'server.mjs': server,
    'app/layout.js': 'export default ({ children }) => <html lang="en"><body>{children}</body></html>',
    'app/page.js': 'export default () => <p>the host</p>',
    'app/library/[...path]/route.js': appRoute,
    'pages/api/library/[...path].js': pageRoute,
  }
  for (const [name, text] of Object.entries(files)) await consumer.write(name, text)
  await runOk(process.execPath, {
    args: ['node_modules/next/dist/bin/next', 'build'],
    cwd: consumer.folder,
    env,
    timeout: 230_000,
  })
}, 600_000)

cleanUpAfterEach()

describe('Next', () => {
  test('serves the registry from both routers and beside itself', async () => {
    const host = await startHost(join(consumer.folder, 'server.mjs'), env, consumer.folder)
    expect(await (await fetch(host.url)).text()).toContain('the host')
    for (const path of ['/library', '/api/library', '/own']) {
      const token = new RegExp(`^token of ${path} (\\S+)$`, 'm').exec(host.logs())?.[1] ?? ''
      const client = clientOf(`${host.url}${path}`, token)
      const bytes = randomBytes(300_000)
      await client.push('alice/tools/bwa', bytes)
      const pulled = await client.pull('alice/tools/bwa:latest')
      expect([path, pulled.status, pulled.bytes.equals(bytes)]).toEqual([path, 200, true])
      expect((await fetch(`${host.url}${path}/nothing/of/ours`)).status).toBe(404)
      // Next redirects a second slash before a route sees it; a server of one's own takes the path as it comes
      const doubled = await fetch(`${host.url}${path}//version`, { redirect: 'manual' })
      expect([path, doubled.status]).toEqual([path, path === '/own' ? 200 : 308])
    }
  })
})
