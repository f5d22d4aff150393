/** The rows of `/api/v1` that the page asks. */
import type {
  AccessToken,
  ActivityEvent,
  Collection,
  CompletedUpload,
  Container,
  DeletionPreview,
  Entity,
  Image,
  NewAccessToken,
  Page,
  PartTarget,
  PullStep,
  Session,
  SifInspection,
  Space,
  StartedUpload,
  Stats,
  Tag,
  TagChange,
  Upload,
  Usage,
  UsageStep,
} from './records.js'

/** What the registry answered instead; `reason` is its error code, which the page switches on. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** 0 = no answer came. */
  readonly status: number
  readonly reason: string
  readonly requestId: string | undefined
  readonly field: string | undefined

  constructor(
    message: string,
    facts: {
      readonly status: number
      readonly reason: string
      readonly requestId?: string | undefined
      readonly field?: string | undefined
      readonly cause?: unknown
    },
  ) {
    super(message, { cause: facts.cause })
    this.status = facts.status
    this.reason = facts.reason
    this.requestId = facts.requestId
    this.field = facts.field
  }
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>

interface CallOptions {
  readonly query?: Query | undefined
  readonly body?: unknown
  /** `version` of the object as it was seen. */
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: '*' | undefined
  readonly signal?: AbortSignal | undefined
}

const root = new URL('../api/v1/', document.baseURI)

/** Each segment of a path, escaped; the slashes stay. */
const escapePath = (path: string): string => path.split('/').map(encodeURIComponent).join('/')

async function send(method: string, path: string, options: CallOptions): Promise<Response> {
  const url = new URL(path, root)
  for (const [name, value] of Object.entries(options.query ?? {}))
    if (value !== undefined && value !== '') url.searchParams.set(name, String(value))
  const headers: Record<string, string> = { accept: 'application/json' }
  if (options.body !== undefined) headers['content-type'] = 'application/json'
  if (options.ifMatch !== undefined) headers['if-match'] = `"${options.ifMatch}"`
  if (options.ifNoneMatch !== undefined) headers['if-none-match'] = options.ifNoneMatch
  try {
    return await fetch(url, {
      method,
      headers,
      credentials: 'same-origin',
      ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
      ...(options.signal !== undefined && { signal: options.signal }),
    })
  } catch (cause) {
    if (options.signal?.aborted) throw cause
    throw new ApiError('the registry does not answer', { status: 0, reason: 'unreachable', cause })
  }
}

interface ErrorBody {
  readonly error?: {
    readonly message?: string
    readonly reason?: string
    readonly requestId?: string
    readonly field?: string
  }
}

async function refusal(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => ({}))) as ErrorBody
  const { message = response.statusText, reason, requestId, field } = body.error ?? {}
  return new ApiError(message, {
    status: response.status,
    reason: reason ?? (response.status === 404 ? 'not-found' : 'internal'),
    requestId: requestId ?? response.headers.get('x-request-id') ?? undefined,
    field,
  })
}

async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  const response = await send(method, path, options)
  if (!response.ok) throw await refusal(response)
  if (response.status === 204) return undefined as T
  const text = await response.text()
  return (text === '' ? undefined : (JSON.parse(text) as { readonly data: T }).data) as T
}

async function list<T>(path: string, query: Query, signal?: AbortSignal): Promise<Page<T>> {
  const response = await send('GET', path, { query, signal })
  if (!response.ok) throw await refusal(response)
  const { data, next } = (await response.json()) as { readonly data: readonly T[]; readonly next?: string | null }
  return { items: data, next: next ?? null }
}

export interface ContainerQuery extends Query {
  readonly q?: string | undefined
  readonly entity?: string | undefined
  readonly collection?: string | undefined
  readonly arch?: string | undefined
  readonly mine?: boolean | undefined
  readonly private?: boolean | undefined
  readonly sort?: string | undefined
  readonly cursor?: string | undefined
}

const container = (path: string): string => `containers/${escapePath(path)}`
const tag = (path: string, name: string): string => `${container(path)}/tags/${encodeURIComponent(name)}`

