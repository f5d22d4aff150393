/**
 * `sif-library/extension`: the contract of a capability that is added to a registry. Experimental
 * until 1.0.
 *
 *     createLibrary({ …, extensions: [one(), two()] })
 * @module
 */

import type { StorageBackend } from '../storage/blob/contract.js'
import type { DocumentRecord, MetadataStore } from '../storage/metadata/contract.js'
import type { Accounts } from './auth/accounts.js'
import type { Action, Principal, Resource } from './auth/policy.js'
import type { Control } from './control/control.js'
import type { LibraryHooks, LibraryListeners } from './hooks/hooks.js'
import type { LibraryError } from './http/errors.js'
import type { Logger } from './http/logger.js'
import type { LibraryRequest, LibraryResponse } from './http/messages.js'
import type { RouteContext, RouteRow } from './route.js'

export type { DocumentRecord } from '../storage/metadata/contract.js'
export type { Located } from './auth/access.js'
export type { Accounts } from './auth/accounts.js'
export type { Action, Principal, Resource } from './auth/policy.js'
export { registryResource } from './auth/resources.js'
export { endedSessionCookie, sessionCookie } from './auth/session-cookie.js'
export type * from './control/control.js'
export type * from './control/records.js'
export type { LibraryHooks, LibraryListeners } from './hooks/hooks.js'
export { isLibraryError, LibraryError, type LibraryErrorCode } from './http/errors.js'
export type { Logger } from './http/logger.js'
export type { LibraryRequest, LibraryResponse } from './http/messages.js'
export { dataResponse, emptyResponse, jsonResponse, textResponse } from './http/responses.js'

/** A capability of a registry, made by a factory with options of its own. */
export interface LibraryExtension {
  /**
   * Kebab case, unique in one registry. Begins the names of its routes (`feed.atom`), and owns its
   * documents and the keys of the storage below `extensions/<name>/`.
   */
  readonly name: string
  /** Called once by `createLibrary`, in the order of the list. Does no I/O. */
  setup(host: ExtensionHost): ExtensionParts
}

/** What an extension may use: a stable part of the registry, never all of it. */
export interface ExtensionHost {
  /** Where clients reach the mount of the registry, without a trailing slash. */
  readonly publicUrl: (request: LibraryRequest) => string
  readonly metadata: MetadataStore
  /** The built-in accounts. */
  readonly accounts: Accounts
  /** The storage, seen from below `extensions/<name>/`. */
  readonly storage: StorageBackend
  /** Small JSON records of this extension alone. */
  readonly documents: ExtensionDocuments
  /** Asks as the core does: the scopes of the credentials first, then the host's `authorize`. */
  readonly may: (question: {
    readonly principal: Principal | null
    readonly request: LibraryRequest
    readonly action: Action
    readonly resource: Resource
  }) => boolean | Promise<boolean>
  /**
   * The use cases of people, for who asks: every one asks the hooks, and events name the principal.
   */
  readonly control: (person: {
    readonly principal: Principal | null
    readonly request: LibraryRequest
    readonly requestId?: string
  }) => Control
  readonly logger: Logger
  /** Now, in milliseconds since 1970. */
  readonly clock: () => number
  /** A new unguessable id of 24 lower-case hex digits. */
  readonly generateId: () => string
  /** Starts work that outlives its request. `close` waits for it, and its errors are logged. */
  readonly inBackground: (work: () => Promise<unknown>) => void
  /** Fires when `close` is called. */
  readonly stopping: AbortSignal
}

/**
 * Documents of one extension; see `DocumentStore` of the metadata store for what two writers see.
 */
export interface ExtensionDocuments {
  get(kind: string, id: string): Promise<DocumentRecord | undefined>
  /**
   * Writes only over the version `expected`, or only where there is no document when `expected` is
   * absent. Returns the new version; undefined = another writer was first. Throws TypeError for a
   * value of more than 4 MiB as JSON, and for a kind, id or index of more than 512 characters.
   */
  put(
    kind: string,
    id: string,
    write: { readonly value: unknown; readonly index?: string | null; readonly expected?: number },
  ): Promise<number | undefined>
  /** Only the version `expected` where that is given. False when there was none. */
  delete(kind: string, id: string, expected?: number): Promise<boolean>
  /**
   * By id, ascending (`newestFirst`: descending), of this index where that is given, behind the id
   * `after`.
   */
  list(
    kind: string,
    page: {
      readonly index?: string
      readonly after?: string
      readonly newestFirst?: boolean
      readonly limit: number
    },
  ): Promise<readonly DocumentRecord[]>
}

/** Repeated work of an extension. */
export interface ExtensionJob {
  /** Unique in its extension. */
  readonly name: string
  /** From the end of one run to the start of the next, over all instances; 1 to 86,400. */
  readonly everySeconds: number
  /**
   * Called on one instance at a time. What it throws is logged, and the job is due again after
   * `everySeconds`.
   */
  run(signal: AbortSignal): Promise<void>
}

/** Pages that an extension serves, relative to the public URL. */
export interface ExtensionPages {
  /** Where a user gets a token: `GET auth/tokens` leads there (option `tokenPage`). */
  readonly tokens?: string
  /** Page of the container `E/C/N`: the client prints it after a push (option `containerUrl`). */
  readonly container?: (path: string) => string
}

/** A row of an extension, as `defineRoute` returns it. */
export type ExtensionRoute = RouteRow

/** Every member is optional; absent = not offered. */
export interface ExtensionParts {
  /**
   * Their names begin with the name of the extension and a dot. Two rows of one path and method are
   * refused at start.
   */
  readonly routes?: readonly ExtensionRoute[]
  /**
   * Who asks, on the extension's own rows. undefined = as the host says. Throws LibraryError
   * `unauthorized` for bad credentials.
   */
  readonly authenticate?: (
    request: LibraryRequest,
  ) => Principal | null | undefined | Promise<Principal | null | undefined>
  /**
   * The answer to an error on the extension's own rows. Default: the envelope of the library
   * protocol.
   */
  readonly renderError?: (error: LibraryError, request: LibraryRequest, requestId: string) => LibraryResponse
  /** Called behind those of the host; each may refuse. */
  readonly hooks?: LibraryHooks
  /** Called behind those of the host. */
  readonly on?: LibraryListeners
  /**
   * Why a blob must stay although no image refers to it, as words that follow "kept because";
   * undefined = no objection.
   */
  readonly keeps?: (blobKey: string) => Promise<string | undefined>
  /**
   * Pages that clients are told of, where the host names none in its options. Of two extensions the
   * first counts.
   */
  readonly pages?: ExtensionPages
  /** Run where `library.startUpkeep()` runs. */
  readonly jobs?: readonly ExtensionJob[]
  /** Called once after metadata and storage are ready; again where it threw. */
  ready?(): Promise<void>
  /** Called by `close`, after the last request ended and before storage and metadata close. */
  close?(): Promise<void>
}

/** What the handler of an extension's row gets. */
export type ExtensionContext<B, R> = Omit<RouteContext<B, R>, 'services'>

type RowWithServices<B, R> = RouteRow<B, R>

/** A row as an extension writes it: the same members as the library's own, without its services. */
export type ExtensionRouteSpec<B, R> = Omit<RowWithServices<B, R>, 'handler'> & {
  readonly handler: (context: ExtensionContext<B, R>) => Promise<LibraryResponse> | LibraryResponse
}

/** Checks one row with its own types, then forgets them. */
export function defineRoute<B, R>(row: ExtensionRouteSpec<B, R>): ExtensionRoute {
  return row as unknown as ExtensionRoute
}
