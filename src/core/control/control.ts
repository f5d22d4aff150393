/**
 * `Control`: what people and programs do to a registry beside pushing and pulling. One interface for every transport:
 * `library.as(principal)`, `library.operator`, and `createClient` of `sif-library/client` over HTTP.
 *
 * What whoever asks may not see is as good as absent: `not-found` for both.
 */
import type {
  AccessToken,
  Collection,
  CompletedUpload,
  Container,
  Entity,
  Found,
  IfMatch,
  Image,
  NewAccessToken,
  Page,
  PageQuery,
  PartTarget,
  Session,
  Space,
  StartedUpload,
  Tag,
  Upload,
  WithCan,
} from './records.js'

/** A list: a page of it, or all of it one by one. */
export interface Listing<Q, T> {
  list(query?: Q & PageQuery): Promise<Page<T>>
  /** Asks for page after page. */
  all(query?: Q): AsyncIterableIterator<T>
}

/** A list of what lies in the container of this path. */
export interface ListingOf<Q, T> {
  list(path: string, query?: Q & PageQuery): Promise<Page<T>>
  all(path: string, query?: Q): AsyncIterableIterator<T>
}

export interface EntityChange {
  readonly description?: string
  readonly defaultPrivate?: boolean
  /** Needs `admin`. null = the registry's default. */
  readonly quotaBytes?: number | null
}

export interface PlaceChange {
  readonly description?: string
  readonly private?: boolean
}

export interface NewEntity {
  readonly name: string
  readonly description?: string
  readonly defaultPrivate?: boolean
}

export interface NewPlace {
  readonly path: string
  readonly description?: string
  readonly private?: boolean
}

export interface NewToken {
  /** Default: who asks. Another one needs `admin`. */
  readonly user?: string
  readonly label?: string
  /** `action` or `action:path` each, such as `pull` or `push:alice/tools`. Default: all that the user may do. */
  readonly scopes?: readonly string[]
  /** RFC 3339. Default: never. */
  readonly expiresAt?: string
}

export interface NewUpload {
  /** Of the container; it and what it lies in are made where they are missing. */
  readonly path: string
  /** SHA-256 of the file, 64 lower-case hex digits. */
  readonly digest: string
  readonly size: number
  /** Set by the completion. Default: none. */
  readonly tags?: readonly string[]
  /** Of the tags. Default: what the image says, else the registry's default. */
  readonly arch?: string
  readonly description?: string
}

export interface PartsQuestion {
  /** 1 to 32 of them. `sha256`: of the part, 64 lower-case hex digits; binds its URL to these bytes. */
  readonly parts: readonly { readonly number: number; readonly sha256: string }[]
  /** `proxy`: through the registry, for those who can't reach its store. Default: `auto`. */
  readonly transfer?: 'auto' | 'proxy'
}

export interface Control {
  readonly session: {
    get(): Promise<Session>
  }
  /** Entities that who asks may push to. */
  readonly spaces: {
    list(): Promise<readonly Space[]>
  }
  /** Access tokens of the built-in accounts. */
  readonly tokens: {
    /** Default: those of who asks. Those of others need `admin`. */
    list(query?: { readonly user?: string }): Promise<readonly AccessToken[]>
    create(token: NewToken): Promise<NewAccessToken>
    revoke(id: string): Promise<void>
  }
  readonly entities: Listing<{ readonly q?: string } & WithCan, Entity> & {
    get(name: string, query?: WithCan): Promise<Entity>
  }
  readonly collections: {
    get(path: string, query?: WithCan): Promise<Collection>
  }
  readonly containers: {
    get(path: string, query?: WithCan): Promise<Container>
  }
  readonly tags: ListingOf<{ readonly q?: string }, Tag> & {
    /** Throws `not-found` where several archs have the tag and `arch` says none of them. */
    get(path: string, tag: string, query?: { readonly arch?: string }): Promise<Tag>
    /** The tag alone: its image stays. */
    delete(path: string, tag: string, query?: { readonly arch?: string } & IfMatch): Promise<void>
  }
  readonly images: ListingOf<{ readonly arch?: string; readonly untagged?: boolean } & WithCan, Image> & {
    get(path: string, digest: string, query?: WithCan): Promise<Image>
    /** The image with its tags. */
    delete(path: string, digest: string): Promise<void>
    /** A URL that downloads the image, for as long as a slow pull takes. Counts as a pull. */
    pullUrl(path: string, digest: string): Promise<string>
  }
  readonly uploads: {
    start(upload: NewUpload): Promise<StartedUpload>
    /** With the parts that have arrived. */
    get(id: string): Promise<Upload>
    parts(id: string, question: PartsQuestion): Promise<readonly PartTarget[]>
    /** Publishes what has arrived and sets the tags. Repeating it answers as the first time did. */
    complete(id: string): Promise<CompletedUpload>
    abort(id: string): Promise<void>
  }
  /** At least three characters, of a path, a tag or a description. */
  search(q: string): Promise<Found>
}
