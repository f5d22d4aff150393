// An existing Express portal with the registry under a prefix: run as its own process, from the built package, as a user would have it.
// Settings come as JSON in PORTAL: { prefix, data, users: { token: { name, admin } }, storage?: an s3:// URL, transfer? }. The host parses JSON before us,
// keeps its own users by token and its own list of private paths, and has a route beside ours.
import { createServer } from 'node:http'
import { join } from 'node:path'
import express from 'express'
import { bearerToken, createLibrary, LibraryError, ownerPolicy } from 'sif-library'
import { libraryMiddleware } from 'sif-library/express'
import { sqliteMetadata } from 'sif-library/metadata/sqlite'
import { filesystemStorage } from 'sif-library/storage/filesystem'
import { s3OptionsFromUrl, s3Storage } from 'sif-library/storage/s3'

const { prefix, data, users, storage, transfer = 'auto' } = JSON.parse(process.env.PORTAL)
const people = new Map(Object.entries(users))
const hidden = new Set()

function authenticate(request) {
  const token = bearerToken(request)
  if (token === null) return null
  const person = people.get(token)
  if (person === undefined) throw new LibraryError('unauthorized', 'the portal does not know this token')
  return { id: person.name, ...person }
}

const policy = ownerPolicy({ authenticate })
const isHidden = (path) => [...hidden].some((each) => path === each || path.startsWith(`${each}/`))

const app = express()
app.use(express.json())
app.post('/portal/people', (request, response) => {
  people.set(request.body.token, { name: request.body.name })
  response.status(204).end()
})
app.post('/portal/private', (request, response) => {
  hidden.add(request.body.path)
  response.status(204).end()
})

const server = createServer(app)
server.listen(0, '127.0.0.1', () => {
  const origin = `http://127.0.0.1:${server.address().port}`
  const library = createLibrary({
    publicUrl: `${origin}${prefix}`,
    storage:
      storage === undefined
        ? filesystemStorage({ directory: join(data, 'blobs') })
        : s3Storage(s3OptionsFromUrl(storage)),
    transfer,
    metadata: sqliteMetadata({ file: join(data, 'registry.db') }),
    secret: 'portal-secret-of-at-least-thirty-two-characters',
    auth: {
      authenticate,
      authorize: (question) =>
        policy.authorize({
          ...question,
          resource: { ...question.resource, private: question.resource.private || isHidden(question.resource.path) },
        }),
    },
    on: { 'request.failed': ({ status, error }) => status >= 500 && console.error(error) },
  })
  app.use(prefix === '' ? '/' : prefix, libraryMiddleware(library))
  app.use((_request, response) => response.status(404).type('text').send('the portal has no such page'))
  process.once('SIGTERM', () => {
    server.close(() => library.close().then(() => process.exit(0)))
    server.closeIdleConnections()
  })
  console.log(`listening on ${origin}`)
})
