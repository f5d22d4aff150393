// A Hono service with a registry under /library; hooks of the registry see Hono's context.
import { Hono } from 'hono'
import { createLibrary, LibraryError, ownerPolicy } from 'sif-library'
import { libraryFetch } from 'sif-library/fetch'
import { sqliteMetadata } from 'sif-library/metadata/sqlite'
import { filesystemStorage } from 'sif-library/storage/filesystem'

export function buildApp({ publicUrl, directory, people }) {
  const app = new Hono()
  // a Map: in a plain object the token `constructor` would be somebody
  const known = new Map(Object.entries(people))
  // stands for the login of yours: whatever it puts into the context, `authenticate` finds there
  app.use(async (c, next) => {
    const token = c.req.header('authorization')?.replace(/^bearer */i, '')
    if (token) c.set('user', known.get(token) ?? 'unknown')
    await next()
  })

  const library = createLibrary({
    publicUrl,
    storage: filesystemStorage({ directory: `${directory}/blobs` }),
    metadata: sqliteMetadata({ file: `${directory}/registry.db` }),
    auth: ownerPolicy({
      authenticate: (request) => {
        const user = request.native.get('user')
        if (user === 'unknown') throw new LibraryError('unauthorized', 'this token is not known here')
        return user ?? null
      },
    }),
  })
  app.get('/', (c) => c.text('with a registry under /library'))
  app.mount('/library', libraryFetch(library, { native: (_request, c) => c }), { optionHandler: (c) => c })
  return { app, library }
}
