/**
 * Records of the metadata store: times are milliseconds since 1970, sizes are bytes, ids are 24
 * lower-case hex digits (protocol 2.4), digests are 64 lower-case hex digits.
 */

export interface EntityRecord {
  readonly id: string
  readonly name: string
  readonly description: string
  /** What is made in this entity later starts private. */
  readonly defaultPrivate: boolean
  /** Bytes that the entity may hold; null = the registry's default. */
  readonly quotaBytes: number | null
  /**
   * Bytes of images that have some (published, unproven and damaged ones), each counted where it
   * is: a blob that two containers share counts twice.
   */
  readonly usedBytes: number
  /** Bytes announced by uploads under way. */
  readonly reservedBytes: number
  /** Principal id of the creator. */
  readonly owner: string | null
  readonly createdAt: number
  readonly updatedAt: number
}

export interface CollectionRecord {
  readonly id: string
  readonly entityId: string
  readonly entityName: string
  readonly name: string
  readonly description: string
  readonly private: boolean
  readonly owner: string | null
  readonly createdAt: number
  readonly updatedAt: number
}

export interface ContainerRecord {
  readonly id: string
  readonly entityId: string
  readonly entityName: string
  readonly collectionId: string
  readonly collectionName: string
  readonly name: string
  readonly description: string
  /** The container's own flag. */
  readonly private: boolean
  /** Its collection's flag; the container is hidden when either is set. */
  readonly collectionPrivate: boolean
  readonly downloadCount: number
  readonly owner: string | null
  readonly createdAt: number
  readonly updatedAt: number
}

/**
 * `pending`: created, no verified bytes yet. `published`: visible and pullable. `unproven`:
 * published while its SHA-256 is still being proven in the background. `damaged`: hidden, because a
 * check found other bytes.
 */
export type ImageState = 'pending' | 'published' | 'unproven' | 'damaged'

export interface ImageRecord {
  readonly id: string
  readonly containerId: string
  readonly digest: string
  readonly description: string
  readonly state: ImageState
  /** 0 while pending. */
  readonly size: number
  /** Where the bytes lie in the storage; null while pending. */
  readonly blobKey: string | null
  /** Go name, from the SIF file or from the first tag; null = not known. */
  readonly arch: string | null
  /** The arch was read from the SIF file, so a tag may not say otherwise. */
  readonly archFromHeader: boolean
  /**
   * What the SIF file claims, proven by nothing; null = not known: no SIF file, a damaged one, or
   * one that cannot be read.
   */
  readonly signed: boolean | null
  readonly encrypted: boolean | null
  readonly fingerprints: readonly string[]
  /** Principal id of who created the record. */
  readonly owner: string | null
  readonly createdAt: number
  readonly updatedAt: number
  /** When it was published; null while pending. */
  readonly publishedAt: number | null
}

/**
 * An image with the container it lies in: what every route that names an image loads, in one read.
 */
export interface ImageInContainer {
  readonly image: ImageRecord
  readonly container: ContainerRecord
}

export interface TagRecord {
  readonly arch: string
  readonly tag: string
  readonly imageId: string
  readonly updatedAt: number
}

export type UploadKind = 'single' | 'multipart'
/**
 * `open` → `completing` → `completed`, or → `aborted` / `expired`. `completing` → `open` when
 * completing failed and may be tried again.
 */
export type UploadState = 'open' | 'completing' | 'completed' | 'aborted' | 'expired'

export interface UploadRecord {
  readonly id: string
  readonly kind: UploadKind
  readonly state: UploadState
  readonly imageId: string
  readonly containerId: string
  readonly entityId: string
  /** Principal id; null = an anonymous principal was allowed to push. */
  readonly principal: string | null
  /** Key that the bytes go to. */
  readonly key: string
  readonly size: number
  readonly digest: string
  /** Bytes of every part but the last; the size for `single`. */
  readonly partSize: number
  /** 1 for `single`. */
  readonly totalParts: number
  /**
   * The backend's own id of a multipart upload; null for `single`, and once the parts of an upload
   * that ended were dropped.
   */
  readonly backendUploadId: string | null
  readonly createdAt: number
  /** Last change of state, or sign of life. */
  readonly updatedAt: number
  readonly expiresAt: number
  /**
   * SHA-256 over the parts that it was completed with, as given to `images.publish`; null before,
   * and where none was given.
   */
  readonly partsDigest: string | null
}

