// The registry, with the portal's people and roles.
import { createLibrary, LibraryError } from 'sif-library'
import { sqliteMetadata } from 'sif-library/metadata/sqlite'
import { filesystemStorage } from 'sif-library/storage/filesystem'
import { findPerson, groupsOf, may } from './people.mjs'

export function createRegistry({ publicUrl, directory, tokenPage }) {
  const metadata = sqliteMetadata({ file: `${directory}/registry.db` })
  const library = createLibrary({
    publicUrl,
    metadata,
    storage: filesystemStorage({ directory: `${directory}/blobs` }),
    // what is pushed is for the group until somebody makes it public
    defaultPrivate: true,
    // `singularity remote login` shows this page
    tokenPage,
    auth: {
      // By token only: nothing of the portal asks the registry from a browser.
      authenticate: async (request) => {
        const token = await library.accounts.authenticate(request)
        if (token === null) return null
        const person = findPerson(token.name)
        if (person === undefined) throw new LibraryError('unauthorized', 'you are no longer in the portal')
        return { ...token, person }
      },
      // a URL that was handed out ends with the token, and with the person
      recall: async (grant) => {
        const token = await library.accounts.recall(grant)
        const person = token === null ? undefined : findPerson(token.name)
        return person === undefined ? null : { ...token, person }
      },
      anonymousWrites: false,
      authorize: ({ principal, action, resource }) => {
        if (action === 'pull' && !resource.private) return true
        return principal !== null && may(principal.person, action, resource.entity)
      },
      visible: ({ principal }) => {
        if (principal === null) return 'public'
        return principal.person.admin ? 'all' : { entities: [principal.name, ...groupsOf(principal.name)] }
      },
    },
  })

  /** Paths of the containers in these namespaces; the first hundred of each collection are enough for a page. */
  async function listContainers(namespaces) {
    await library.ready()
    const found = []
    for (const name of namespaces) {
      const entity = await metadata.entities.findByName(name)
      if (entity === undefined) continue
      for (const collection of await metadata.collections.listOf(entity.id, { limit: 100 })) {
        for (const container of await metadata.containers.listOf(collection.id, { limit: 100 })) {
          found.push({
            path: `${name}/${collection.name}/${container.name}`,
            private: container.private || container.collectionPrivate,
            downloads: container.downloadCount,
          })
        }
      }
    }
    return found
  }

  return { library, listContainers }
}