export const api = {
  session: {
    get: (): Promise<Session> => call('GET', 'session'),
    create: (given: { readonly token: string } | { readonly code: string }): Promise<unknown> =>
      call('POST', 'session', { body: given }),
    end: (): Promise<void> => call('DELETE', 'session'),
  },
  spaces: (): Promise<readonly Space[]> => call('GET', 'spaces'),
  stats: (): Promise<Stats> => call('GET', 'stats'),
  tokens: {
    list: (): Promise<Page<AccessToken>> => list('tokens', {}),
    create: (token: {
      readonly label: string
      readonly scopes: readonly string[]
      readonly expiresAt?: string | undefined
    }): Promise<NewAccessToken> => call('POST', 'tokens', { body: token }),
    revoke: (id: string): Promise<void> => call('DELETE', `tokens/${encodeURIComponent(id)}`),
  },
  entities: {
    list: (query: Query, signal?: AbortSignal): Promise<Page<Entity>> => list('entities', query, signal),
    get: (name: string, signal?: AbortSignal): Promise<Entity> =>
      call('GET', `entities/${escapePath(name)}`, { query: { with: 'can' }, signal }),
    update: (name: string, change: object, ifMatch?: string): Promise<Entity> =>
      call('PATCH', `entities/${escapePath(name)}`, { body: change, ifMatch }),
  },
  collections: {
    list: (query: Query, signal?: AbortSignal): Promise<Page<Collection>> => list('collections', query, signal),
    get: (path: string, signal?: AbortSignal): Promise<Collection> =>
      call('GET', `collections/${escapePath(path)}`, { query: { with: 'can' }, signal }),
    update: (path: string, change: object, ifMatch?: string): Promise<Collection> =>
      call('PATCH', `collections/${escapePath(path)}`, { body: change, ifMatch }),
  },
  containers: {
    list: (query: ContainerQuery, signal?: AbortSignal): Promise<Page<Container>> => list('containers', query, signal),
    get: (path: string, signal?: AbortSignal): Promise<Container> =>
      call('GET', container(path), { query: { with: 'can' }, signal }),
    update: (path: string, change: object, ifMatch?: string): Promise<Container> =>
      call('PATCH', container(path), { body: change, ifMatch }),
    preview: (path: string): Promise<DeletionPreview> => call('DELETE', container(path), { query: { preview: true } }),
    delete: (path: string): Promise<void> => call('DELETE', container(path)),
  },
  tags: {
    list: (path: string, query: Query, signal?: AbortSignal): Promise<Page<Tag>> =>
      list(`${container(path)}/tags`, query, signal),
    set: (
      path: string,
      name: string,
      target: { readonly digest: string; readonly arch: string; readonly ifMatch?: string; readonly isNew?: boolean },
    ): Promise<Tag> =>
      call('PUT', tag(path, name), {
        query: { arch: target.arch },
        body: { digest: target.digest },
        ifMatch: target.ifMatch,
        ifNoneMatch: target.isNew === true ? '*' : undefined,
      }),
    delete: (path: string, name: string, query: { readonly arch: string; readonly ifMatch?: string }): Promise<void> =>
      call('DELETE', tag(path, name), { query: { arch: query.arch }, ifMatch: query.ifMatch }),
  },
  history: (path: string, query: Query, signal?: AbortSignal): Promise<Page<TagChange>> =>
    list(`${container(path)}/history`, query, signal),
  images: {
    list: (path: string, query: Query, signal?: AbortSignal): Promise<Page<Image>> =>
      list(`${container(path)}/images`, query, signal),
    get: (path: string, digest: string, signal?: AbortSignal): Promise<Image> =>
      call('GET', `images/${escapePath(path)}/${digest}`, { signal }),
    /** What the file of the image says of itself. */
    details: (path: string, digest: string, signal?: AbortSignal): Promise<SifInspection> =>
      call('GET', `images/${escapePath(path)}/${digest}/details`, { signal }),
    delete: (path: string, digest: string): Promise<void> => call('DELETE', `images/${escapePath(path)}/${digest}`),
    /** Leads to the bytes; a browser saves them. */
    downloadUrl: (path: string, digest: string): string =>
      new URL(`images/${escapePath(path)}/${digest}/download`, root).href,
  },
  uploads: {
    list: (query: Query): Promise<Page<Upload>> => list('uploads', query),
    start: (upload: {
      readonly path: string
      readonly digest?: string
      readonly size: number
      readonly tags: readonly string[]
      readonly arch?: string
    }): Promise<StartedUpload> => call('POST', 'uploads', { body: upload }),
    get: (id: string, signal?: AbortSignal): Promise<Upload> =>
      call('GET', `uploads/${encodeURIComponent(id)}`, { signal }),
    parts: (
      id: string,
      question: {
        readonly parts: readonly { readonly number: number; readonly sha256: string }[]
        readonly transfer?: 'proxy'
      },
      signal?: AbortSignal,
    ): Promise<readonly PartTarget[]> =>
      call('POST', `uploads/${encodeURIComponent(id)}/parts`, { body: question, signal }),
    complete: (id: string, body: { readonly digest?: string } = {}): Promise<CompletedUpload> =>
      call('POST', `uploads/${encodeURIComponent(id)}/complete`, { body }),
    abort: (id: string): Promise<void> => call('DELETE', `uploads/${encodeURIComponent(id)}`),
  },
  usage: {
    get: (query: Query, signal?: AbortSignal): Promise<Usage> => call('GET', 'usage', { query, signal }),
    history: (entity: string, query: Query, signal?: AbortSignal): Promise<readonly UsageStep[]> =>
      call('GET', `usage/${encodeURIComponent(entity)}/history`, { query, signal }),
  },
  pulls: (query: Query, signal?: AbortSignal): Promise<readonly PullStep[]> => call('GET', 'pulls', { query, signal }),
  events: (query: Query, signal?: AbortSignal): Promise<Page<ActivityEvent>> => list('events', query, signal),
}
