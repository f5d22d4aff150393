/** One row of the API: its use case, and the answer that it makes of the result. */
import { z } from 'zod'
import type { ShownQuery } from '../../core/control/schemas.js'
import {
  type Action,
  type Control,
  defineRoute,
  type ExtensionContext,
  type ExtensionHost,
  type ExtensionRoute,
  emptyResponse,
  type LibraryRequest,
  type LibraryResponse,
  type Page,
} from '../../core/extension.js'
import { etagOf, isKnown } from './conditions.js'

export const base = '/api/v1'

/** What a use case is given. */
export interface Call {
  readonly control: Control
  readonly params: Readonly<Record<string, string>>
  /** As it was sent; the use case judges it. */
  readonly query: Readonly<Record<string, string | undefined>>
  // biome-ignore lint/suspicious/noExplicitAny: checked by the schema of the row, and by the use case again
  readonly body: any
  readonly request: LibraryRequest
  /** Where clients reach the API, with its base. */
  readonly url: string
}

export interface ApiRow<T> {
  /** Without the name of the extension in front. */
  readonly name: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below the base. */
  readonly path: string
  readonly summary: string
  /** The action that its use case asks for. `filtered`: each is shown what they may see. */
  readonly asks: Action | 'filtered'
  readonly query?: ShownQuery | undefined
  readonly body?: z.ZodType
  readonly status?: number
  readonly also?: readonly number[]
  readonly answer: z.ZodType | 'empty'
  readonly example?: unknown
  /** Personal: no cache keeps it. */
  readonly personal?: boolean
  readonly run: (call: Call) => Promise<T>
  readonly respond: (result: T, call: Call) => LibraryResponse
}

/** Makes the row of the table. */
export function rowOf<T>(host: ExtensionHost, row: ApiRow<T>): ExtensionRoute {
  const { name, method, path, summary, asks, query, body, answer, example } = row
  return defineRoute({
    name: `api.${name}`,
    method,
    path: `${base}${path}`,
    summary,
    ...(query !== undefined && { query: Object.keys(query), querySchemas: query }),
    access: asks === 'filtered' ? 'filtered' : { asks },
    body: body === undefined ? 'none' : { schema: body },
    success: {
      status: row.status ?? 200,
      ...(row.also !== undefined && { also: row.also }),
      schema: answer,
      ...(example !== undefined && { example }),
    },
    handler: async (context: ExtensionContext<unknown, unknown>) => {
      const { principal, request, requestId, params } = context
      const call: Call = {
        control: host.control({ principal, request, requestId }),
        params,
        query: context.query,
        body: context.body,
        request,
        url: `${host.publicUrl(request)}${base}`,
      }
      return row.respond(await row.run(call), call)
    },
  })
}

function jsonText(text: string, status: number, headers: Readonly<Record<string, string>>): LibraryResponse {
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
      'x-content-type-options': 'nosniff',
      ...headers,
    },
    body: text,
  }
}

/** A change of somebody, or what only they may read. */
export function answered(
  value: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): LibraryResponse {
  return jsonText(JSON.stringify({ data: value }), status, { 'cache-control': 'no-store', ...headers })
}

/** An answer to a GET that its reader may keep, and must ask for again before it is used. */
function readable(
  text: string,
  { request }: Call,
  { version, ...headers }: { readonly version?: string | undefined } & Readonly<Record<string, string | undefined>>,
): LibraryResponse {
  const etag = etagOf(text, version)
  const common = {
    etag,
    'cache-control': 'private, no-cache',
    ...(headers.link !== undefined && { link: headers.link }),
  }
  return isKnown(request, etag) ? emptyResponse(304, common) : jsonText(text, 200, common)
}

/** `{data}` of one object, with its ETag. */
export const one = (value: unknown, call: Call): LibraryResponse =>
  readable(JSON.stringify({ data: value }), call, { version: (value as { readonly version?: string }).version })

/** `{data, next}` of a list, with the `Link` of the next page (RFC 8288). */
export function list(page: Page<unknown>, call: Call): LibraryResponse {
  return readable(JSON.stringify({ data: page.items, next: page.next }), call, linkOf(page, call))
}

/** The same of a list that no cache keeps. */
export function personalList(page: Page<unknown>, call: Call): LibraryResponse {
  const text = JSON.stringify({ data: page.items, next: page.next })
  return jsonText(text, 200, { 'cache-control': 'no-store', ...linkOf(page, call) })
}

function linkOf({ next }: Page<unknown>, { request, query, url }: Call): { readonly link?: string } {
  if (next === null) return {}
  const parameters = new URLSearchParams()
  for (const [key, value] of Object.entries(query))
    if (key !== 'cursor' && value !== undefined) parameters.set(key, value)
  parameters.set('cursor', next)
  return { link: `<${url}${request.path.slice(request.path.indexOf(base) + base.length)}?${parameters}>; rel="next"` }
}

export const gone = (): LibraryResponse => emptyResponse(204, { 'cache-control': 'no-store' })

export const dataOf = (schema: z.ZodType): z.ZodType => z.object({ data: schema })
export const pageOf = (schema: z.ZodType): z.ZodType =>
  z.object({ data: z.array(schema), next: z.string().nullable().describe('cursor of the next page') })
