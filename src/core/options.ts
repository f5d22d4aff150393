/** What a host hands to `createLibrary`, and the defaults. */
import { randomBytes } from 'node:crypto'
import type { StorageBackend } from '../storage/blob/contract.js'
import type { MetadataStore } from '../storage/metadata/contract.js'
import type { AuthHooks } from './auth/policy.js'
import { hookNames } from './hooks/checked-hooks.js'
import { eventNames, type LibraryHooks, type LibraryListeners } from './hooks/hooks.js'
import type { LibraryRequest } from './http/messages.js'
import { checkName } from './model/references.js'

/** Shaped like pino: an object of facts first, then the words. */
export interface Logger {
  debug(facts: object, message?: string): void
  info(facts: object, message?: string): void
  warn(facts: object, message?: string): void
  error(facts: object, message?: string): void
}

export interface LibraryLimits {
  /** Largest image in bytes. Default: 5 TiB (5,497,558,138,880), or what the storage takes, if that is less. */
  readonly maxImageBytes?: number
  /** Largest JSON body in bytes. Default: 2 MiB (2,097,152); a complete of 10,000 parts has about 0.7 MB. */
  readonly maxJsonBytes?: number
  /** Part size in bytes that multipart plans start from; larger where 10,000 parts would not do. Default: 64 MiB (67,108,864). */
  readonly partBytes?: number
  /** Lifetime of upload and pull URLs in seconds. A pull asks for ranges until it ends, so it must outlive the slowest one (protocol 5.7). Default: 86,400 (a day). */
  readonly presignSeconds?: number
  /** When an upload without a sign of life counts as stale, in seconds. Default: 86,400 (a day). */
  readonly uploadSeconds?: number
  /** How long a body may stand still before it is given up, in seconds; a slow one that moves is never cut, only a JSON body has five times as long in all. Default: 60. */
  readonly idleSeconds?: number
  /**
   * How long the reader of an image may take no byte, in seconds, before its pull is ended; a body that is never read is let go after the same time. Default: 3,600. It is asked for
   * by chunks of up to 1 MiB, so a reader of 300 bytes per second is never cut.
   */
  readonly pullIdleSeconds?: number
  /**
   * The same for the start of a pull, in seconds: as long as no more of it was taken than the buffers of a connection
   * hold (4 MiB), its reader may have read nothing at all. Default: 300, or `pullIdleSeconds` where that is shorter.
   */
  readonly pullStartSeconds?: number
  /** JSON bodies under way at once, over all connections; a quarter of them for one principal. More are answered with 503 and `retry-after`. Default: 1,000. */
  readonly maxJsonBodies?: number
  /** Bytes in memory of all JSON bodies under way; a quarter of them for one principal. More are answered with 503 and `retry-after`. Default: 64 MiB (67,108,864). */
  readonly maxJsonBodiesBytes?: number
  /** Bytes of JSON answers that clients have asked for and not read yet; beyond them those that stood still for the longest time are cut. Default: 32 MiB (33,554,432). */
  readonly maxUnreadBytes?: number
  /** Uploads that one principal may have under way; one more is answered with 429. Default: 1,000. */
  readonly maxPrincipalUploads?: number
  /** Uploads of one image under way. One more takes the place of the oldest one of the same principal, and is answered with 429 where that has none. Default: 100. */
  readonly maxImageUploads?: number
  /** Images that one principal has made and not uploaded; one more is answered with 429. Default: 1,000. */
  readonly maxPendingImages?: number
  /** Collections, containers and images of one entity together; one more is answered with 403. Default: 250,000. */
  readonly maxEntityRecords?: number
  /** Tags of one container, of all archs together; one more is answered with 403. Default: 10,000. */
  readonly maxContainerTags?: number
  /** Quota in bytes of entities that have none of their own; 0 = unlimited. Default: 0. */
  readonly maxEntityBytes?: number
}

export interface LibraryOptions {
  /**
   * Where clients reach this mount, such as `https://portal.example/library`; or a function of the request, where one server has several names. Upload and pull URLs start with
   * it. Forwarded headers count only if such a function reads them.
   */
  readonly publicUrl: string | ((request: LibraryRequest) => string)
  readonly storage: StorageBackend
  readonly metadata: MetadataStore
  /** Signs transfer URLs; the same on every instance. Default: one is made on the first start and kept in the metadata store. */
  readonly secret?: string | undefined
  /** Default: `ownerPolicy` over the built-in accounts (`library.accounts`), so nobody can write before a token was made. */
  readonly auth?: AuthHooks
  readonly hooks?: LibraryHooks
  /** Listeners for events; what they throw is logged and breaks nothing. */
  readonly on?: LibraryListeners
  readonly limits?: LibraryLimits
  /** `proxy` keeps image bytes of clients on this server even where the storage could hand out URLs of its own. Default: `auto`. */
  readonly transfer?: 'auto' | 'proxy'
  /** false answers 404 to a multipart start: clients then send one PUT. Default: true. */
  readonly multipart?: boolean
  /** Default: silent. */
  readonly logger?: Logger
  /** New entities start private. Default: false. */
  readonly defaultPrivate?: boolean
  /** Refuse bytes that are no SIF file. Default: false. */
  readonly requireSif?: boolean
  /**
   * Work with this storage although it is not the one that the metadata store knows: it was emptied or replaced on purpose. For one start; later ones refuse again whatever looks like a
   * volume that is not mounted. Default: false.
   */
  readonly acceptStorage?: boolean
  /** What a reference of one or two parts leaves out (protocol 2.3), and the arch that is meant where none is said. Defaults: `library`, `default`, `amd64`. */
  readonly defaultEntity?: string
  readonly defaultCollection?: string
  readonly defaultArch?: string
  /** Keyserver that discovery names, without a trailing slash. Default: the public URL, which answers 404 to key look-ups: clients warn and go on. */
  readonly keyserver?: string
  /** Page where a user gets a token; `GET auth/tokens`, which `remote login` prints, redirects there. Default: a short text. */
  readonly tokenPage?: string
  /** Page of a container, relative to the public URL; the client prints it after a push. Default: its JSON object, `v1/containers/E/C/N`. */
  readonly containerUrl?: (path: string) => string
  /** Now, in milliseconds since 1970. Default: Date.now. */
  readonly clock?: () => number
  /** A new unguessable id of 24 lower-case hex digits (protocol 2.4). Default: 12 random bytes. */
  readonly generateId?: () => string
}

