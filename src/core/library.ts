/** createLibrary: the registry, put together from its options. */
import { randomBytes } from 'node:crypto'
import { isStorageError } from '../storage/blob/errors.js'
import { type Accounts, createAccounts } from './auth/accounts.js'
import { ownerPolicy } from './auth/policy.js'
import { createStorageMark } from './blobs/storage-mark.js'
import { createReadiness } from './discovery/readiness.js'
import { checkedAuth, checkedHooks } from './hooks/checked-hooks.js'
import { createEmitter } from './hooks/events.js'
import { createBodyBudget } from './http/body-budget.js'
import { isLibraryError } from './http/errors.js'
import type { LibraryRequest, LibraryResponse } from './http/messages.js'
import { type HandedBody, handOut, inPieces } from './http/response-body.js'
import { errorResponse } from './http/responses.js'
import { createRouter } from './http/router.js'
import { createUnreadAnswers } from './http/unread-answers.js'
import { createDownloadCounts } from './images/download-counts.js'
import { type PathVisibility, pathVisibility } from './namespaces/visibility.js'
import { makeOpenApi } from './openapi.js'
import { type LibraryOptions, resolveOptions } from './options.js'
import { handleRequest } from './pipeline.js'
import { routes } from './routes.js'
import type { Services } from './services.js'
import { type ReindexOptions, type ReindexResult, reindex } from './sidecars/reindex.js'
import { createSidecarWriter } from './sidecars/writer.js'
import { createReceiving } from './transfers/receiving.js'
import { createCapabilities } from './transfers/tokens.js'
import { createTransfers } from './transfers/urls.js'
import { type ExplainOptions, type Explanation, explain } from './upkeep/explain.js'
import { type SweepOptions, type SweepResult, sweep } from './upkeep/sweep.js'
import { type VerifyOptions, type VerifyResult, verify } from './upkeep/verify.js'

export interface Library {
  /** Creates the schema and what the storage needs. Also done by the first request; call it to fail early. After a failure it may be called again. */
  ready(): Promise<void>
  /** Answers a request; undefined = the path is not ours, hand it on. Never throws. */
  handle(request: LibraryRequest): Promise<LibraryResponse | undefined>
  /**
   * Waits for requests under way (`handle` and the bodies it gave out, one that nobody reads for `pullIdleSeconds` at the most), and for images that are proven after their push; stops `sweep` and `verify`; writes the sidecars that are due, for five seconds at the most; then closes storage and
   * metadata. Later requests get 503.
   */
  close(): Promise<void>
  /** The built-in accounts: users, groups, tokens. */
  readonly accounts: Accounts
  /** Ends stale uploads and deletes what nothing refers to. */
  sweep(options?: SweepOptions): Promise<SweepResult>
  /** Reads blobs back, hides what is damaged, shows what is whole again. */
  verify(options?: VerifyOptions): Promise<VerifyResult>
  /** Says of a storage key (or an upload id, image id, hash or digest) why its blob stays, or when a sweep deletes it. */
  explain(what: string, options?: ExplainOptions): Promise<readonly Explanation[]>
  /** Brings back from the sidecars in the storage what the metadata store has lost. Only adds; safe beside running servers, and to be repeated. */
  reindex(options?: ReindexOptions): Promise<ReindexResult>
  /** Shows, and with `change` sets, whether `entity`, `entity/collection` or `entity/collection/container` is private. */
  visibility(path: string, change?: 'private' | 'public'): Promise<PathVisibility>
  /** The OpenAPI 3.1 document of the routes. */
  openapi(): object
}

const secretSetting = 'transfer-secret'

/** In bytes: what the buffers of a connection take of a pull whose client reads nothing. */
const connectionBuffers = 4 * 1024 ** 2

/** Counts what is under way, so that `close` can wait for it. */
function createGate() {
  let active = 0
  let onIdle: (() => void) | undefined
  const leave = (): void => {
    active -= 1
    if (active === 0) onIdle?.()
  }
  return {
    enter: (): void => {
      active += 1
    },
    leave,
    idle: (): Promise<void> => (active === 0 ? Promise.resolve() : new Promise((resolve) => (onIdle = resolve))),
  }
}

