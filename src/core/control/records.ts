/**
 * Records as people see them: dates are RFC 3339 in UTC, sizes are bytes, digests are 64 lower-case
 * hex digits. Types alone, for every transport.
 */

/** What may be asked for a thing. */
export type ControlAction = 'pull' | 'push' | 'delete' | 'manage' | 'admin'

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[]
  /** Give it back as `cursor` for the next page; null on the last one. */
  readonly next: string | null
}

/** Members of every list query. */
export interface PageQuery {
  /** 1 to 200. Default: 50. */
  readonly limit?: number
  /** `next` of the page before; good for the same query of the same person. */
  readonly cursor?: string
}

/** `with: 'can'` adds to each object what whoever asks may do to it. */
export interface WithCan {
  readonly with?: 'can'
}

/** Something that may be changed by one of several people at once. */
export interface Versioned {
  /** Give it back as `ifMatch`: the change is made only while the object is as it was seen. */
  readonly version: string
}

/**
 * A change of something that is only made while it is as it was seen; otherwise
 * `precondition-failed`.
 */
export interface IfMatch {
  readonly ifMatch?: string
}

/** Of what makes something, or finds it there. */
export type Made<T> = T & { readonly created: boolean }

interface Allowed {
  /** Only with `with: 'can'`. */
  readonly can?: readonly ControlAction[]
}

export interface Entity extends Versioned, Allowed {
  readonly name: string
  readonly description: string
  /** What is made in it later starts private. */
  readonly defaultPrivate: boolean
  /** Bytes of its images. These four only for those who may push to it. */
  readonly usedBytes?: number
  readonly images?: number
  /** Bytes that uploads under way have announced. */
  readonly reservedBytes?: number
  /** Bytes that it may hold; null = no limit. */
  readonly quotaBytes?: number | null
  readonly createdAt: string
  readonly updatedAt: string
}

export interface Collection extends Versioned, Allowed {
  /** `entity/collection`. */
  readonly path: string
  readonly entity: string
  readonly name: string
  readonly description: string
  readonly private: boolean
  /** Bytes of its images. These two only for those who may push to it. */
  readonly usedBytes?: number
  readonly images?: number
  readonly createdAt: string
  readonly updatedAt: string
}

/** The tag that was set last. */
export interface LatestTag {
  readonly tag: string
  readonly arch: string
  readonly digest: string
  readonly size: number
  readonly signed: boolean | null
  readonly updatedAt: string
}

export interface Container extends Versioned, Allowed {
  /** `entity/collection/container`. */
  readonly path: string
  readonly entity: string
  readonly collection: string
  readonly name: string
  readonly description: string
  /** Its own flag. */
  readonly private: boolean
  /** Its collection is private, which hides it whatever its own flag says. */
  readonly privateByCollection: boolean
  readonly latest: LatestTag | null
  /** Of its tags. */
  readonly archs: readonly string[]
  /** Bytes of its images. */
  readonly usedBytes: number
  readonly images: number
  /** Since it was made. */
  readonly pulls: number
  /** Of the last 30 days, today with them. */
  readonly pulls30: number
  /** Of each of these days, oldest first. */
  readonly pullDays: readonly number[]
  readonly lastPulledAt: string | null
  readonly createdAt: string
  /** When it, its images or its tags changed last. */
  readonly updatedAt: string
  /** Name of who changed it last; null = not known. */
  readonly changedBy: string | null
}

export type ImageState = 'published' | 'unproven' | 'damaged'

export interface ImageTag {
  readonly tag: string
  readonly arch: string
}

export interface Image extends Allowed {
  /** Of its container. */
  readonly path: string
  /** 64 lower-case hex digits of SHA-256. */
  readonly digest: string
  /** As a reference has it behind the colon: `sha256.` and the digest. */
  readonly hash: string
  readonly description: string
  readonly size: number
  /** Go name such as `amd64`; null = not known. */
  readonly arch: string | null
  /**
   * `unproven`: its bytes are still read back. `damaged`: a check found other bytes, and it can't
   * be pulled.
   */
  readonly state: ImageState
  /**
   * Whether the file holds signatures, whatever they are worth; null = not known: no SIF file, or a
   * damaged one.
   */
  readonly signed: boolean | null
  readonly encrypted: boolean | null
  /**
   * Of keys, as signatures in the file claim: 40 upper-case hex digits each; anybody can write
   * them.
   */
  readonly fingerprints: readonly string[]
  /** The first 100. */
  readonly tags: readonly ImageTag[]
  readonly pulls: number
  readonly lastPulledAt: string | null
  readonly createdAt: string
  readonly publishedAt: string | null
  /** Name of who published it, as it was then; null = not known. */
  readonly pushedBy: string | null
}

export interface Tag extends Versioned {
  /** Of its container. */
  readonly path: string
  readonly tag: string
  readonly arch: string
  /** Of the image that it points at. It is the `version` of the tag, too. */
  readonly digest: string
  readonly hash: string
  readonly size: number
  readonly signed: boolean | null
  readonly encrypted: boolean | null
  readonly updatedAt: string
  /** Name of who set it last; null = not known. */
  readonly changedBy: string | null
}

