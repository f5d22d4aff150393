/** What a host hands to `createLibrary`, and the defaults. */
import { randomBytes } from 'node:crypto'
import type { StorageBackend } from '../storage/blob/contract.js'
import type { MetadataStore } from '../storage/metadata/contract.js'
import type { AuthHooks } from './auth/policy.js'
import type { LibraryExtension } from './extension.js'
import { hookNames } from './hooks/checked-hooks.js'
import { eventNames, type LibraryHooks, type LibraryListeners } from './hooks/hooks.js'
import type { Logger } from './http/logger.js'
import type { LibraryRequest } from './http/messages.js'
import { checkKeys, checkLimits, type LibraryLimits } from './limits.js'
import { checkName } from './model/references.js'
import type { Settings } from './settings.js'

export interface LibraryOptions {
  /**
   * Where clients reach this mount, such as `https://portal.example/library`; or a function of the
   * request, where one server has several names. Upload and pull URLs start with it. Forwarded
   * headers count only if such a function reads them.
   */
  readonly publicUrl: string | ((request: LibraryRequest) => string)
  readonly storage: StorageBackend
  readonly metadata: MetadataStore
  /**
   * Signs transfer URLs; the same on every instance. Default: one is made on the first start and
   * kept in the metadata store.
   */
  readonly secret?: string | undefined
  /**
   * Default: `ownerPolicy` over the built-in accounts (`library.accounts`), so nobody can write
   * before a token was made.
   */
  readonly auth?: AuthHooks
  readonly hooks?: LibraryHooks
  /** Listeners for events; what they throw is logged and breaks nothing. */
  readonly on?: LibraryListeners
  readonly limits?: LibraryLimits
  /**
   * `proxy` keeps image bytes of clients on this server even where the storage could hand out URLs
   * of its own. Default: `auto`.
   */
  readonly transfer?: 'auto' | 'proxy'
  /** false answers 404 to a multipart start: clients then send one PUT. Default: true. */
  readonly multipart?: boolean
  /** Default: silent. */
  readonly logger?: Logger
  /** New entities start private. Default: false. */
  readonly defaultPrivate?: boolean
  /** Refuse bytes that are no SIF file, or a damaged one. Default: false. */
  readonly requireSif?: boolean
  /**
   * Work with this storage although it is not the one that the metadata store knows: it was emptied
   * or replaced on purpose. For one start; later ones refuse again whatever looks like a volume
   * that is not mounted. Default: false.
   */
  readonly acceptStorage?: boolean
  /** What a reference of one or two parts leaves out (protocol 2.3), and the arch that is meant where none is said. Defaults: `library`, `default`, `amd64`. */
  readonly defaultEntity?: string
  readonly defaultCollection?: string
  readonly defaultArch?: string
  /**
   * Keyserver that discovery names, without a trailing slash. Default: the public URL, which
   * answers 404 to key look-ups: clients warn and go on.
   */
  readonly keyserver?: string
  /**
   * Page where a user gets a token; `GET auth/tokens`, which `remote login` prints, redirects
   * there. Default: a short text.
   */
  readonly tokenPage?: string
  /**
   * Page of a container, relative to the public URL; the client prints it after a push. Default:
   * its JSON object, `v1/containers/E/C/N`.
   */
  readonly containerUrl?: (path: string) => string
  /**
   * Capabilities that are added to the registry, in this order; each is made by a factory of its
   * own. Default: none.
   */
  readonly extensions?: readonly LibraryExtension[]
  /** Now, in milliseconds since 1970. Default: Date.now. */
  readonly clock?: () => number
  /** A new unguessable id of 24 lower-case hex digits (protocol 2.4). Default: 12 random bytes. */
  readonly generateId?: () => string
}

const silent: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  isLevelEnabled: () => false,
}

