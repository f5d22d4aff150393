/** Who asks, for what, and the hooks by which a host answers. */
import type { Role, VisibilityFilter } from '../../storage/metadata/contract.js'
import type { LibraryRequest } from '../http/messages.js'
import { readHeader } from '../http/messages.js'

/**
 * Somebody who was authenticated. A host may extend it; hooks get back what `authenticate`
 * returned.
 */
export interface Principal {
  /** Stable, unique; written into records as their owner. */
  readonly id: string
  /** The name of the user's own entity, under `ownerPolicy`. */
  readonly name: string
  readonly admin?: boolean
  /** Entities that the principal may push to beside their own, under `ownerPolicy`. */
  readonly groups?: readonly string[]
  /**
   * Entity → role in it, beside those that are the principal's own or a group of theirs, under
   * `ownerPolicy`.
   */
  readonly roles?: Readonly<Record<string, Role>>
  /**
   * What the credentials are good for, each `action` or `action:path`, such as `push:alice/tools`.
   * Absent or empty = everything that the principal may do. Enforced by the core in front of
   * `authorize`: outside its scopes a token is worth nothing, and the request is judged as an
   * anonymous one.
   */
  readonly scopes?: readonly string[]
  /** Id of the credentials, such as that of a token: what `recall` is asked about. Not secret. */
  readonly credential?: string
  /**
   * How they showed who they are, for the record of what they do. Default: `token` with a
   * `credential`, else `host`.
   */
  readonly via?: 'token' | 'session' | 'host'
}

/** Who something was handed out to: members of a {@link Principal}. */
export interface Grant {
  readonly id: string
  readonly credential?: string
}

/**
 * `manage`: description, visibility, members and rules of one place. `admin`: what concerns the
 * whole registry, and quotas.
 */
export type Action = 'pull' | 'push' | 'delete' | 'manage' | 'admin'

/** Every action there is. */
export const actions: readonly Action[] = Object.keys({
  pull: true,
  push: true,
  delete: true,
  manage: true,
  admin: true,
} satisfies Record<Action, true>) as Action[]

/**
 * What an action is asked for. For `image`, `path` is the path of its container: rights hang on
 * containers. `registry` is the whole of it, for what names no place: it has no path, and its
 * entity is empty.
 */
export interface Resource {
  readonly kind: 'registry' | 'entity' | 'collection' | 'container' | 'image'
  /** `entity`, `entity/collection` or `entity/collection/container`; empty for `registry`. */
  readonly path: string
  /** Empty for `registry`: no name of an entity is. */
  readonly entity: string
  readonly collection?: string
  readonly container?: string
  /** Tag or wire hash of an `image`, where the request names one. */
  readonly selector?: string
  /**
   * Private itself, or in a private collection. An entity is private when what is made in it starts
   * private, `registry` always.
   */
  readonly private: boolean
  /** Principal id of the creator; null when it does not exist yet. */
  readonly owner: string | null
}

export interface AuthorizeQuestion {
  /** null = anonymous. */
  readonly principal: Principal | null
  readonly action: Action
  readonly resource: Resource
  readonly request: LibraryRequest
}

/** What search and lists may show. */
export type Visibility = VisibilityFilter

export interface AuthHooks {
  /**
   * null = anonymous. Throw `new LibraryError('unauthorized', …)` for bad credentials. Default:
   * everybody is anonymous.
   */
  authenticate?(request: LibraryRequest): Principal | null | Promise<Principal | null>
  /** May this be done? Default: `pull` of what is not private, nothing else. */
  authorize?(question: AuthorizeQuestion): boolean | Promise<boolean>
  /**
   * false: `authorize` never allows anybody without credentials more than `pull`, so that such a
   * request is refused with 401 before its body is read. Default: true where there is an
   * `authorize`, which is asked then.
   */
  readonly anonymousWrites?: boolean
  /**
   * The principal as they are now, when a transfer URL of theirs is used, or a push in one request
   * is about to become visible; null = the credentials hold no more. `authorize` is asked about who
   * comes back. Default: nobody is asked, and a URL holds until it expires.
   */
  recall?(grant: Grant): Principal | null | Promise<Principal | null>
  /** What search may show. Default: `authorize` is asked about each row. */
  visible?(question: {
    readonly principal: Principal | null
    readonly request: LibraryRequest
  }): Visibility | Promise<Visibility>
}