/** One change of one tag; it stays when the image goes. */
export interface TagChange {
  readonly at: string
  /** Name of who changed it; null = not known, or the registry itself. */
  readonly by: string | null
  readonly tag: string
  readonly arch: string
  /** What it has pointed at since; null = it was removed. */
  readonly digest: string | null
  /** What it pointed at before; null = there was no such tag. */
  readonly previous: string | null
  readonly via: 'push' | 'api' | 'rollback' | 'delete' | 'policy'
  /** Whether the container has an image of that `digest` now: one can roll back to it. */
  readonly present: boolean
}

/** What a deletion would take. 10,001 stands for more than 10,000. */
export interface DeletionPreview {
  readonly path: string
  readonly collections: number
  readonly containers: number
  readonly images: number
  readonly tags: number
  /** By which the usage of the entity falls. */
  readonly bytes: number
}

/** What the children of a place hold. */
export interface Usage {
  /** What was asked about; empty for the whole registry. */
  readonly under: string
  readonly usedBytes: number
  readonly images: number
  /** The largest, largest first. */
  readonly children: readonly UsageOf[]
  /** All other children together. */
  readonly others: { readonly usedBytes: number; readonly images: number }
}

export interface UsageOf {
  readonly path: string
  readonly usedBytes: number
  readonly images: number
}

/** What an entity held at the end of a step. */
export interface UsageStep {
  /** First day of the step, `YYYY-MM-DD`. */
  readonly from: string
  readonly usedBytes: number
  readonly images: number
}

export interface PullStep {
  /** First day of the step, `YYYY-MM-DD`. */
  readonly from: string
  readonly pulls: number
}

/**
 * Totals of what whoever asks may know of: of everything for those who may see everything, else of
 * what is public.
 */
export interface Stats {
  readonly scope: 'all' | 'public'
  readonly containers: number
  readonly images: number
  readonly bytes: number
}

/** Something that somebody, or the registry itself, did. */
export interface ActivityEvent {
  /** Later ones have greater numbers. */
  readonly seq: number
  readonly at: string
  /** Such as `image.published`, `tag.moved`, `container.deleted`, `token.revoked`. */
  readonly action: string
  readonly actor: {
    /** As it was then. */
    readonly name: string | null
    readonly via: 'token' | 'session' | 'host' | 'operator' | 'system' | 'anonymous'
  }
  /** What it is about; null = no place. */
  readonly path: string | null
  readonly digest: string | null
  readonly tag: string | null
  readonly arch: string | null
  readonly requestId: string | null
  readonly details: Readonly<Record<string, unknown>>
}

/** An entity that one may push to, and its room. */
export interface Space {
  readonly name: string
  readonly usedBytes: number
  readonly reservedBytes: number
  /** null = no limit. */
  readonly quotaBytes: number | null
}

export interface Person {
  readonly id: string
  readonly name: string
  readonly admin: boolean
}

/** Who asks, and what registry this is. */
export interface Session {
  /** null = nobody in particular. */
  readonly principal: Person | null
  /** What may be done to the registry as a whole. */
  readonly can: readonly ControlAction[]
  readonly registry: {
    /** Where clients reach it. */
    readonly url: string
    readonly version: string
    readonly defaults: { readonly entity: string; readonly collection: string; readonly arch: string }
    readonly limits: {
      readonly maxImageBytes: number
      readonly partBytes: number
    }
  }
}

export interface AccessToken {
  readonly id: string
  readonly user: string
  readonly label: string
  /** `action` or `action:path` each; empty = all that its user may do. */
  readonly scopes: readonly string[]
  readonly createdAt: string
  /** null = never. */
  readonly expiresAt: string | null
  readonly lastUsedAt: string | null
}

/** A token that was just made: the only time that it is shown. */
export interface NewAccessToken extends AccessToken {
  readonly token: string
}

/** What matches a search: eight of each at the most. */
export interface Found {
  readonly entities: readonly Entity[]
  readonly collections: readonly Collection[]
  readonly containers: readonly Container[]
  readonly images: readonly Image[]
}

export type UploadState = 'open' | 'completing' | 'completed' | 'aborted' | 'expired'

/** An upload under way, or one that ended lately. */
export interface Upload {
  readonly id: string
  readonly state: UploadState
  /** Of the container. */
  readonly path: string
  readonly digest: string
  readonly size: number
  /** Bytes of every part but the last. */
  readonly partSize: number
  readonly totalParts: number
  /** Tags that its completion sets. */
  readonly tags: readonly string[]
  /** Of the tags; null = what the image says. */
  readonly arch: string | null
  readonly createdAt: string
  readonly expiresAt: string
  /** Parts that have arrived whole; only of one upload, not in lists. */
  readonly parts?: readonly UploadedPart[]
}

export interface UploadedPart {
  readonly number: number
  readonly size: number
}

/** `present`: the bytes were there already, nothing has to be sent. */
export type StartedUpload = { readonly state: 'present'; readonly image: Image } | (Upload & { readonly state: 'open' })

/** Where one part goes. */
export interface PartTarget {
  readonly number: number
  /** For a PUT of the part. Good for these bytes of this upload, and a secret. */
  readonly url: string
  /** Must be sent exactly so. */
  readonly headers: Readonly<Record<string, string>>
  readonly expiresAt: string
}

/** `completing`: another call is at it; ask again in a moment. */
export type CompletedUpload = { readonly state: 'completed'; readonly image: Image } | { readonly state: 'completing' }