export interface BlobRecord {
  readonly key: string
  readonly digest: string
  readonly size: number
  readonly createdAt: number
  /** Since when no image refers to it; null while one does. */
  readonly unreferencedAt: number | null
}

export type RecordKind = 'entity' | 'collection' | 'container' | 'image'

/**
 * A note that something changed which the sidecar of a record shows (`sidecars.ts` in the core).
 */
export interface RecordChange {
  /** Later changes have greater numbers, and none is ever used again. */
  readonly seq: number
  readonly kind: RecordKind
  readonly id: string
  /** Of an image; null for the other kinds. */
  readonly digest: string | null
}

/** An image as it is put back after the store has lost it. */
export interface RestoredImage extends Omit<ImageRecord, 'state' | 'blobKey'> {
  readonly state: Exclude<ImageState, 'pending'>
  readonly blobKey: string
  readonly tags: readonly {
    readonly arch: string
    readonly tag: string
    readonly updatedAt: number
    /** An existing tag gives way if this is its `updatedAt`. Default: none does. */
    readonly replaces?: number
  }[]
}

/**
 * What was read in the bytes of a blob. A pure function of them, so it is kept with the blob, and
 * can be made again.
 */
export interface BlobInspection {
  /** Of what read it, from 1: an older one is read again. */
  readonly version: number
  /** Milliseconds since 1970. */
  readonly inspectedAt: number
  /** As `JSON.parse` returns it. */
  readonly value: unknown
}

/** Facts about verified bytes, known when an image is published. */
export interface BlobFacts {
  readonly key: string
  readonly size: number
  readonly arch: string | null
  readonly signed: boolean | null
  readonly encrypted: boolean | null
  readonly fingerprints: readonly string[]
}

export interface ContainerPath {
  readonly entity: string
  readonly collection: string
  readonly container: string
}

export interface UserRecord {
  readonly id: string
  readonly name: string
  readonly admin: boolean
  readonly groups: readonly string[]
  readonly createdAt: number
}

/**
 * What a member may do in an entity, each more than the one before: see what is private; push;
 * delete and manage.
 */
export type Role = 'reader' | 'writer' | 'maintainer'

export interface MemberRecord {
  /** Name of the entity. */
  readonly entity: string
  /** A user, or everybody in a group. */
  readonly kind: 'user' | 'group'
  /** Of the user or the group. */
  readonly name: string
  readonly role: Role
  readonly createdAt: number
}

/**
 * `token`: for command lines and scripts. `session`: of one browser. `code`: good once, for a
 * session.
 */
export type TokenKind = 'token' | 'session' | 'code'

export interface TokenRecord {
  readonly id: string
  readonly kind: TokenKind
  /** Of a session: the token that it was made of, and ends with. null = none. */
  readonly parentId: string | null
  readonly userId: string
  readonly label: string
  /**
   * Lower-case hex SHA-256 of the token: a token carries 256 random bits or more, so no slow hash
   * is needed.
   */
  readonly hash: string
  /** As written by the user, `action` or `action:path`; empty = all that the user may do. */
  readonly scopes: readonly string[]
  readonly createdAt: number
  /** null = never. */
  readonly expiresAt: number | null
  readonly lastUsedAt: number | null
}

/** A small JSON record of an extension. */
export interface DocumentRecord {
  readonly kind: string
  readonly id: string
  /**
   * Another number after each change, and never one that this document or an earlier one of its id
   * had.
   */
  readonly version: number
  /** A word by which `list` finds documents of one kind; null = none. */
  readonly index: string | null
  /** As `JSON.parse` returns it. */
  readonly value: unknown
  /** Milliseconds since 1970. */
  readonly updatedAt: number
}
