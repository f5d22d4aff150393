/** The registry over connect, on its embedded defaults, or on S3 (`s3`: options of s3Storage). */
import { createServer } from 'node:http'
import connect from 'connect'
import { createLibrary } from 'sif-library'
import { libraryMiddleware } from 'sif-library/express'
import { sqliteMetadata } from 'sif-library/metadata/sqlite'
import { filesystemStorage } from 'sif-library/storage/filesystem'
import { s3Storage } from 'sif-library/storage/s3'

const { database, blobs, s3 } = JSON.parse(process.argv[2])
const server = createServer()
server.requestTimeout = 0
server.listen(0, '127.0.0.1', async () => {
  const { port } = server.address()
  const library = createLibrary({
    publicUrl: `http://127.0.0.1:${port}`,
    storage: s3 === undefined ? filesystemStorage({ directory: blobs }) : s3Storage(s3),
    metadata: sqliteMetadata({ file: database }),
    // filled past the registry: the bytes of its images lie nowhere
    acceptStorage: true,
  })
  const app = connect()
  app.use(libraryMiddleware(library))
  server.on('request', app)
  await library.ready()
  const user = (await library.accounts.findUser('bench')) ?? (await library.accounts.addUser({ name: 'bench' }))
  const { token } = await library.accounts.createToken({ user: user.name })
  process.send({ port, token })
})
process.on('SIGTERM', () => process.exit(0))
