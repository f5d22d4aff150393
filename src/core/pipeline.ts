/** One request: match, authenticate, decode, authorize, handle. Every throw ends in the one `catch` here. */
import { randomBytes } from 'node:crypto'
import { isStorageError } from '../storage/blob/errors.js'
import { isMetadataError } from '../storage/metadata/errors.js'
import { authorize } from './auth/access.js'
import { isLibraryError, LibraryError } from './http/errors.js'
import { readJsonBody } from './http/json-body.js'
import type { LibraryRequest, LibraryResponse } from './http/messages.js'
import { readHeader } from './http/messages.js'
import { parseQuery } from './http/query.js'
import { errorResponse } from './http/responses.js'
import type { Match, Router } from './http/router.js'
import type { RouteContext, RouteRow } from './route.js'
import type { Services } from './services.js'

const requestIdPattern = /^[A-Za-z0-9._-]{1,64}$/
const instance = randomBytes(6).toString('hex')
let requests = 0

/** The host's request id where it set a harmless one, otherwise the next of ours. */
function requestIdOf(request: LibraryRequest): string {
  const given = readHeader(request, 'x-request-id')
  if (given !== undefined && requestIdPattern.test(given)) return given
  requests += 1
  return `${instance}-${requests.toString(36)}`
}

/** Maps whatever was thrown to the error that the client reads. The text of unknown errors stays in the log. */
export function toLibraryError(error: unknown, requestId: string): LibraryError {
  if (isLibraryError(error)) return error
  if (isStorageError(error)) {
    const cause = { cause: error }
    switch (error.code) {
      case 'size-mismatch':
        return new LibraryError('size-mismatch', 'more or fewer bytes came than were announced', cause)
      case 'digest-mismatch':
        return new LibraryError(
          'digest-mismatch',
          'the bytes do not have the announced SHA-256: they were damaged on the way, send them again',
          cause,
        )
      case 'upload-not-found':
        return new LibraryError('gone', 'the upload is gone: push again', cause)
      // only of an upload, whose completion stood still for so long that a sweep took it for left by a crash: a pull says so itself
      case 'not-found':
        return new LibraryError('gone', 'the bytes of the upload are gone: push again', cause)
      case 'invalid-range':
        return new LibraryError('invalid-range', undefined, cause)
      case 'no-space':
        return new LibraryError('insufficient-storage', undefined, cause)
      case 'aborted':
        // a backend wraps whatever the body threw: our own idle time-out comes back this way
        return isLibraryError(error.cause) ? error.cause : new LibraryError('client-closed', undefined, cause)
      case 'unavailable':
        return new LibraryError('unavailable', undefined, { ...cause, headers: { 'retry-after': '5' } })
      default:
        return new LibraryError('internal', `the storage failed (request ${requestId})`, cause)
    }
  }
  if (isMetadataError(error)) {
    const cause = { cause: error }
    switch (error.code) {
      case 'quota-exceeded':
        return new LibraryError('quota-exceeded', error.message, cause)
      case 'parent-missing':
      case 'image-missing':
        return new LibraryError('conflict', 'it was deleted in the meantime: push again', cause)
      case 'unavailable':
      case 'closed':
        return new LibraryError('unavailable', undefined, { ...cause, headers: { 'retry-after': '5' } })
      default:
        return new LibraryError('internal', `the metadata store failed (request ${requestId})`, cause)
    }
  }
  return new LibraryError('internal', `an internal fault (request ${requestId})`, { cause: error })
}

/** Milliseconds that a request waits for the first start of the stores, which goes on without it. */
const prepareMs = 8000

async function prepare(services: Services, patienceMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not prepared within ${patienceMs / 1000} s`)), patienceMs)
  })
  try {
    await Promise.race([services.ready(), late]).finally(() => clearTimeout(timer))
  } catch (error) {
    throw new LibraryError('unavailable', 'the registry is not ready: its storage or metadata store does not answer', {
      cause: error,
      headers: { 'retry-after': '5' },
    })
  }
}

/** One object goes through all stages and is filled on the way: copying it at each stage was a third of the cost of a small request. */
type Filling = { -readonly [Key in keyof RouteContext<unknown, unknown>]: RouteContext<unknown, unknown>[Key] }

function begin(services: Services, match: Match, request: LibraryRequest, requestId: string): Filling {
  return {
    services,
    request,
    requestId,
    principal: null,
    params: match.params,
    rest: match.rest,
    query: parseQuery(request.query),
    body: undefined,
    record: undefined,
    resource: undefined,
  }
}

async function run(row: RouteRow, context: Filling): Promise<LibraryResponse> {
  const { services, request } = context
  if (row.standalone === undefined && !services.isReady()) await prepare(services, row.prepareMs ?? prepareMs)
  // before any byte of the body is read
  if (row.access !== 'public') context.principal = (await services.auth.authenticate?.(request)) ?? null
  if (typeof row.body === 'object') context.body = await readBody(services, row, request)
  if (typeof row.access === 'object') {
    const located = await row.access.locate(context)
    context.resource = located?.resource
    context.record = await authorize(
      { auth: services.auth, principal: context.principal, request },
      row.access.action,
      located,
    )
  }
  return row.handler(context)
}

function readBody(services: Services, row: RouteRow, request: LibraryRequest): Promise<unknown> {
  if (typeof row.body !== 'object') return Promise.resolve(undefined)
  const { limits } = services.settings
  return readJsonBody(request, { schema: row.body.schema, limit: limits.maxJsonBytes, idleSeconds: limits.idleSeconds })
}

function withoutBody(response: LibraryResponse): LibraryResponse {
  if (response.body !== null && typeof response.body === 'object' && Symbol.asyncIterator in response.body) {
    Promise.resolve(response.body[Symbol.asyncIterator]().return?.()).catch(() => {})
  }
  return { ...response, body: null }
}

/** Answers one request; undefined = the path is not ours. Never throws. */
export async function handleRequest(
  services: Services,
  router: Router,
  request: LibraryRequest,
): Promise<LibraryResponse | undefined> {
  const { clock, logger } = services.settings
  const startedAt = clock()
  const requestId = requestIdOf(request)
  let route: string | undefined
  let context: Filling | undefined
  let response: LibraryResponse
  try {
    const match = router(request.method, request.path)
    if (match === undefined) return undefined
    route = match.row.name
    if (services.isClosing())
      throw new LibraryError('unavailable', 'the registry is shutting down', { headers: { 'retry-after': '5' } })
    context = begin(services, match, request, requestId)
    const answer = await run(match.row, context)
    response = request.method === 'HEAD' ? withoutBody(answer) : answer
  } catch (thrown) {
    const error = toLibraryError(thrown, requestId)
    response = errorResponse(error.status, error.message, error.headers)
    if (request.method === 'HEAD') response = { ...response, body: null }
    if (error.status >= 500)
      logger.error({ requestId, route, code: error.code, err: error.cause ?? error }, 'request failed')
    services.emit('request.failed', {
      requestId,
      route,
      code: error.code,
      status: error.status,
      error: error.cause ?? error,
    })
  }
  // the path and the query stay out of the log: they may carry a capability; the route and the request id find the rest
  logger.info(
    {
      requestId,
      route,
      method: request.method,
      status: response.status,
      ms: clock() - startedAt,
      principal: context?.principal?.id ?? null,
    },
    'request',
  )
  return {
    status: response.status,
    headers: Object.assign({ 'x-request-id': requestId }, response.headers),
    body: response.body,
  }
}
