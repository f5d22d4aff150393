/** createLibrary: the registry, put together from its options. */
import { randomBytes } from 'node:crypto'
import { isUint8Array } from 'node:util/types'
import { isStorageError } from '../storage/blob/errors.js'
import { may } from './auth/access.js'
import { type Accounts, createAccounts } from './auth/accounts.js'
import { ownerPolicy, type Principal } from './auth/policy.js'
import { createStorageMark } from './blobs/storage-mark.js'
import { noRequest, operatorAsks, personAsks } from './control/asker.js'
import type { Control } from './control/control.js'
import { createControl } from './control/create-control.js'
import { createReadiness } from './discovery/readiness.js'
import { documentsOf } from './extensions/documents-view.js'
import { jobsOf, keepersOf, type LoadedExtension, loadExtensions, pagesOf, routesOf } from './extensions/load.js'
import { storageBelow } from './extensions/storage-view.js'
import { checkedAuth, checkedHooks } from './hooks/checked-hooks.js'
import { addListeners, createEmitter } from './hooks/events.js'
import type { EventFacts, LibraryEventName, LibraryListener } from './hooks/hooks.js'
import { createBodyBudget } from './http/body-budget.js'
import { isLibraryError, retrySoon } from './http/errors.js'
import type { LibraryRequest, LibraryResponse } from './http/messages.js'
import { inPieces, type WatchedBody, withReaderTimeout } from './http/response-body.js'
import { errorResponse } from './http/responses.js'
import { createRouter } from './http/router.js'
import { createUnreadAnswers } from './http/unread-answers.js'
import { createCursors } from './images/cursors.js'
import { createDownloadCounts } from './images/download-counts.js'
import { type ImageInspection, inspectReference } from './images/inspect-reference.js'
import { createLifecycle } from './lifecycle.js'
import { type PathVisibility, pathVisibility, type VisibilityOptions } from './namespaces/visibility.js'
import { makeOpenApi } from './openapi.js'
import { type LibraryOptions, resolveOptions } from './options.js'
import { handleRequest } from './pipeline.js'
import { routes } from './routes.js'
import type { Services } from './services.js'
import { createLostImageKeeper } from './sidecars/lost-images.js'
import { type ReindexOptions, type ReindexResult, reindex } from './sidecars/reindex.js'
import { createSidecarWriter } from './sidecars/writer.js'
import { createReceiving } from './transfers/receiving.js'
import { createTransferTokens } from './transfers/tokens.js'
import { createTransfers } from './transfers/urls.js'
import { type ExplainOptions, type Explanation, explain } from './upkeep/explain.js'
import { type InspectAllOptions, type InspectAllResult, inspectAll, inspectJob } from './upkeep/inspect.js'
import { runIfDue } from './upkeep/jobs.js'
import { type SweepOptions, type SweepResult, sweep } from './upkeep/sweep.js'
import { startUpkeep, type UpkeepOptions } from './upkeep/timers.js'
import { type VerifyOptions, type VerifyResult, verify } from './upkeep/verify.js'

