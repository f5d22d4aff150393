/**
 * `Control`: what people and programs do to a registry beside pushing and pulling. One interface
 * for every transport: `library.as(principal)`, `library.operator`, and `createClient` of
 * `sif-library/client` over HTTP.
 *
 * What whoever asks may not see is as good as absent: `not-found` for both.
 */
import type { SifInspection } from '../../sif/index.js'
import type {
  AccessToken,
  ActivityEvent,
  Collection,
  CompletedUpload,
  Container,
  DeletionPreview,
  Entity,
  Found,
  IfMatch,
  Image,
  Made,
  NewAccessToken,
  Page,
  PageQuery,
  PartTarget,
  PullStep,
  Session,
  Space,
  StartedUpload,
  Stats,
  Tag,
  TagChange,
  Upload,
  Usage,
  UsageStep,
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
  /**
   * `action` or `action:path` each, such as `pull` or `push:alice/tools`. Default: all that the
   * user may do.
   */
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
  /**
   * 1 to 32 of them. `sha256`: of the part, 64 lower-case hex digits; binds its URL to these bytes.
   */
  readonly parts: readonly { readonly number: number; readonly sha256: string }[]
  /** `proxy`: through the registry, for those who can't reach its store. Default: `auto`. */
  readonly transfer?: 'auto' | 'proxy'
}

export interface EntityQuery extends WithCan {
  /** A part of the name or the description. */
  readonly q?: string
  /** Default: `name`. */
  readonly sort?: 'name' | '-usedBytes' | '-updatedAt'
}

export interface CollectionQuery extends WithCan {
  readonly q?: string
  /** Name of the entity. Default: of all. */
  readonly entity?: string
  /** Default: `name`. */
  readonly sort?: 'name' | '-usedBytes' | '-updatedAt'
}

export interface ContainerQuery extends WithCan {
  /** A part of the path or the description. */
  readonly q?: string
  /** Name of the entity. Default: of all. */
  readonly entity?: string
  /** Name of the collection; needs `entity`. */
  readonly collection?: string
  /** Has a tag of this arch. */
  readonly arch?: string
  /** Whether the image of the latest tag is signed. */
  readonly signed?: boolean
  /** Only those in the entities that who asks may push to. */
  readonly mine?: boolean
  readonly private?: boolean
  /** Default: `-updatedAt`. */
  readonly sort?: 'name' | '-updatedAt' | '-pulls' | '-usedBytes'
}

export interface TagQuery {
  /** A part of the tag. */
  readonly q?: string
  readonly arch?: string
  /** Default: `name`. */
  readonly sort?: 'name' | '-updatedAt'
}

export interface ImageQuery extends WithCan {
  readonly arch?: string
  /** Only those without a tag, or only those with one. */
  readonly untagged?: boolean
  /** Default: `-publishedAt`. */
  readonly sort?: 'publishedAt' | '-publishedAt'
}

export interface HistoryQuery {
  readonly tag?: string
  readonly arch?: string
}

export interface TagTarget extends IfMatch {
  readonly digest: string
  /** Default: what the image says, else the registry's default. */
  readonly arch?: string
  /** Only where there is no such tag yet; otherwise `precondition-failed`. */
  readonly ifNoneMatch?: '*'
  /** Why, for the activity. */
  readonly reason?: string
}

export interface UsageQuery {
  /** `entity` or `entity/collection`. Default: the whole registry, which needs `admin`. */
  readonly under?: string
  /** How many of the largest children. 1 to 200. Default: 20. */
  readonly top?: number
}

export interface StepQuery {
  /** `YYYY-MM-DD`, inclusive. Default: 30 days up to `to`. */
  readonly from?: string
  /** `YYYY-MM-DD`, inclusive. Default: today (UTC). */
  readonly to?: string
  /** A week begins on Monday. Default: `day`. */
  readonly step?: 'day' | 'week' | 'month'
}

