// A Fastify service with a registry under /library: built-in accounts, and Fastify's own logger.
import Fastify from 'fastify'
import { createLibrary } from 'sif-library'
import { libraryPlugin } from 'sif-library/fastify'
import { sqliteMetadata } from 'sif-library/metadata/sqlite'
import { filesystemStorage } from 'sif-library/storage/filesystem'

export async function buildApp({ publicUrl, directory, logger = true }) {
  // an upload may take longer than the 300 seconds that Node has by default
  const app = Fastify({ logger, requestTimeout: 0 })
  const library = createLibrary({
    publicUrl,
    storage: filesystemStorage({ directory: `${directory}/blobs` }),
    metadata: sqliteMetadata({ file: `${directory}/registry.db` }),
    logger: app.log,
  })
  app.get('/', async () => ({ service: 'with a registry under /library' }))
  await app.register(libraryPlugin, { library, prefix: '/library' })
  app.addHook('onClose', () => library.close())
  return { app, library }
}
