// A Koa service with hooks of its own: OpenID tokens, groups from LDAP, rules per container, an audit trail, and images that are refused.
import Koa from 'koa'
import { createLibrary, LibraryError, ownerPolicy } from 'sif-library'
import { libraryMiddleware } from 'sif-library/koa'
import { sqliteMetadata } from 'sif-library/metadata/sqlite'
import { filesystemStorage } from 'sif-library/storage/filesystem'
import { oidcAuthenticate } from './auth.mjs'
import { ldapDirectory } from './directory.mjs'
import { withRules } from './rules.mjs'

/**
 * `oidc` as in auth.mjs, `ldap` as in directory.mjs, `rules` as in rules.mjs; members of `adminGroup` may do everything; `defaultPrivate` closes new entities to others;
 * `audit` takes one object per event; `maxBytes` is the largest image that is accepted.
 */
export function buildApp({
  publicUrl,
  directory,
  oidc,
  ldap,
  rules = {},
  adminGroup = 'registry-admins',
  defaultPrivate = false,
  audit = (entry) => console.log(JSON.stringify(entry)),
  maxBytes = 20e9,
}) {
  const record = (action) => (event) => audit({ at: new Date().toISOString(), action, ...event })
  const authenticate = oidcAuthenticate(oidc, { directory: ldapDirectory(ldap), adminGroup })
  const library = createLibrary({
    publicUrl,
    defaultPrivate,
    storage: filesystemStorage({ directory: `${directory}/blobs` }),
    metadata: sqliteMetadata({ file: `${directory}/registry.db` }),
    auth: withRules(ownerPolicy({ authenticate }), rules),
    hooks: {
      beforePublish: ({ arch, size, path }) => {
        if (arch === null) throw new LibraryError('refused', `${path}: only SIF images are kept here`)
        if (size > maxBytes)
          throw new LibraryError(
            'refused',
            `${path}: ${size} bytes are more than the ${maxBytes} that one image may have`,
          )
      },
      beforeTag: ({ tag, principal }) => {
        if (tag === 'stable' && !principal?.groups.includes('release'))
          throw new LibraryError('refused', 'only the release group moves the tag stable')
      },
    },
    on: {
      'image.published': record('publish'),
      'image.pulled': record('pull'),
      'image.deleted': record('delete'),
      'tag.moved': record('tag'),
      // not the error itself: what a library throws may quote what it was given
      'request.failed': ({ requestId, route, code, status }) =>
        audit({ at: new Date().toISOString(), action: 'refused', requestId, route, code, status }),
    },
  })

  const app = new Koa()
  app.use(libraryMiddleware(library, { prefix: '/library' }))
  app.use((ctx) => {
    if (ctx.path === '/') ctx.body = 'the service'
  })
  return { app, library }
}
