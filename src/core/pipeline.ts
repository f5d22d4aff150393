/** One request: match, authenticate, decode, authorize, handle. Every throw ends in the one `catch` here. */
import { randomBytes } from 'node:crypto'
import { isStorageError } from '../storage/blob/errors.js'
import { isMetadataError, type MetadataError, type MetadataLimit } from '../storage/metadata/errors.js'
import { authorize, refuseAnonymousWrite } from './auth/access.js'
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

/** What to do about a number that is reached. */
const waysOut: Readonly<Record<MetadataLimit, string>> = {
  records: 'it may hold no more: delete images, or ask the operator of the registry',
  tags: 'it may have no more: delete some first',
  'pending-images': 'push them, delete them, or wait until the registry removes them',
  'uploads-of-principal': 'finish or abort some, or wait until they expire',
  'uploads-of-image': 'wait until one of them ends',
}

function limitError(error: MetadataError): LibraryError {
  const { limit = 'records' } = error
  const message = `${error.message}: ${waysOut[limit]}`
  return limit === 'records' || limit === 'tags'
    ? new LibraryError('quota-exceeded', message, { cause: error })
    : new LibraryError('too-many', message, { cause: error, headers: { 'retry-after': '60' } })
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
      case 'upload-exhausted':
        return new LibraryError('gone', 'the parts of the upload were sent too often: push again', cause)
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
      case 'limit-exceeded':
        return limitError(error)
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

async function prepare(services: Services): Promise<void> {
  try {
    await services.ready()
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
  const { access } = row
  if (row.standalone === undefined && !services.isReady()) await prepare(services)
  // before any byte of the body is read
  if (access !== 'public') context.principal = (await services.auth.authenticate?.(request)) ?? null
  const located = typeof access === 'object' ? access : undefined
  if (located?.byBody === true)
    refuseAnonymousWrite({ auth: services.auth, principal: context.principal, request }, located.action)
  else if (located !== undefined) await admit(located, context)
  if (typeof row.body === 'object') {
    const startedAt = performance.now()
    context.body = await readBody(row.body, context)
    // who sent it slowly may have lost their right meanwhile
    if (located?.byBody === true || performance.now() - startedAt > staleMs)
      if (located !== undefined) await admit(located, context)
  }
  return row.handler(context)
}

/** What was found out about a resource is used for so long, in milliseconds. */
const staleMs = 1000

/** Finds the resource and asks whether this may be done to it. */
async function admit(access: Exclude<RouteRow['access'], string>, context: Filling): Promise<void> {
  const { services, principal, request } = context
  const found = await access.locate(context)
  context.resource = found?.resource
  context.record = await authorize({ auth: services.auth, principal, request }, access.action, found)
}

/** In bytes: what names and describes one thing, with every character of its description escaped. */
const shortBody = 128 * 1024

function readBody(body: Exclude<RouteRow['body'], string>, context: Filling): Promise<unknown> {
  const { services, request, principal } = context
  const { maxJsonBytes, idleSeconds } = services.settings.limits
  return readJsonBody(request, {
    schema: body.schema,
    limit: body.long === true ? maxJsonBytes : Math.min(maxJsonBytes, shortBody),
    idleSeconds,
    budget: { of: services.bodies, sender: principal?.id ?? `address ${request.remote ?? ''}` },
  })
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