export interface EventQuery {
  readonly entity?: string
  /** Path of a container. */
  readonly container?: string
  /** Name of who did it. */
  readonly actor?: string
  readonly action?: string
  /** RFC 3339, inclusive. */
  readonly from?: string
  /** RFC 3339, exclusive. */
  readonly to?: string
  /** With what the registry did itself. Default: false. */
  readonly system?: boolean
}

export interface DeleteOptions extends IfMatch {
  /** With everything in it. Default: only where it is empty; otherwise `conflict`. */
  readonly recursive?: boolean
}

export interface Control {
  readonly session: {
    get(): Promise<Session>
  }
  /** Entities that who asks may push to: 200 at the most. */
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
  readonly entities: Listing<EntityQuery, Entity> & {
    get(name: string, query?: WithCan): Promise<Entity>
    /** The one that is there, where there is one. */
    create(entity: NewEntity): Promise<Made<Entity>>
    update(name: string, change: EntityChange & IfMatch): Promise<Entity>
    delete(name: string, options?: DeleteOptions): Promise<void>
    preview(name: string): Promise<DeletionPreview>
  }
  readonly collections: Listing<CollectionQuery, Collection> & {
    get(path: string, query?: WithCan): Promise<Collection>
    create(collection: NewPlace): Promise<Made<Collection>>
    update(path: string, change: PlaceChange & IfMatch): Promise<Collection>
    delete(path: string, options?: DeleteOptions): Promise<void>
    preview(path: string): Promise<DeletionPreview>
  }
  readonly containers: Listing<ContainerQuery, Container> & {
    get(path: string, query?: WithCan): Promise<Container>
    /** With what it lies in, as a push does it. */
    create(container: NewPlace): Promise<Made<Container>>
    update(path: string, change: PlaceChange & IfMatch): Promise<Container>
    /** With its images and tags; history and activity stay. */
    delete(path: string, options?: IfMatch): Promise<void>
    preview(path: string): Promise<DeletionPreview>
  }
  readonly tags: ListingOf<TagQuery, Tag> & {
    /** Default of `arch`: the registry's default one, else the only one. */
    get(path: string, tag: string, query?: { readonly arch?: string }): Promise<Tag>
    /** Adds or moves it, also back to what it pointed at before. */
    set(path: string, tag: string, target: TagTarget): Promise<Tag>
    /** The tag alone: its image stays. */
    delete(path: string, tag: string, query?: { readonly arch?: string } & IfMatch): Promise<void>
  }
  /** Changes of tags, newest first. */
  readonly history: ListingOf<HistoryQuery, TagChange>
  readonly images: ListingOf<ImageQuery, Image> & {
    get(path: string, digest: string, query?: WithCan): Promise<Image>
    update(path: string, digest: string, change: { readonly description: string }): Promise<Image>
    /** The image with its tags. */
    delete(path: string, digest: string): Promise<void>
    preview(path: string, digest: string): Promise<DeletionPreview>
    /**
     * What its file says of itself: objects, architecture, definition file, labels, claimed
     * signatures.
     */
    details(path: string, digest: string): Promise<SifInspection>
    /** A URL that downloads the image, for as long as a slow pull takes. Counts as a pull. */
    pullUrl(path: string, digest: string): Promise<string>
  }
  readonly uploads: Listing<{ readonly entity?: string; readonly mine?: boolean }, Upload> & {
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
  readonly usage: {
    get(query?: UsageQuery): Promise<Usage>
    /** Of one entity. */
    history(entity: string, query?: StepQuery): Promise<readonly UsageStep[]>
  }
  /** Pulls of a container, an entity, or (needs `admin`) the whole registry. */
  pulls(query?: StepQuery & { readonly under?: string }): Promise<readonly PullStep[]>
  stats(): Promise<Stats>
  /** Newest first. Of a place for those who manage it; of everything for admins. */
  readonly events: Listing<EventQuery, ActivityEvent>
}