/**
 * The token of an `Authorization: Bearer` header; null when there is none. The scheme is matched in
 * any case (clients up to 1.3 send `BEARER`), and a scheme without a token counts as no
 * credentials: logged-out clients send that (protocol 3.3).
 */
export function bearerToken(request: LibraryRequest): string | null {
  const match = /^bearer(?:[ \t]+(.*))?$/is.exec((readHeader(request, 'authorization') ?? '').trim())
  return match?.[1]?.trim() || null
}

/** Whether credentials with these scopes may be used for an action on a path. */
export function scopesAllow(scopes: readonly string[] | undefined, action: Action, path: string): boolean {
  if (scopes === undefined || scopes.length === 0) return true
  return scopes.some((scope) => {
    const colon = scope.indexOf(':')
    const granted = colon < 0 ? scope : scope.slice(0, colon)
    const below = colon < 0 ? '' : scope.slice(colon + 1)
    // whoever changes a thing needs to see it
    const includesPull = granted === 'push' || granted === 'delete' || granted === 'manage'
    if (granted !== action && granted !== 'admin' && !(action === 'pull' && includesPull)) return false
    if (colon < 0 || path === below || path.startsWith(`${below}/`)) return true
    // a push walks down from the entity: whoever may use a container may see what it lies in
    return action === 'pull' && below.startsWith(`${path}/`)
  })
}

const rank: Readonly<Record<Role, number>> = { reader: 1, writer: 2, maintainer: 3 }
/** The lowest role that may. */
const needed: Readonly<Record<Exclude<Action, 'admin'>, Role>> = {
  pull: 'reader',
  push: 'writer',
  delete: 'maintainer',
  manage: 'maintainer',
}

/** An entity may be called `constructor`. */
const roleIn = ({ roles }: Principal, entity: string): Role | undefined =>
  roles !== undefined && Object.hasOwn(roles, entity) ? roles[entity] : undefined

/**
 * The ready-made rule: everybody pulls what is public; a user pushes to, deletes in and manages the
 * entity of their own name and the entities of their groups; elsewhere a role counts: a reader sees
 * what is private, a writer pushes too, a maintainer deletes and manages too; admins may do
 * everything.
 */
export function ownerPolicy(
  options: Pick<AuthHooks, 'authenticate' | 'recall'>,
): Required<Pick<AuthHooks, 'authorize' | 'visible' | 'anonymousWrites'>> & Pick<AuthHooks, 'authenticate' | 'recall'> {
  const owns = (principal: Principal | null, entity: string): boolean =>
    principal !== null &&
    (principal.admin === true || principal.name === entity || (principal.groups ?? []).includes(entity))
  return {
    ...options,
    anonymousWrites: false,
    authorize: ({ principal, action, resource }) => {
      if (action === 'admin' || resource.kind === 'registry') return principal?.admin === true
      if ((action === 'pull' && !resource.private) || owns(principal, resource.entity)) return true
      const role = principal === null ? undefined : roleIn(principal, resource.entity)
      return role !== undefined && rank[role] >= rank[needed[action]]
    },
    visible: ({ principal }) => {
      if (principal === null) return 'public'
      if (principal.admin === true) return 'all'
      const { name, groups = [], roles = {} } = principal
      return { entities: [...new Set([name, ...groups, ...Object.keys(roles)])] }
    },
  }
}

/**
 * Everybody may do everything: for tests and closed networks. There is no default that allows
 * writes, so this must be written by name.
 *
 * Whoever reaches the port may push and delete. Writes of foreign web pages are refused, but a page
 * whose name is pointed at this address (DNS rebinding) reads everything, and listening on loopback
 * is no protection from it. Let nothing reach it but the clients it is meant for: a check of the
 * Host header in front of the mount, or a network without browsers.
 */
export function allowAll(): Required<Omit<AuthHooks, 'recall'>> {
  return {
    authenticate: () => ({ id: 'anyone', name: 'anyone', admin: true }),
    // nobody is anonymous here
    anonymousWrites: false,
    authorize: () => true,
    visible: () => 'all',
  }
}