/** Makes a registry. Throws TypeError for options that cannot work; opens nothing before `ready` or the first request. */
export function createLibrary(options: LibraryOptions): Library {
  const settings = resolveOptions(options)
  const { storage, metadata } = options
  const { clock, generateId } = settings
  const emit = createEmitter(options.on ?? {}, settings.logger)
  let secret = options.secret
  let document: object | undefined
  let closing: Promise<void> | undefined
  let preparing: Promise<void> | undefined
  let prepared = false

  const prepare = async (): Promise<void> => {
    await metadata.ready()
    secret ??= await metadata.settings.getOrSet(secretSetting, randomBytes(32).toString('base64url'))
    await storage.ready?.()
    await storageMark.settle()
    prepared = true
    // for what a crash or a migration left
    sidecars.nudge()
  }
  const ready = (): Promise<void> => {
    preparing ??= prepare().catch((error: unknown) => {
      preparing = undefined
      throw error
    })
    return preparing
  }
  const accounts = createAccounts({ metadata, clock, generateId, ready })
  const capabilities = createCapabilities({
    clock,
    secret: () => {
      if (secret === undefined) throw new Error('the secret is read before ready()')
      return secret
    },
  })
  const openapi = (): object => (document ??= makeOpenApi(routes))
  const gate = createGate()
  const inBackground: Services['inBackground'] = (work) => {
    gate.enter()
    work()
      .catch((err: unknown) => settings.logger.error({ err }, 'work in the background failed'))
      .finally(gate.leave)
  }
  const storageMark = createStorageMark({ storage, metadata, settings })
  const stopping = new AbortController()
  const sidecars = createSidecarWriter({ settings, storage, metadata, storageMark, inBackground })
  const downloads = createDownloadCounts({ metadata, settings })
  const services: Services = {
    settings,
    storage,
    metadata,
    auth: checkedAuth(options.auth ?? ownerPolicy({ authenticate: accounts.authenticate })),
    hooks: checkedHooks(options.hooks ?? {}),
    emit,
    transfers: createTransfers({ settings, storage, capabilities }),
    openapi,
    ready,
    isReady: () => prepared,
    readiness: createReadiness({ settings, storage, metadata, storageMark }),
    isClosing: () => closing !== undefined,
    inBackground: (work) =>
      inBackground(async () => {
        await work()
        sidecars.nudge()
      }),
    stopping: stopping.signal,
    storageMark,
    countDownload: downloads.count,
    sidecars,
    receiving: createReceiving(),
    bodies: createBodyBudget({
      maxBodies: settings.limits.maxJsonBodies,
      maxBytes: settings.limits.maxJsonBodiesBytes,
    }),
  }
  const router = createRouter(routes)
  const unread = createUnreadAnswers(settings.limits.maxUnreadBytes)
  const untilStopping = (signal: AbortSignal | undefined): AbortSignal =>
    signal === undefined ? stopping.signal : AbortSignal.any([signal, stopping.signal])
  /** Work that no request asked for: `close` waits for it too. */
  const tend = async <T>(work: () => Promise<T>): Promise<T> => {
    gate.enter()
    try {
      await ready()
      return await work()
    } finally {
      sidecars.nudge()
      gate.leave()
    }
  }

  const handle = async (request: LibraryRequest): Promise<LibraryResponse | undefined> => {
    gate.enter()
    let handedOut = false
    try {
      const response = await handleRequest(services, router, request)
      if (response !== undefined && request.method !== 'GET' && request.method !== 'HEAD') sidecars.nudge()
      if (response === undefined || response.body === null) return response
      const { body } = response
      const isAnswer = typeof body === 'string' || body instanceof Uint8Array
      const stream = isAnswer ? inPieces(body) : body
      if (stream === undefined) return response
      const requestId = response.headers['x-request-id']
      const { idleSeconds, pullIdleSeconds, pullStartSeconds } = settings.limits
      const handed: HandedBody = handOut(stream, {
        ...(isAnswer
          ? { idleSeconds: Math.min(idleSeconds, pullIdleSeconds) }
          : { idleSeconds: pullIdleSeconds, start: { seconds: pullStartSeconds, bytes: connectionBuffers } }),
        done: (err) => {
          unread.release(handed)
          gate.leave()
          if (isLibraryError(err, 'timeout')) {
            settings.logger.warn({ requestId, err }, 'a body was given up')
            // nobody asks for the next chunk, so that the adapter learns of it by this alone
            request.cut?.()
          }
          // a client that leaves is no fault; anything else cut the answer short, and the client saw only that
          else if (err !== undefined && !isStorageError(err, 'aborted'))
            settings.logger.error({ requestId, err }, 'a body was cut short')
        },
      })
      handedOut = true
      if (isAnswer && !unread.hold(handed, Buffer.byteLength(body))) {
        await handed[Symbol.asyncIterator]().return?.()
        return errorResponse(503, 'the registry sends too many answers at once: try again', {
          ...(requestId !== undefined && { 'x-request-id': requestId }),
          'retry-after': '5',
        })
      }
      return { ...response, body: handed }
    } finally {
      if (!handedOut) gate.leave()
    }
  }

  return {
    ready,
    handle,
    close: () => {
      stopping.abort()
      sidecars.stop()
      closing ??= gate.idle().then(async () => {
        try {
          await downloads.flush()
          await sidecars.flush()
          await storage.close?.()
        } finally {
          await metadata.close()
        }
      })
      return closing
    },
    accounts,
    sweep: (sweepOptions = {}) =>
      tend(() => sweep(services, { ...sweepOptions, signal: untilStopping(sweepOptions.signal) })),
    verify: (verifyOptions = {}) =>
      tend(() => verify(services, { ...verifyOptions, signal: untilStopping(verifyOptions.signal) })),
    explain: (what, explainOptions) => tend(() => explain(services, what, explainOptions)),
    reindex: (reindexOptions = {}) =>
      tend(() => reindex(services, { ...reindexOptions, signal: untilStopping(reindexOptions.signal) })),
    visibility: (path, change) => tend(() => pathVisibility({ metadata, clock }, path, change)),
    openapi,
  }
}