function checkUrl(option: string, url: string): string {
  const trimmed = url.replace(/\/+$/, '')
  if (!/^https?:\/\/[^/\s?#]+[^\s?#]*$/.test(trimmed))
    throw new TypeError(`${option}: ${JSON.stringify(url)} is no absolute http(s) URL without query`)
  return trimmed
}

/** Whoever adds an option to its interface is asked by the compiler to name it here. */
const known = {
  options: {
    ...{
      publicUrl: true,
      storage: true,
      metadata: true,
      secret: true,
      auth: true,
      hooks: true,
      on: true,
      limits: true,
      transfer: true,
      multipart: true,
    },
    ...{
      logger: true,
      defaultPrivate: true,
      requireSif: true,
      acceptStorage: true,
      defaultEntity: true,
      defaultCollection: true,
      defaultArch: true,
    },
    ...{ keyserver: true, tokenPage: true, containerUrl: true, extensions: true, clock: true, generateId: true },
  } satisfies Record<keyof LibraryOptions, true>,
  auth: { authenticate: true, authorize: true, anonymousWrites: true, recall: true, visible: true } satisfies Record<
    keyof AuthHooks,
    true
  >,
}

function checkShape(options: LibraryOptions): void {
  checkKeys('', options, Object.keys(known.options))
  checkKeys('auth.', options.auth, Object.keys(known.auth))
  checkKeys('hooks.', options.hooks, hookNames)
  checkKeys('on.', options.on, eventNames)
  for (const name of ['publicUrl', 'storage', 'metadata'] as const)
    if (options[name] === undefined || options[name] === null) throw new TypeError(`${name}: is missing`)
  if (typeof options.publicUrl !== 'string' && typeof options.publicUrl !== 'function')
    throw new TypeError('publicUrl: must be a URL or a function')
  if (options.transfer !== undefined && options.transfer !== 'auto' && options.transfer !== 'proxy')
    throw new TypeError(`transfer: must be 'auto' or 'proxy'`)
  const { anonymousWrites } = options.auth ?? {}
  if (anonymousWrites !== undefined && typeof anonymousWrites !== 'boolean')
    throw new TypeError('auth.anonymousWrites: must be true or false')
  for (const name of ['multipart', 'defaultPrivate', 'requireSif', 'acceptStorage'] as const)
    if (options[name] !== undefined && typeof options[name] !== 'boolean')
      throw new TypeError(`${name}: must be true or false`)
}

/** Fills in the defaults; throws TypeError for an option that cannot work. */
export function resolveOptions(options: LibraryOptions): Settings {
  checkShape(options)
  const { publicUrl } = options
  if (options.secret === '')
    throw new TypeError('secret: is empty; leave it out, or give at least 32 random characters')
  const logger = options.logger ?? silent
  if (options.secret !== undefined && options.secret.length < 32)
    logger.warn({ length: options.secret.length }, 'the secret is short: use at least 32 random characters')
  const fixedUrl = typeof publicUrl === 'string' ? checkUrl('publicUrl', publicUrl) : undefined
  return {
    publicUrl:
      typeof publicUrl === 'string' ? () => fixedUrl as string : (request) => publicUrl(request).replace(/\/+$/, ''),
    transfer: options.transfer ?? 'auto',
    multipart: options.multipart ?? true,
    defaultPrivate: options.defaultPrivate ?? false,
    requireSif: options.requireSif ?? false,
    acceptStorage: options.acceptStorage ?? false,
    defaultEntity: checkName('defaultEntity', options.defaultEntity ?? 'library'),
    defaultCollection: checkName('defaultCollection', options.defaultCollection ?? 'default'),
    defaultArch: options.defaultArch ?? 'amd64',
    keyserver: options.keyserver === undefined ? undefined : checkUrl('keyserver', options.keyserver),
    tokenPage: options.tokenPage,
    containerUrl: options.containerUrl ?? ((path) => `v1/containers/${path}`),
    limits: checkLimits(options.limits ?? {}, options.storage),
    clock: options.clock ?? Date.now,
    generateId: options.generateId ?? (() => randomBytes(12).toString('hex')),
    logger,
  }
}
