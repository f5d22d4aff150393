/** One call of the API over fetch. */
import { RegistryError } from './errors.js'

export interface ClientOptions {
  /**
   * Where the registry is: its mount, such as `https://host/library`. In a browser also a path of
   * the page's origin.
   */
  readonly url: string
  /** An access token. Default: none, or in a browser the session of its cookie. */
  readonly token?: string
  /** Default: that of the surroundings. */
  readonly fetch?: typeof fetch
}

export interface Ask {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Members that are undefined are left out. */
  readonly query?: object | undefined
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
}

/** Calls one row: its path below the API, in segments that are escaped here. */
export type Send = (segments: readonly string[], ask?: Ask) => Promise<Response>

function queryText(query: object | undefined): string {
  const parameters = new URLSearchParams()
  for (const [key, value] of Object.entries(query ?? {})) if (value !== undefined) parameters.set(key, String(value))
  const text = parameters.toString()
  return text === '' ? '' : `?${text}`
}

async function refusalOf(response: Response): Promise<RegistryError> {
  const text = await response.text().catch(() => '')
  const requestId = response.headers.get('x-request-id') ?? undefined
  try {
    const { error } = JSON.parse(text) as { readonly error: Readonly<Record<string, unknown>> }
    return new RegistryError(String(error.message), {
      reason: typeof error.reason === 'string' ? error.reason : 'unknown',
      status: response.status,
      requestId,
      field: typeof error.field === 'string' ? error.field : undefined,
      current: error.current,
    })
  } catch {
    // a proxy in between answered
    return new RegistryError(`the answer is none of a registry: status ${response.status}`, {
      reason: 'unknown',
      status: response.status,
      requestId,
    })
  }
}

/** What a call that got no answer throws; one that was cancelled throws what its signal says. */
export function unreachable(cause: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true) return signal.reason
  return new RegistryError('the registry does not answer', { reason: 'unreachable', status: 0, cause })
}

export function createSend({ url, token, fetch: given }: ClientOptions): Send {
  const base = `${url.replace(/\/+$/, '')}/api/v1/`
  const call = given ?? ((input: string, init: RequestInit) => fetch(input, init))
  return async (segments, { method = 'GET', query, body, headers = {}, signal } = {}) => {
    const path = segments.map(encodeURIComponent).join('/')
    let response: Response
    try {
      response = await call(`${base}${path}${queryText(query)}`, {
        method,
        headers: {
          accept: 'application/json',
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        credentials: token === undefined ? 'same-origin' : 'omit',
        redirect: 'manual',
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(signal !== undefined && { signal }),
      })
    } catch (cause) {
      throw unreachable(cause, signal)
    }
    if (!response.ok) throw await refusalOf(response)
    return response
  }
}