export interface Library {
  /**
   * Creates the schema and what the storage needs. Also done by the first request; call it to fail
   * early. After a failure it may be called again.
   */
  ready(): Promise<void>
  /** Answers a request; undefined = the path is not ours, hand it on. Never throws. */
  handle(request: LibraryRequest): Promise<LibraryResponse | undefined>
  /**
   * Waits for requests under way (`handle` and the bodies it gave out, one that nobody reads for
   * `pullIdleSeconds` at the most), and for images that are proven after their push; stops `sweep`
   * and `verify`; writes the sidecars that are due, for five seconds at the most; then closes
   * storage and metadata. Later requests get 503.
   */
  close(): Promise<void>
  /**
   * The use cases of people for one of them: the hooks are asked, and events name the principal.
   * `request`: what hooks are told of, and what URLs are made for; needed where `publicUrl` is a
   * function that reads it. Default: an empty one.
   */
  as(principal: Principal | null, options?: { readonly request?: LibraryRequest }): Control
  /**
   * The same for the host's own jobs: `authorize` is not asked, and events name nobody. Hooks are
   * still called.
   */
  readonly operator: Control
  /** The built-in accounts: users, groups, tokens. */
  readonly accounts: Accounts
  /** Ends stale uploads and deletes what nothing refers to. */
  sweep(options?: SweepOptions): Promise<SweepResult>
  /**
   * What the file of an image says of itself: recorded when it was published, read now where it was
   * not. `reference` is `entity/collection/container`, with `:tag` or `:sha256.HASH`, as clients
   * write it; `arch` as in a pull. Asks nobody whether they may: definition file and labels are for
   * those who may pull the image. Throws LibraryError `not-found`, `invalid-name`.
   */
  inspect(reference: string, options?: { readonly arch?: string }): Promise<ImageInspection>
  /**
   * Inspects what an earlier version published, and what `reindex` put back; `startUpkeep` does so
   * too.
   */
  inspectAll(options?: InspectAllOptions): Promise<InspectAllResult>
  /** Reads blobs back, hides what is damaged, shows what is whole again. */
  verify(options?: VerifyOptions): Promise<VerifyResult>
  /**
   * Starts the repeated work: sweeps, proofs of what is unproven, and the jobs of extensions. Safe
   * on every instance. The returned function stops it, and so does `close`. Throws TypeError for a
   * period that is none.
   */
  startUpkeep(options?: UpkeepOptions): () => void
  /**
   * Says of a storage key (or an upload id, image id, hash or digest) why its blob stays, or when a
   * sweep deletes it.
   */
  explain(what: string, options?: ExplainOptions): Promise<readonly Explanation[]>
  /**
   * Brings back from the sidecars in the storage what the metadata store has lost. Only adds; safe
   * beside running servers, and to be repeated.
   */
  reindex(options?: ReindexOptions): Promise<ReindexResult>
  /**
   * Shows, and with `change` sets, whether `entity`, `entity/collection` or
   * `entity/collection/container` is private; with `create` makes it before its first push.
   */
  visibility(path: string, change?: 'private' | 'public', options?: VisibilityOptions): Promise<PathVisibility>
  /**
   * Adds a listener for an event, as `on` of the options does; the returned function removes it.
   * Listeners are called in the order in which they were added; what one throws is logged and
   * breaks nothing. Throws TypeError for an unknown event.
   */
  on<Name extends LibraryEventName>(name: Name, listener: LibraryListener<Name>): () => void
  /** The OpenAPI 3.1 document of the routes. */
  openapi(): object
}

const secretSetting = 'transfer-secret'

/** In bytes: what the buffers of a connection take of a pull whose client reads nothing. */
const connectionBuffers = 4 * 1024 ** 2

/**
 * Makes a registry. Throws TypeError for options that cannot work; opens nothing before `ready` or
 * the first request.
 */
