/**
 * One request: match, refuse what other sites send, authenticate, decode, authorize, handle. Every
 * throw ends in the one `catch` here.
 */
import { randomUUID } from 'node:crypto'
import { authorize, refuseAnonymousWrite } from './auth/access.js'
import { refuseCrossSite } from './auth/cross-site.js'
import { toLibraryError } from './http/error-mapping.js'
import { LibraryError, retrySoon } from './http/errors.js'
import { readJsonBody } from './http/json-body.js'
import type { LibraryRequest, LibraryResponse } from './http/messages.js'
import { readHeader } from './http/messages.js'
import { parseQuery } from './http/query.js'
import { errorResponse } from './http/responses.js'
import type { Match, Router } from './http/router.js'
import type { RouteContext, RouteRow } from './route.js'
import type { Services } from './services.js'

const requestIdPattern = /^[A-Za-z0-9._-]{1,64}$/

/**
 * The host's request id where it set a harmless one, otherwise one of ours: random, since a counter
 * tells of the requests of others.
 */
function requestIdOf(request: LibraryRequest): string {
  const given = readHeader(request, 'x-request-id')
  if (given !== undefined && requestIdPattern.test(given)) return given
  return randomUUID()
}

/**
 * Milliseconds that a request waits for the first start of the stores, which goes on without it.
 */
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
      headers: retrySoon,
    })
  }
}

/**
 * One object goes through all stages and is filled on the way: copying it at each stage was a third
 * of the cost of a small request.
 */
type MutableContext = { -readonly [Key in keyof RouteContext<unknown, unknown>]: RouteContext<unknown, unknown>[Key] }

function begin(services: Services, match: Match<RouteRow>, request: LibraryRequest, requestId: string): MutableContext {
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

async function run(row: RouteRow, context: MutableContext): Promise<LibraryResponse> {
  const { services, request } = context
  const { access } = row
  if (row.standalone === undefined && !services.isReady()) await prepare(services, row.prepareMs ?? prepareMs)
  // before any byte of the body is read
  if (access !== 'public') context.principal = await authenticate(services, row, request)
  const located = typeof access === 'object' && 'locate' in access ? access : undefined
  if (typeof access === 'object' && 'asks' in access)
    refuseAnonymousWrite({ auth: services.auth, principal: context.principal, request }, access.asks)
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

async function authenticate(
  { auth }: Services,
  { owner }: RouteRow,
  request: LibraryRequest,
): Promise<RouteContext<unknown, unknown>['principal']> {
  const own = await owner?.authenticate?.(request)
  return own === undefined ? ((await auth.authenticate?.(request)) ?? null) : own
}

/**
 * What the client reads of an error. The renderer of an extension that fails itself gives way to
 * the library's.
 */
function renderError(
  row: RouteRow | undefined,
  error: LibraryError,
  { request, requestId }: { readonly request: LibraryRequest; readonly requestId: string },
): LibraryResponse {
  try {
    const own = row?.owner?.renderError?.(error, request, requestId)
    // such as `allow`, which belongs to the status
    if (own !== undefined) return { ...own, headers: { ...error.headers, ...own.headers } }
  } catch {
    // its own fault must not hide the error
  }
  return errorResponse(error.status, error.message, error.headers)
}

/**
 * A row of a path that has none for the method of the request: its extension says what errors look
 * like there.
 */
function rowBeside(router: Router<RouteRow>, error: LibraryError, path: string): RouteRow | undefined {
  if (error.code !== 'method-not-allowed') return undefined
  const [method] = error.headers.allow?.split(', ') ?? []
  return method === undefined ? undefined : router(method, path)?.row
}

/** What was found out about a resource is used for so long, in milliseconds. */
const staleMs = 1000

/** Finds the resource and asks whether this may be done to it. */
async function admit(
  access: Extract<RouteRow['access'], { readonly action: unknown }>,
  context: MutableContext,
): Promise<void> {
  const { services, principal, request } = context
  const found = await access.locate(context)
  context.resource = found?.resource
  context.record = await authorize({ auth: services.auth, principal, request }, access.action, found)
}

/**
 * In bytes: what names and describes one thing, with every character of its description escaped.
 */
const shortBody = 128 * 1024

function readBody(body: Exclude<RouteRow['body'], string>, context: MutableContext): Promise<unknown> {
  const { services, request, principal } = context
  const { maxJsonBytes, idleSeconds } = services.settings.limits
  return readJsonBody(request, {
    schema: body.schema,
    keys: body.keys,
    limit: body.long === true ? maxJsonBytes : Math.min(maxJsonBytes, shortBody),
    idleSeconds,
    budget: { of: services.bodies, sender: principal?.id ?? `address ${request.remote ?? ''}` },
  })
}

/** Longer paths are cut in the log: the longest reference has about 900 characters. */
const maxLoggedPath = 1024

/**
 * The path as the log may show it; undefined where no route was found, as only a route says whether
 * it is a secret.
 */
function shownPath(row: RouteRow | undefined, path: string): string | undefined {
  if (row === undefined) return undefined
  if (row.secretPath) return row.path
  return path.length > maxLoggedPath ? `${path.slice(0, maxLoggedPath)}…` : path
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
  router: Router<RouteRow>,
  request: LibraryRequest,
): Promise<LibraryResponse | undefined> {
  const { clock, logger } = services.settings
  const startedAt = clock()
  const requestId = requestIdOf(request)
  let row: RouteRow | undefined
  let context: MutableContext | undefined
  let response: LibraryResponse
  try {
    const match = router(request.method, request.path)
    if (match === undefined || match.row.when?.(request) === false) return undefined
    row = match.row
    if (services.isClosing())
      throw new LibraryError('unavailable', 'the registry is shutting down', { headers: retrySoon })
    context = begin(services, match, request, requestId)
    refuseCrossSite(request, services.settings.publicUrl)
    const answer = await run(row, context)
    response = request.method === 'HEAD' ? withoutBody(answer) : answer
  } catch (thrown) {
    const error = toLibraryError(thrown, requestId)
    response = renderError(row ?? rowBeside(router, error, request.path), error, { request, requestId })
    if (request.method === 'HEAD') response = { ...response, body: null }
    if (error.status >= 500)
      logger.error({ requestId, route: row?.name, code: error.code, err: error.cause ?? error }, 'request failed')
    services.emit(
      'request.failed',
      { requestId, route: row?.name, code: error.code, status: error.status, error: error.cause ?? error },
      { principal: context?.principal ?? null, request },
    )
  }
  if (logger.isLevelEnabled?.('info') !== false)
    logger.info(
      {
        requestId,
        route: row?.name,
        method: request.method,
        // never the query: it may be signed
        path: shownPath(row, request.path),
        // what was asked for by an id
        resource: context?.resource?.path,
        status: response.status,
        ms: clock() - startedAt,
        principal: context?.principal?.id ?? null,
        principalName: context?.principal?.name,
        remote: request.remote,
      },
      'request',
    )
  const length = response.headers['content-length']
  services.emit(
    'request.completed',
    {
      requestId,
      route: row?.name,
      method: request.method,
      status: response.status,
      ms: clock() - startedAt,
      bytes: length === undefined ? undefined : Number(length),
    },
    { principal: context?.principal ?? null, request },
  )
  return {
    status: response.status,
    // a shared cache must keep no answer: what it says changes with the next push, and with who
    // asks
    headers: Object.assign({ 'x-request-id': requestId, 'cache-control': 'no-store' }, response.headers),
    body: response.body,
  }
}