/** The options with every default filled in. */
export interface Settings {
  readonly publicUrl: (request: LibraryRequest) => string
  readonly transfer: 'auto' | 'proxy'
  readonly multipart: boolean
  readonly defaultPrivate: boolean
  readonly requireSif: boolean
  readonly acceptStorage: boolean
  readonly defaultEntity: string
  readonly defaultCollection: string
  readonly defaultArch: string
  readonly keyserver: string | undefined
  readonly tokenPage: string | undefined
  readonly containerUrl: (path: string) => string
  readonly limits: Required<LibraryLimits>
  readonly clock: () => number
  readonly generateId: () => string
  readonly logger: Logger
}

const MiB = 1024 * 1024
const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

function checkUrl(option: string, url: string): string {
  const trimmed = url.replace(/\/+$/, '')
  if (!/^https?:\/\/[^/\s?#]+[^\s?#]*$/.test(trimmed))
    throw new TypeError(`${option}: ${JSON.stringify(url)} is no absolute http(s) URL without query`)
  return trimmed
}

/** A timer of Node that is longer than 2^31 - 1 ms runs out at once. */
const longestTimerSeconds = 2_147_483

function checkLimits(limits: LibraryLimits, storage: StorageBackend): Required<LibraryLimits> {
  const { maxParts, maxPartSize, maxPutSize } = storage.limits
  const largest =
    storage.multipart === undefined
      ? maxPutSize
      : Math.max(maxPutSize, Math.min(maxParts * maxPartSize, Number.MAX_SAFE_INTEGER))
  const filled: Required<LibraryLimits> = {
    maxImageBytes: Math.min(limits.maxImageBytes ?? 5 * 1024 ** 4, largest),
    maxJsonBytes: limits.maxJsonBytes ?? 2 * MiB,
    partBytes: limits.partBytes ?? 64 * MiB,
    presignSeconds: limits.presignSeconds ?? 86_400,
    uploadSeconds: limits.uploadSeconds ?? 86_400,
    idleSeconds: limits.idleSeconds ?? 60,
    pullIdleSeconds: limits.pullIdleSeconds ?? 3600,
    pullStartSeconds: limits.pullStartSeconds ?? Math.min(300, limits.pullIdleSeconds ?? 300),
    maxJsonBodies: limits.maxJsonBodies ?? 1000,
    maxJsonBodiesBytes: limits.maxJsonBodiesBytes ?? 64 * MiB,
    maxUnreadBytes: limits.maxUnreadBytes ?? 32 * MiB,
    maxPrincipalUploads: limits.maxPrincipalUploads ?? 1000,
    maxImageUploads: limits.maxImageUploads ?? 100,
    maxPendingImages: limits.maxPendingImages ?? 1000,
    maxEntityRecords: limits.maxEntityRecords ?? 250_000,
    maxContainerTags: limits.maxContainerTags ?? 10_000,
    maxEntityBytes: limits.maxEntityBytes ?? 0,
  }
  checkKeys('limits.', limits, Object.keys(filled))
  for (const [name, value] of Object.entries(filled)) {
    const smallest = name === 'maxEntityBytes' ? 0 : 1
    const highest = /^(?:idle|pullIdle|pullStart)Seconds$/.test(name) ? longestTimerSeconds : Number.MAX_SAFE_INTEGER
    if (!Number.isSafeInteger(value) || value < smallest || value > highest)
      throw new TypeError(`limits.${name}: ${value} is no whole number in range`)
  }
  return filled
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
    ...{ keyserver: true, tokenPage: true, containerUrl: true, clock: true, generateId: true },
  } satisfies Record<keyof LibraryOptions, true>,
  auth: { authenticate: true, authorize: true, anonymousWrites: true, visible: true } satisfies Record<
    keyof AuthHooks,
    true
  >,
}

/** A misspelt gate would never run. Objects of a class of the host may have what they like. */
function checkKeys(where: string, value: object | undefined, names: readonly string[]): void {
  if (value === undefined || Object.getPrototypeOf(value) !== Object.prototype) return
  const unknown = Object.keys(value).find((key) => !names.includes(key))
  if (unknown !== undefined) throw new TypeError(`unknown option ${where}${unknown}: there are ${names.join(', ')}`)
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