export function createLibrary(options: LibraryOptions): Library {
  const settings = resolveOptions(options)
  const { storage, metadata } = options
  const { clock, generateId } = settings
  const { emit, on } = createEmitter(options.on ?? {}, settings)
  let secret = options.secret
  let document: object | undefined

  const lifecycle = createLifecycle({
    logger: settings.logger,
    prepare: async () => {
      await metadata.ready((progress) => settings.logger.info(progress, 'the database is being migrated'))
      secret ??= await metadata.settings.getOrSet(secretSetting, randomBytes(32).toString('base64url'))
      await storage.ready?.()
      const blocked = settings.transfer === 'proxy' ? undefined : storage.presign?.uploadsBlocked
      if (blocked !== undefined)
        settings.logger.warn({ reason: blocked }, 'uploads go through this server; doctor says what to change')
      await storageMark.establish()
      for (const { parts } of extensions) await parts.ready?.()
      // for what a crash or a migration left
      sidecars.nudge()
    },
  })
  const { ready, enter, stopping } = lifecycle
  const accounts = createAccounts({
    metadata,
    clock,
    generateId,
    ready,
    defaultEntity: settings.defaultEntity,
    emit: (name, facts) => emit(name, facts as unknown as EventFacts<typeof name>),
  })
  const knownSecret = (): string => {
    if (secret === undefined) throw new Error('the secret is read before ready()')
    return secret
  }
  const transferTokens = createTransferTokens({ clock, secret: knownSecret })
  const storageMark = createStorageMark({ storage, metadata, settings })
  const sidecars = createSidecarWriter({
    settings,
    storage,
    metadata,
    storageMark,
    inBackground: lifecycle.inBackground,
  })
  const downloads = createDownloadCounts({ metadata, settings })
  const auth = checkedAuth(
    options.auth ?? ownerPolicy({ authenticate: accounts.authenticate, recall: accounts.recall }),
  )
  const extensions: readonly LoadedExtension[] = loadExtensions(options.extensions ?? [], (name) => ({
    publicUrl: settings.publicUrl,
    metadata,
    accounts,
    storage: storageBelow(storage, `extensions/${name}/`),
    documents: documentsOf({ metadata, clock }, name),
    may: ({ principal, request, action, resource }) => may({ auth, principal, request }, action, resource),
    control: (person) => createControl({ services, accounts, run: (work) => work() }, personAsks(services, person)),
    logger: settings.logger,
    clock,
    generateId,
    inBackground: lifecycle.inBackground,
    stopping,
  }))
  for (const { parts } of extensions) addListeners(on, parts.on ?? {})
  const table = [...routes, ...routesOf(extensions)]
  const services: Services = {
    settings: { ...settings, ...pagesOf(options, extensions) },
    storage,
    metadata,
    auth,
    hooks: checkedHooks(options.hooks ?? {}, ...extensions.map(({ parts }) => parts.hooks ?? {})),
    emit,
    transfers: createTransfers({ settings, storage, transferTokens }),
    cursors: createCursors({ secret: knownSecret }),
    openapi: () => (document ??= makeOpenApi(table)),
    ready,
    isReady: lifecycle.isReady,
    readiness: createReadiness({ settings, storage, metadata, storageMark }),
    isClosing: lifecycle.isClosing,
    inBackground: (work) =>
      lifecycle.inBackground(async () => {
        await work()
        sidecars.nudge()
      }),
    stopping,
    storageMark,
    keepers: [createLostImageKeeper({ storage, metadata }), ...keepersOf(extensions)],
    countDownload: downloads.count,
    sidecars,
    receiving: createReceiving(),
    bodies: createBodyBudget({
      maxBodies: settings.limits.maxJsonBodies,
      maxBytes: settings.limits.maxJsonBodiesBytes,
    }),
  }
  const router = createRouter(table)
  const rootRouter = createRouter(table.filter(({ root }) => root === true))
  const unread = createUnreadAnswers(settings.limits.maxUnreadBytes)
  const untilStopping = (signal: AbortSignal | undefined): AbortSignal =>
    signal === undefined ? stopping : AbortSignal.any([signal, stopping])
  /** Work that no request asked for: `close` waits for it too. */
  const runMaintenance = async <T>(work: () => Promise<T>): Promise<T> => {
    const leave = enter()
    try {
      await ready()
      return await work()
    } finally {
      sidecars.nudge()
      leave()
    }
  }

  const controlParts = () => ({ services, accounts, run: runMaintenance })

  const handle = async (request: LibraryRequest): Promise<LibraryResponse | undefined> => {
    const leave = enter()
    let isWatched = false
    try {
      const response = await handleRequest(services, request.root === true ? rootRouter : router, request)
      if (response !== undefined && request.method !== 'GET' && request.method !== 'HEAD') sidecars.nudge()
      if (response === undefined || response.body === null) return response
      const { body } = response
      const isAnswer = typeof body === 'string' || isUint8Array(body)
      const stream = isAnswer ? inPieces(body) : body
      if (stream === undefined) return response
      const requestId = response.headers['x-request-id']
      const { idleSeconds, pullIdleSeconds, pullStartSeconds } = settings.limits
      const watched: WatchedBody = withReaderTimeout(stream, {
        ...(isAnswer
          ? { idleSeconds: Math.min(idleSeconds, pullIdleSeconds) }
          : { idleSeconds: pullIdleSeconds, start: { seconds: pullStartSeconds, bytes: connectionBuffers } }),
        done: (err) => {
          unread.release(watched)
          leave()
          if (isLibraryError(err, 'timeout')) {
            settings.logger.warn({ requestId, err }, 'a body was given up')
            // nobody asks for the next chunk, so that the adapter learns of it by this alone
            request.cut?.()
          }
          // a client that leaves is no fault; anything else cut the answer short, and the client
          // saw only that
          else if (err !== undefined && !isStorageError(err, 'aborted'))
            settings.logger.error({ requestId, err }, 'a body was cut short')
        },
      })
      isWatched = true
      if (isAnswer && !unread.hold(watched, Buffer.byteLength(body))) {
        await watched[Symbol.asyncIterator]().return?.()
        return errorResponse(503, 'the registry sends too many answers at once: try again', {
          ...(requestId !== undefined && { 'x-request-id': requestId }),
          ...retrySoon,
        })
      }
      return { ...response, body: watched }
    } finally {
      if (!isWatched) leave()
    }
  }

  const sweepNow = (sweepOptions: SweepOptions = {}): Promise<SweepResult> =>
    runMaintenance(() => sweep(services, { ...sweepOptions, signal: untilStopping(sweepOptions.signal) }))
  const verifyNow = (verifyOptions: VerifyOptions = {}): Promise<VerifyResult> =>
    runMaintenance(() => verify(services, { ...verifyOptions, signal: untilStopping(verifyOptions.signal) }))
  const inspectAllNow = (inspectOptions: InspectAllOptions = {}): Promise<InspectAllResult> =>
    runMaintenance(() => inspectAll(services, { ...inspectOptions, signal: untilStopping(inspectOptions.signal) }))
  const upkeep = new Set<() => void>()

  return {
    ready,
    handle,
    close: () => {
      for (const stop of upkeep) stop()
      sidecars.stop()
      return lifecycle.close(async () => {
        try {
          await downloads.flush()
          await sidecars.flush()
          for (const { name, parts } of extensions)
            await parts.close?.().catch((err: unknown) => settings.logger.error({ err }, `${name} did not close`))
          await storage.close?.()
        } finally {
          await metadata.close()
        }
      })
    },
    as: (principal, { request = noRequest } = {}) =>
      createControl(controlParts(), personAsks(services, { principal, request })),
    operator: createControl(controlParts(), operatorAsks),
    accounts,
    sweep: sweepNow,
    verify: verifyNow,
    inspect: (reference, { arch } = {}) => runMaintenance(() => inspectReference(services, reference, arch)),
    inspectAll: inspectAllNow,
    startUpkeep: (upkeepOptions) => {
      const stop = startUpkeep(
        {
          sweep: sweepNow,
          verify: verifyNow,
          jobs: [inspectJob(inspectAllNow, settings.logger), ...jobsOf(extensions)],
          runIfDue: (job, signal) =>
            runMaintenance(() => runIfDue({ metadata, clock, logger: settings.logger }, job, untilStopping(signal))),
          logger: settings.logger,
        },
        upkeepOptions,
      )
      upkeep.add(stop)
      return () => {
        upkeep.delete(stop)
        stop()
      }
    },
    explain: (what, explainOptions) => runMaintenance(() => explain(services, what, explainOptions)),
    reindex: (reindexOptions = {}) =>
      runMaintenance(() => reindex(services, { ...reindexOptions, signal: untilStopping(reindexOptions.signal) })),
    visibility: (path, change, visibilityOptions) =>
      runMaintenance(async () => {
        const stores = { metadata, clock, generateId, defaultPrivate: settings.defaultPrivate }
        // absent before: only a change that makes it finds it afterwards
        const before = change === undefined ? undefined : await pathVisibility(stores, path).catch(() => undefined)
        const now = await pathVisibility(stores, path, change, visibilityOptions)
        if (change !== undefined && before?.private !== now.private)
          emit('visibility.changed', { kind: now.kind, path, private: now.private })
        return now
      }),
    on,
    openapi: services.openapi,
  }
}
