/** The shape of a row of the route table. The table runs the server, and documents it: `openapi.ts` and the tests read the same rows. */
import type { z } from 'zod'
import type { Action, Principal, Resource } from './auth/policy.js'
import type { LibraryRequest, LibraryResponse } from './http/messages.js'
import type { Query } from './http/query.js'
import type { Services } from './services.js'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** What a locator found. */
export interface Located<R> {
  /** What the action is asked for. */
  readonly resource: Resource
  /** undefined: there is no such thing (yet). */
  readonly record: R | undefined
  /**
   * Rows that create: the record may be absent. A denied principal who may see this resource (the parent; `true` = nothing is hidden by saying no) reads 403, another one 404.
   */
  readonly creates?: Resource | true
  /** The request named it by id: who may not see it must not read its path in the answer either. */
  readonly byId?: true
}

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

/** What a handler gets: `record` was authorized. It is undefined on public rows, and where a row that creates found nothing. */
export interface RouteContext<B, R> extends RouteInput<B> {
  readonly record: R
  readonly resource: Resource | undefined
}

/**
 * `public`: nothing is asked, and credentials are not looked at. `filtered`: anybody, but the handler shows each principal only what they may see. Otherwise the action is
 * authorized against the resource that the locator finds; undefined = nothing can be named (an unknown id).
 */
export type Access<B, R> =
  | 'public'
  | 'filtered'
  | {
      readonly action: Action
      readonly locate: (input: RouteInput<B>) => Promise<Located<R> | undefined>
      /** The body names the resource. All other rows are authorized before a byte of their body is read. */
      readonly byBody?: true
    }

/** `bytes`: the handler reads the body itself, after authorization. */
export type BodySpec<B> =
  | 'none'
  | 'bytes'
  | {
      readonly schema: z.ZodType<B>
      /** Lists as many things as the client likes, up to `maxJsonBytes`; other bodies have 128 KiB at the most. */
      readonly long?: true
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
  /** No default: a row that does not say who may does not compile. */
  readonly access: Access<B, R>
  readonly body: BodySpec<B>
  /** Needs neither metadata nor storage, so it answers while they do not. */
  readonly standalone?: true
  /** Status of success, and the JSON that it carries; `bytes`, `text` or `empty` where it is none. */
  readonly success: {
    readonly status: number
    readonly also?: readonly number[]
    readonly schema: z.ZodType | 'bytes' | 'text' | 'empty'
  }
  readonly handler: (context: RouteContext<B, R>) => Promise<LibraryResponse> | LibraryResponse
}

/** Checks one row with its own types, then forgets them: the pipeline hands each handler what its own locator and schema made. */
export function defineRoute<B, R>(row: RouteRow<B, R>): RouteRow {
  return row as unknown as RouteRow
}
