/**
 * The shape of a row of the route table. The table runs the server, and documents it: `openapi.ts`
 * and the tests read the same rows.
 */
import { z } from 'zod'
import type { Located } from './auth/access.js'
import type { Action, Principal, Resource } from './auth/policy.js'
import type { LibraryError } from './http/errors.js'
import type { LibraryRequest, LibraryResponse } from './http/messages.js'
import type { Query } from './http/query.js'
import type { Method } from './http/router.js'
import type { Services } from './services.js'

/** A request on its way: what the pipeline knows before it asks who may. */
export interface RouteInput<B> {
  readonly services: Services
  readonly request: LibraryRequest
  readonly requestId: string
  readonly principal: Principal | null
  /** Decoded path parameters; `rest` holds the segments of a `{ref...}`. */
  readonly params: Readonly<Record<string, string>>
  readonly rest: readonly string[]
  readonly query: Query
  readonly body: B
}

/**
 * What a handler gets: `record` was authorized. It is undefined on public rows, and where a row
 * that creates found nothing.
 */
export interface RouteContext<B, R> extends RouteInput<B> {
  readonly record: R
  readonly resource: Resource | undefined
}

/**
 * `public`: nothing is asked, and credentials are not looked at. `filtered`: anybody, but the
 * handler shows each principal only what they may see. Otherwise the action is authorized against
 * the resource that the locator finds; undefined = nothing can be named (an unknown id). `asks`:
 * the handler lets the use cases of `control` do it, and these ask the action for what they touch.
 */
export type Access<B, R> =
  | 'public'
  | 'filtered'
  | { readonly asks: Action }
  | {
      readonly action: Action
      readonly locate: (input: RouteInput<B>) => Promise<Located<R> | undefined>
      /**
       * The body names the resource. All other rows are authorized before a byte of their body is
       * read.
       */
      readonly byBody?: true
    }

/**
 * `bytes`: the handler reads the body itself, after authorization. `any-case`: keys count in any
 * case, those that the schema does not name are dropped, and null is the same as absent, as Go
 * clients write them (protocol 3.4).
 */
export type BodySpec<B> =
  | 'none'
  | 'bytes'
  | {
      readonly schema: z.ZodType<B>
      readonly keys?: 'any-case' | undefined
      /**
       * Lists as many things as the client likes, up to `maxJsonBytes`; other bodies have 128 KiB
       * at the most.
       */
      readonly long?: true
    }

/** What an extension does its own way on its own rows. */
export interface RouteOwner {
  /** undefined = as the host says. */
  readonly authenticate:
    | ((request: LibraryRequest) => Principal | null | undefined | Promise<Principal | null | undefined>)
    | undefined
  readonly renderError:
    | ((error: LibraryError, request: LibraryRequest, requestId: string) => LibraryResponse)
    | undefined
}

export interface RouteRow<B = unknown, R = unknown> {
  /** Unique; label of logs and metrics. */
  readonly name: string
  readonly method: Method
  /** Segments are literal, `{name}` (one segment) or, last, `{name...}` (one segment or more). */
  readonly path: string
  /** For the OpenAPI document: what it does, and its place in the protocol. */
  readonly summary: string
  /** Query parameters that it reads. */
  readonly query?: readonly string[]
  /** What their values look like, for the OpenAPI document. Default: text. */
  readonly querySchemas?: Readonly<Record<string, z.ZodType>>
  /** No default: a row that does not say who may does not compile. */
  readonly access: Access<B, R>
  readonly body: BodySpec<B>
  /** Needs neither metadata nor storage, so it answers while they do not. */
  readonly standalone?: true
  /** The path gives access to whoever reads it: a log shows the pattern in its place. */
  readonly secretPath?: true
  /** Milliseconds to wait for the stores where the registry is not prepared yet. Default 8,000. */
  readonly prepareMs?: number
  /**
   * Status of success, and the JSON that it carries; `bytes`, `text` or `empty` where it is none.
   */
  readonly success: {
    readonly status: number
    readonly also?: readonly number[]
    readonly schema: z.ZodType | 'bytes' | 'text' | 'empty'
    /** A whole body, for the OpenAPI document. */
    readonly example?: unknown
  }
  /** False = the path is not ours: the host is asked as if there were no such row. Sees no body. */
  readonly when?: (request: LibraryRequest) => boolean
  /**
   * Answers at the host's root too (`root` of the adapters), where clients insist on that path:
   * `/v2/`, `/pks/`.
   */
  readonly root?: true
  /** Set by `createLibrary`: what the extension of this row brings along. */
  readonly owner?: RouteOwner
  readonly handler: (context: RouteContext<B, R>) => Promise<LibraryResponse> | LibraryResponse
}

/**
 * Checks one row with its own types, then forgets them: the pipeline hands each handler what its
 * own locator and schema made.
 */
export function defineRoute<B, R>(row: RouteRow<B, R>): RouteRow {
  return row as unknown as RouteRow
}

const data = (schema: z.ZodType): z.ZodType => z.object({ data: schema })

/** `success` of a row that answers 200: with `{"data": …}`, or with what is no JSON. */
export const ok = (schema: z.ZodType | 'bytes' | 'text' | 'empty'): RouteRow['success'] => ({
  status: 200,
  schema: typeof schema === 'string' ? schema : data(schema),
})

/** `success` of a row that makes something (201), or finds it there (200). */
export const created = (schema: z.ZodType): RouteRow['success'] => ({ status: 201, also: [200], schema: data(schema) })

/** `body` of the library's own rows: clients in Go write keys in any case. */
export const anyCase = <B>(schema: z.ZodType<B>): { readonly schema: z.ZodType<B>; readonly keys: 'any-case' } => ({
  schema,
  keys: 'any-case',
})
