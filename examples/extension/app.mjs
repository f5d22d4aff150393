// A server with a registry under /library, and the feed beside its routes.
import { createServer } from 'node:http'
import { createLibrary } from 'sif-library'
import { sqliteMetadata } from 'sif-library/metadata/sqlite'
import { libraryListener } from 'sif-library/node'
import { filesystemStorage } from 'sif-library/storage/filesystem'
import { feed } from './feed.mjs'

export function buildApp({ publicUrl, directory, options }) {
  const library = createLibrary({
    publicUrl,
    storage: filesystemStorage({ directory: `${directory}/blobs` }),
    metadata: sqliteMetadata({ file: `${directory}/registry.db` }),
    extensions: [feed(options)],
  })
  // an upload may take longer than Node's 300 seconds
  const server = createServer({ requestTimeout: 0 }, libraryListener(library, { prefix: '/library' }))
  return { server, library }
}
