// A Hono service with a registry under /library; hooks of the registry see Hono's context.
import { Hono } from 'hono'
import { createLibrary, ownerPolicy } from 'sif-library'
import { libraryFetch } from 'sif-library/fetch'
import { sqliteMetadata } from 'sif-library/metadata/sqlite'
import { filesystemStorage } from 'sif-library/storage/filesystem'

export function buildApp({ publicUrl, directory, people }) {
  const app = new Hono()
  // stands for the login of yours: whatever it puts into the context, `authenticate` finds there
  app.use(async (c, next) => {
    c.set('user', people[c.req.header('authorization')?.replace(/^bearer /i, '')])
    await next()
  })

  const library = createLibrary({
    publicUrl,
    storage: filesystemStorage({ directory: `${directory}/blobs` }),
    metadata: sqliteMetadata({ file: `${directory}/registry.db` }),
    auth: ownerPolicy({ authenticate: (request) => request.native.get('user') ?? null }),
  })
  app.get('/', (c) => c.text('with a registry under /library'))
  app.mount('/library', libraryFetch(library, { native: (_request, c) => c }), { optionHandler: (c) => c })
  return { app, library }
}
