/**
 * MetadataStore: records of entities, collections, containers, images, tags, uploads, blobs and
 * accounts.
 *
 * A store knows records and no HTTP, no request and no rule of who may do what. Every method is one
 * transaction: it happened whole or not at all, also when the process dies in it. "Two callers"
 * below means two processes as well. Times are milliseconds since 1970, sizes are bytes, ids are 24
 * lower-case hex digits made by the caller (protocol 2.4), digests are 64 lower-case hex digits.
 *
 * Text is well-formed Unicode without NUL: every such character, and half a surrogate pair, may be
 * kept as U+FFFD.
 *
 * Reads that find nothing give undefined. Everything else that fails throws a MetadataError.
 */

import type {
  Activity,
  EventAction,
  EventRecord,
  EventSubject,
  PullDay,
  PullScope,
  RegistryTotals,
  TagHistoryRecord,
  UsageDay,
} from './activity.js'
import type {
  CollectionPageQuery,
  CollectionSummary,
  ContainerPageQuery,
  ContainerSummary,
  DeletionPreview,
  EntityPageQuery,
  EntitySummary,
  ImagePageQuery,
  ImageSummary,
  Page,
  TagPageQuery,
  TagSummary,
  VisibilityFilter,
} from './lists.js'
import type {
  BlobFacts,
  BlobInspection,
  BlobRecord,
  CollectionRecord,
  ContainerPath,
  ContainerRecord,
  DocumentRecord,
  EntityRecord,
  ImageInContainer,
  ImageRecord,
  ImageState,
  MemberRecord,
  RecordChange,
  RecordKind,
  RestoredImage,
  Role,
  TagRecord,
  TokenRecord,
  UploadRecord,
  UploadState,
  UserRecord,
} from './records.js'

export type * from './activity.js'
export type * from './lists.js'
export type * from './records.js'

/** `created` is false when the record was there before: it is returned unchanged then. */
export interface CreateResult<R> {
  readonly record: R
  readonly created: boolean
}

/** How an image is named inside its container. */
export type ImageSelector = { readonly digest: string } | { readonly tag: string; readonly arch: string }

/** Members of what counts as a record of its entity. */
export interface RecordLimit {
  /**
   * Most collections, containers and images that the entity may hold together; a new one beyond
   * them throws `limit-exceeded` (`records`). Two callers can't pass it together. Default: no
   * limit.
   */
  readonly maxRecords?: number
}

/** Member of what changes something. */
export interface ByWhom {
  /** Who does it: an event is written in the same transaction. Default: no event. */
  readonly activity?: Activity
}

/** What a deletion is told. */
export interface Deletion extends ByWhom {
  /**
   * Deletes what is in it too, each container whole. Default false: `not-empty` where there is
   * something.
   */
  readonly recursive?: boolean
  readonly now: number
}

/**
 * `not-empty`: nothing was deleted, or something was made in it in the meantime. `gone`: there was
 * none (any more).
 */
export type DeletionResult = 'deleted' | 'not-empty' | 'gone'

/** Members for what is put back as it was before the store lost it. */
export interface RestoredTimes {
  /** Default: `now`, which is the time of creation. */
  readonly updatedAt?: number
}

export interface EntityStore {
  /**
   * Two callers with the same name: one creates, both get the same record. Throws `exists` when the
   * id is another one's, as all `createIfAbsent` do.
   */
  createIfAbsent(
    entity: RestoredTimes &
      ByWhom & {
        readonly id: string
        readonly name: string
        readonly description: string
        readonly defaultPrivate: boolean
        /** Default: null. */
        readonly quotaBytes?: number | null
        readonly owner: string | null
        readonly now: number
      },
  ): Promise<CreateResult<EntityRecord>>
  find(id: string): Promise<EntityRecord | undefined>
  findByName(name: string): Promise<EntityRecord | undefined>
  /**
   * Changes the given members only. The event is `quota.changed` where `quotaBytes` is given, else
   * `entity.changed`.
   */
  update(
    id: string,
    change: ByWhom & {
      readonly description?: string
      readonly defaultPrivate?: boolean
      readonly quotaBytes?: number | null
      readonly now: number
    },
  ): Promise<EntityRecord | undefined>
  /** By name, ascending, after the given name. */
  list(page: { readonly after?: string; readonly limit: number }): Promise<readonly EntityRecord[]>
  page(query: EntityPageQuery): Promise<Page<EntitySummary>>
  findSummary(id: string): Promise<EntitySummary | undefined>
  /** As of a collection. Its name is free afterwards. */
  delete(id: string, deletion: Deletion): Promise<DeletionResult>
  preview(id: string): Promise<DeletionPreview | undefined>
}

export interface CollectionStore {
  /** As for entities, by (entity, name). Throws `parent-missing` when the entity is gone. */
  createIfAbsent(
    collection: RestoredTimes &
      RecordLimit &
      ByWhom & {
        readonly id: string
        readonly entityId: string
        readonly name: string
        readonly description: string
        readonly private: boolean
        readonly owner: string | null
        readonly now: number
      },
  ): Promise<CreateResult<CollectionRecord>>
  find(id: string): Promise<CollectionRecord | undefined>
  findByPath(entity: string, collection: string): Promise<CollectionRecord | undefined>
  /** Changes the given members only. */
  update(
    id: string,
    change: ByWhom & { readonly description?: string; readonly private?: boolean; readonly now: number },
  ): Promise<CollectionRecord | undefined>
  page(query: CollectionPageQuery): Promise<Page<CollectionSummary>>
  findSummary(id: string): Promise<CollectionSummary | undefined>
  /**
   * Deletes an empty collection. With `recursive` first its containers one after the other, each as
   * by `containers.delete`: nobody sees half of one, and a call that broke off is simply made
   * again.
   */
  delete(id: string, deletion: Deletion): Promise<DeletionResult>
  preview(id: string): Promise<DeletionPreview | undefined>
  /** By name, ascending, after the given name: for pages of a host. */
  listOf(
    entityId: string,
    page: { readonly after?: string; readonly limit: number },
  ): Promise<readonly CollectionRecord[]>
}

export interface ContainerStore {
  /**
   * As for entities, by (collection, name). Throws `parent-missing` when the collection is gone.
   */
  createIfAbsent(
    container: RestoredTimes &
      RecordLimit &
      ByWhom & {
        readonly id: string
        readonly collectionId: string
        readonly name: string
        readonly description: string
        readonly private: boolean
        readonly owner: string | null
        readonly now: number
      },
  ): Promise<CreateResult<ContainerRecord>>
  find(id: string): Promise<ContainerRecord | undefined>
  findByPath(path: ContainerPath): Promise<ContainerRecord | undefined>
  /**
   * Changes the given members only. Where the container has more than some hundred images, a search
   * finds the last ones by the new description a moment after the others.
   */
  update(
    id: string,
    change: ByWhom & { readonly description?: string; readonly private?: boolean; readonly now: number },
  ): Promise<ContainerRecord | undefined>
  page(query: ContainerPageQuery): Promise<Page<ContainerSummary>>
  findSummary(id: string): Promise<ContainerSummary | undefined>
  /**
   * Deletes the container with its images and tags; blobs without other images become unreferenced,
   * usage is given back, uploads under way are `aborted`. In one transaction it is out of
   * everybody's sight, its name is free and its bytes no longer count; what it held goes in steps
   * after that, and the call resolves at the end of them. Where the process dies in between,
   * `finishDeletions` does the rest. History and events stay. False when it was gone.
   */
  delete(id: string, deletion: ByWhom & { readonly now: number }): Promise<boolean>
  /**
   * Goes on with deletions whose process died; returns how many containers it settled. Safe beside
   * `delete`.
   */
  finishDeletions(now: number): Promise<number>
  preview(id: string): Promise<DeletionPreview | undefined>
  /** By name, ascending, after the given name: for pages of a host. */
  listOf(
    collectionId: string,
    page: { readonly after?: string; readonly limit: number },
  ): Promise<readonly ContainerRecord[]>
  /** Changes of its tags, newest first; of one tag, and of one arch, where that is given. */
  history(
    containerId: string,
    page: { readonly tag?: string; readonly arch?: string; readonly before?: number; readonly limit: number },
  ): Promise<readonly TagHistoryRecord[]>
}

export interface ImageStore {
  /**
   * By (container, digest). Two callers: one creates, both get the same record. With `shareBytes`
   * the new image is published at once on the blob of that other image, if that one is (still)
   * published with the same digest; otherwise the image is created pending, as without it. An image
   * that is there already and pending or damaged is published in the same way. `shared`: this call
   * published it so. Throws `parent-missing`; `quota-exceeded` when sharing would exceed
   * `quotaBytes`; `limit-exceeded` for a new image beyond `maxRecords` or `maxPending`.
   */
  createIfAbsent(
    image: RecordLimit &
      ByWhom & {
        readonly id: string
        readonly containerId: string
        readonly digest: string
        readonly description: string
        readonly owner: string | null
        readonly now: number
        readonly shareBytes?: { readonly imageId: string; readonly defaultQuotaBytes: number }
        /**
         * Most images without bytes that the owner may have; one more throws `limit-exceeded`
         * (`pending-images`). Callers at the same time may pass it by their number. Default: no
         * limit.
         */
        readonly maxPending?: number
      },
  ): Promise<CreateResult<ImageRecord> & { readonly shared: boolean }>
  find(id: string): Promise<ImageInContainer | undefined>
  page(query: ImagePageQuery): Promise<Page<ImageSummary>>
  findSummary(id: string): Promise<ImageSummary | undefined>
  /** Changes the description. */
  update(
    id: string,
    change: ByWhom & { readonly description: string; readonly now: number },
  ): Promise<ImageRecord | undefined>
  preview(id: string): Promise<DeletionPreview | undefined>
  /**
   * The hot path: one indexed read. By digest any state is found; by tag whatever the tag points
   * at.
   */
  findByPath(path: ContainerPath, selector: ImageSelector): Promise<ImageInContainer | undefined>
  /**
   * Published images with these bytes in any container, newest first, to ask whether somebody may
   * read one of them.
   */
  findPublished(digest: string, limit: number): Promise<readonly ImageInContainer[]>
  /** Tags that point at the image, ascending by (arch, tag). */
  tagsOf(imageId: string): Promise<readonly TagRecord[]>
  /**
   * Publishes verified bytes: the image refers to `blob.key`, the blob is recorded, the upload
   * becomes `completed`, its reservation becomes usage. Only from state `pending` or `damaged`, and
   * only while the upload is `completing`. Result `published` for the one caller that did it.
   * `already` when the image was published before (the upload becomes `completed`, its reservation
   * is released, and the caller owns `blob.key` and should delete it). An upload that becomes
   * `completed` keeps `partsDigest`. `gone` when image or upload is not there (in that state) any
   * more; a reservation that the upload of a deleted image still held is given back then.
   */
  publish(
    change: ByWhom & {
      readonly imageId: string
      readonly uploadId: string
      readonly blob: BlobFacts
      /** What was read in the bytes; default: nothing yet. */
      readonly inspection?: BlobInspection
      readonly state: 'published' | 'unproven'
      /** SHA-256 over the parts of a multipart upload. Default: null. */
      readonly partsDigest?: string | null
      readonly now: number
    },
  ): Promise<'published' | 'already' | 'gone'>
  /**
   * Compare-and-set of the state, for proving in the background and for checks. False when it was
   * not in `from`, for an image without bytes, and where the image refers to another blob than
   * `seen`: what was found out about one blob says nothing of the next.
   */
  setState(
    id: string,
    from: readonly ImageState[],
    to: Exclude<ImageState, 'pending'>,
    now: number,
    seen?: { readonly blobKey: string | null },
    activity?: Activity,
  ): Promise<boolean>
  /**
   * Corrects what is known of the bytes of an image, as long as it refers to `seen.blobKey`. An
   * arch of null makes that of a file one that a tag has said. False where nothing was to be
   * changed.
   */
  setFacts(
    id: string,
    facts: Omit<BlobFacts, 'key' | 'size'>,
    now: number,
    seen: { readonly blobKey: string },
  ): Promise<boolean>
  /**
   * Records the arch of an image that has none. The first caller wins; returns the record as it is
   * now.
   */
  setArchIfUnknown(id: string, arch: string, now: number): Promise<ImageRecord | undefined>
  /**
   * Deletes the image and its tags; a blob without other images becomes unreferenced; usage is
   * given back; open uploads of the image are `aborted`. False when it was gone.
   */
  delete(id: string, now: number, activity?: Activity): Promise<boolean>
  /**
   * Pending images that were created before `before` and have no upload `open` or `completing`:
   * their push was never finished. By id, ascending, after the given id.
   */
  findAbandoned(page: {
    readonly before: number
    readonly after?: string
    readonly limit: number
  }): Promise<readonly ImageInContainer[]>
  /** Deletes the image if it is one of `findAbandoned`. False when it is none (any more). */
  deleteIfAbandoned(id: string, before: number): Promise<boolean>
  /**
   * Puts back an image that was lost, with its blob, its usage and its search document; no quota is
   * asked; uploads under way to that very key are `aborted`. It was lost when its container has
   * none with this digest (then it gets the given id), or only one without bytes (pending), or a
   * damaged one on another blob (these keep their id); then `restored` is true. Any other one stays
   * as it is. Each tag is set where the container has none of this (arch, tag) yet, or one that
   * `replaces` names; `tags` are those that were set. Throws `parent-missing`; `exists` when the id
   * is that of an image elsewhere.
   */
  restore(
    image: RestoredImage,
  ): Promise<{ readonly record: ImageRecord; readonly restored: boolean; readonly tags: readonly TagRecord[] }>
  /** By id, ascending, after the given id: for checks over everything. */
  list(page: {
    readonly after?: string
    readonly limit: number
    readonly states?: readonly ImageState[]
  }): Promise<readonly ImageInContainer[]>
}

export interface TagChange {
  /**
   * Whether the tag points at the image now; false only where it did not point at what was
   * `expected`.
   */
  readonly isSet: boolean
  /**
   * Id of the image that the tag pointed at before (where it was not set: points at still);
   * undefined = no such tag.
   */
  readonly previous: string | undefined
  /** Digest of that image. */
  readonly previousDigest: string | undefined
}

export interface TagStore {
  /**
   * Points (container, arch, tag) at an image of the same container that is published or unproven.
   * Two callers: both succeed in some order and the later one stays; each learns what it replaced.
   * `previous` is the image id before, undefined when the tag is new. Throws `image-missing` when
   * the image is not (any more) a visible one of this container; `limit-exceeded` (`tags`) for a
   * new tag where the container has `maxTags` already. Default: no limit.
   */
  set(
    tag: ByWhom & {
      readonly containerId: string
      readonly arch: string
      readonly tag: string
      readonly imageId: string
      readonly now: number
      readonly maxTags?: number
      /**
       * Digest that the tag must point at now, or null: it must not be there. Default: whatever it
       * points at.
       */
      readonly expected?: string | null
    },
  ): Promise<TagChange>
  page(query: TagPageQuery): Promise<Page<TagSummary>>
  /** One tag of one arch. */
  find(containerId: string, arch: string, tag: string): Promise<TagSummary | undefined>
  /**
   * Ascending by (arch, tag), `limit` at the most (default: all); with `tag` only those of this
   * name.
   */
  list(containerId: string, options?: { readonly tag?: string; readonly limit?: number }): Promise<readonly TagRecord[]>
  /**
   * Removes one tag of one arch as long as it points at `imageId` (compare-and-set): whoever was
   * asked about one image never removes another. `image-deleted`: no tag pointed at the image any
   * more, so it was deleted as by `images.delete`. `moved`: the tag points at another image, and
   * nothing was done. `gone`: there was no such tag.
   */
  remove(
    tag: ByWhom & {
      readonly containerId: string
      readonly arch: string
      readonly tag: string
      readonly imageId: string
      readonly now: number
      /**
       * The image stays when this was its last tag; then the answer is `removed`. Default false.
       */
      readonly keepImage?: boolean
    },
  ): Promise<'removed' | 'image-deleted' | 'moved' | 'gone'>
}

/** Default of each member: no limit. */
export interface UploadLimits {
  /**
   * Uploads `open` or `completing` that the principal may have. Callers at the same time may pass
   * it by their number.
   */
  readonly ofPrincipal?: number
  /** Uploads `open` or `completing` that the image may have. Two callers can't pass it together. */
  readonly ofImage?: number
  /**
   * Records of ended uploads, of each state, that are kept of the principal: `create` forgets some
   * of the oldest ones beyond, except those of `findWithLeftoverParts`.
   */
  readonly endedOfPrincipal?: number
}

export interface UploadStore {
  /**
   * Records an upload (state `open`) and reserves its bytes in the entity: `quota-exceeded` when
   * used + reserved + size would pass the entity's quota (its own, else `defaultQuotaBytes`; 0 =
   * unlimited). Two callers can't pass it together. Throws `image-missing` when the image is gone;
   * `limit-exceeded` beyond one of the `limits`.
   */
  create(
    upload: Omit<UploadRecord, 'state' | 'updatedAt' | 'partsDigest'> & {
      readonly defaultQuotaBytes: number
      readonly limits?: UploadLimits
      readonly activity?: Activity
    },
  ): Promise<UploadRecord>
  find(id: string): Promise<UploadRecord | undefined>
  /**
   * Uploads of one image by one principal in state `open`, newest first; `limit` at the most.
   * Default: all.
   */
  findOpen(imageId: string, principal: string | null, limit?: number): Promise<readonly UploadRecord[]>
  /** Those that are being completed, or were when their instance died. */
  findCompleting(imageId: string, principal: string | null): Promise<readonly UploadRecord[]>
  /**
   * Compare-and-set of the state. True for exactly one of two callers. Moving to `aborted` or
   * `expired` gives the reservation back. `completed` is only reached through `images.publish`.
   * Always false from `completed`, `aborted` and `expired`. From `completing` to `completing` is a
   * sign of life of a long completion. With `seen` also false where the upload has changed, or has
   * shown a sign of life, since then.
   */
  move(
    id: string,
    from: UploadState,
    to: Exclude<UploadState, 'completed'>,
    now: number,
    seen?: Pick<UploadRecord, 'updatedAt'>,
    activity?: Activity,
  ): Promise<boolean>
  /**
   * Under way (`open` or `completing`) in one entity, by one principal, by one principal there, or
   * all; by id, ascending.
   */
  page(query: {
    readonly entityId?: string
    readonly principal?: string
    readonly limit: number
    readonly after?: string
  }): Promise<Page<UploadRecord>>
  /** Sign of life: moves `updatedAt` and `expiresAt`, for an upload that is in this state. */
  touch(
    id: string,
    change: { readonly state: 'open' | 'completing'; readonly expiresAt: number; readonly now: number },
  ): Promise<void>
  /**
   * Uploads in `open` that expired before `now`, and those in `completing` that nobody touched
   * since `stuckSince` (a crash), oldest first.
   */
  findStale(page: {
    readonly now: number
    readonly stuckSince: number
    readonly limit: number
  }): Promise<readonly UploadRecord[]>
  /**
   * Uploads that are `aborted` or `expired`, and whose parts may still lie in the storage: they
   * have a `backendUploadId`. By id, ascending, after the given id.
   */
  findWithLeftoverParts(page: { readonly after?: string; readonly limit: number }): Promise<readonly UploadRecord[]>
  /**
   * The parts of an upload that is `aborted` or `expired` are gone from the storage: its
   * `backendUploadId` becomes null. Any other upload stays as it is.
   */
  markPartsRemoved(id: string): Promise<void>
  /**
   * Finished, aborted and expired uploads untouched since `before` are forgotten, except those of
   * `findWithLeftoverParts`; returns how many.
   */
  forget(before: number): Promise<number>
  /** Whether an upload with this key is `open` or `completing`: its bytes are nobody's leftover. */
  isKeyInUse(key: string): Promise<boolean>
}

export interface BlobStore {
  find(key: string): Promise<BlobRecord | undefined>
  /**
   * Those of the keys that no record knows: neither a blob, nor an upload that is `open` or
   * `completing`. Of one moment for each key: publishing turns an upload into a blob at once. In
   * any order.
   */
  findUnknown(keys: readonly string[]): Promise<readonly string[]>
  /**
   * Unreferenced since before `before`, oldest first, those of one time by key; after the given
   * one.
   */
  findUnreferenced(page: {
    readonly before: number
    readonly after?: Pick<BlobRecord, 'key' | 'unreferencedAt'>
    readonly limit: number
  }): Promise<readonly BlobRecord[]>
  /**
   * First step of deleting: forgets the record if the blob is still unreferenced. True for exactly
   * one caller; nobody can shareBytes the blob afterwards, so that its bytes can be deleted from
   * the storage in the second step.
   */
  forgetIfUnreferenced(key: string): Promise<boolean>
  /** undefined where nothing was read yet, or there is no such blob. */
  inspectionOf(key: string): Promise<BlobInspection | undefined>
  /** Replaces the inspection of a blob; false where there is no such blob (any more). */
  setInspection(key: string, inspection: BlobInspection): Promise<boolean>
  /**
   * Blobs with images whose inspection has exactly this version (0 = none yet), by key, after the
   * given key.
   */
  findInspected(page: {
    readonly version: number
    readonly after?: string
    readonly limit: number
  }): Promise<readonly BlobRecord[]>
  /** Who refers to it, for explanations. */
  imagesOf(key: string, limit: number): Promise<readonly ImageInContainer[]>
}

/**
 * Which records changed since their sidecars were written. A change is noted in the same
 * transaction as what it is about: creating, changing or deleting an entity, a collection, a
 * container, or an image with bytes (also its tags: of the image that gains one and of the one that
 * loses it). Download counts, usage and images without bytes are not. Whatever the clocks say, a
 * change gives its record a later `updatedAt`; an image that loses a tag is later than the tag was.
 * By that a sidecar is known as later than a store that was restored from an old backup.
 */
export interface ChangeStore {
  /** Oldest first, after the given number. */
  list(page: { readonly after?: number; readonly limit: number }): Promise<readonly RecordChange[]>
  /**
   * Notes one that is no change: the sidecar is missing, or was written when its record had gone.
   */
  note(change: Omit<RecordChange, 'seq'>): Promise<void>
  /** Forgets exactly these; those that came later stay. */
  acknowledge(seqs: readonly number[]): Promise<void>
  /** Whether a change of this record is not settled. */
  isPending(kind: RecordKind, id: string): Promise<boolean>
}

/**
 * Events that the caller writes itself: of what changes nothing in this store, or not in one
 * transaction.
 */
export interface NewEvent extends EventSubject {
  readonly action: EventAction
  readonly at: number
  readonly activity: Activity
}

/** Members that are absent filter nothing. */
export interface EventQuery {
  readonly entityId?: string
  readonly containerId?: string
  /** Name of the actor. */
  readonly actor?: string
  readonly actions?: readonly EventAction[]
  /** Without what the registry did itself (`system`). */
  readonly withoutSystem?: boolean
  /** Inclusive. */
  readonly from?: number
  /** Exclusive. */
  readonly to?: number
  readonly limit: number
  readonly after?: string
}

/** Who did what: append-only. */
export interface EventStore {
  append(event: NewEvent): Promise<void>
  /** Newest first. */
  page(query: EventQuery): Promise<Page<EventRecord>>
  /** Oldest first, after the given number: for whoever passes events on. */
  listAfter(seq: number, limit: number): Promise<readonly EventRecord[]>
  /** Forgets events from before `before`, oldest first, in portions; returns how many. */
  forget(before: number): Promise<number>
}

export interface CountedPulls {
  readonly containerId: string
  readonly imageId: string
  readonly count: number
}

/** Pulls are counted, not listed. */
export interface PullStore {
  /**
   * Adds to the counts of images, containers, entities and the registry, and to those of the day.
   * What is gone is left out.
   */
  count(pulls: readonly CountedPulls[], now: number): Promise<void>
  /**
   * Days with pulls from `from` to `to` (both inclusive), ascending by (id, day). Up to 200 ids.
   * `all`: the one id is `all`.
   */
  days(query: {
    readonly scope: PullScope
    readonly ids: readonly string[]
    readonly from: number
    readonly to: number
  }): Promise<readonly PullDay[]>
  /**
   * Forgets days of images and containers before this day, in portions; those of entities and of
   * the registry stay.
   */
  forget(beforeDay: number): Promise<number>
}

export interface UsageStore {
  /**
   * Days from `from` to `to` (both inclusive) on which the usage changed, ascending, behind the
   * last one before `from`.
   */
  days(query: { readonly entityId: string; readonly from: number; readonly to: number }): Promise<readonly UsageDay[]>
  totals(): Promise<RegistryTotals>
}

/**
 * What a store may leave out of a search: the rest of a description after 1,025 characters,
 * fingerprints after the 16th, tags of one image after the 101st. A page of a thousand images must
 * not hold all of these in memory.
 */
export interface SearchQuery {
  /**
   * Case-insensitive substring of a name path, a tag or a description. Three to 256 characters; a
   * shorter or longer one finds nothing.
   */
  readonly value: string
  /** Images of these only (empty or absent = all). */
  readonly archs?: readonly string[]
  readonly signed?: boolean
  readonly visibility: VisibilityFilter
  readonly limit: number
  /**
   * As returned by the page before, 255 bytes at the most; what no page returned is the first page.
   */
  readonly after?: string
}

export interface FoundImage extends ImageInContainer {
  readonly tags: readonly string[]
  /** Give it back as `after` for what comes behind this one. */
  readonly after: string
}

export interface SearchPage {
  /** Public are those whose things do not start private (`defaultPrivate`). */
  readonly entities: readonly EntityRecord[]
  readonly collections: readonly CollectionRecord[]
  readonly containers: readonly ContainerRecord[]
  /** Published images only, the one that became so last comes first. */
  readonly images: readonly FoundImage[]
  /**
   * Give it back as `after` for the next page; undefined on the last one. Pages cover images;
   * entities, collections and containers come with the first page, `limit` of each at the most.
   */
  readonly next: string | undefined
}

/** A token with whoever it stands for. */
export interface TokenHolder {
  readonly token: TokenRecord
  readonly user: UserRecord
  /** Entity → the highest role in it, of the user or one of their groups. */
  readonly roles: Readonly<Record<string, Role>>
}

export interface AccountStore {
  /**
   * Throws `exists` when the name is taken. Throws `name-held` when somebody would come into what
   * is not theirs: an entity has the name, a user is in a group of this name, or the name is a
   * removed user's; or one of the groups has the name of a user, or of a removed one. `takeOver`
   * allows all of that, and the name is no removed user's any more.
   */
  createUser(user: UserRecord, options?: { readonly takeOver?: boolean }): Promise<UserRecord>
  findUser(name: string): Promise<UserRecord | undefined>
  listUsers(): Promise<readonly UserRecord[]>
  /** Throws `name-held` for a group that is new to the user, as `createUser`. */
  updateUser(
    id: string,
    change: { readonly admin?: boolean; readonly groups?: readonly string[]; readonly takeOver?: boolean },
  ): Promise<UserRecord | undefined>
  /**
   * With all tokens; the name is remembered as that of a removed user. False when there was none.
   */
  removeUser(name: string): Promise<boolean>
  /**
   * Throws `exists` for a hash that is taken, `parent-missing` where the user or the parent is
   * gone.
   */
  createToken(token: TokenRecord): Promise<TokenRecord>
  /** The hot path: one indexed read by hash, of any kind. */
  findToken(hash: string): Promise<TokenHolder | undefined>
  /** By its id, as `findToken`: asked at each use of a transfer URL. */
  findTokenById(id: string): Promise<TokenHolder | undefined>
  /** Of one user, or of all, of every kind; newest first. */
  listTokens(userId?: string): Promise<readonly (TokenRecord & { readonly userName: string })[]>
  /** With the sessions that were made of it. False when there was none. */
  removeToken(id: string): Promise<boolean>
  /**
   * Removes the token of this hash if it is of kind `code`, and returns it. Two callers: one gets
   * it.
   */
  takeCode(hash: string): Promise<{ readonly token: TokenRecord; readonly user: UserRecord } | undefined>
  /**
   * Records the time of use; coarse on purpose, the caller writes at most once a minute per token.
   * `expiresAt` moves the expiry too, to that of the parent at the latest.
   */
  touchToken(id: string, now: number, expiresAt?: number): Promise<void>
  /**
   * Removes sessions and codes that are expired, whoever's they are, and of one user all sessions
   * but the newest `keep`.
   */
  trimSessions(trim: { readonly userId: string; readonly keep: number; readonly now: number }): Promise<void>
  /**
   * Makes a member of an entity, or changes the role of one. Ends with the entity, and with the
   * user: a later user of the same name is no member. Throws `parent-missing` where there is no
   * such entity, or no such user.
   */
  setMember(member: MemberRecord): Promise<MemberRecord>
  /** False when there was none. */
  removeMember(entity: string, member: Pick<MemberRecord, 'kind' | 'name'>): Promise<boolean>
  /** Of the entity of this name: groups before users, by name. */
  listMembers(entity: string): Promise<readonly MemberRecord[]>
}

export interface SettingStore {
  /** Two callers: the first value stays, both get it. */
  getOrSet(name: string, value: string): Promise<string>
  get(name: string): Promise<string | undefined>
  /** Two callers: the later value stays. */
  set(name: string, value: string): Promise<void>
}

/**
 * Records of extensions: manifests, keys, sessions, and the like. `extension` is the name of who
 * owns the document, and nobody sees those of another. Names, kinds, ids and indexes are text of up
 * to 512 characters; a value takes up to 4 MiB as JSON.
 */
export interface DocumentStore {
  get(extension: string, kind: string, id: string): Promise<DocumentRecord | undefined>
  /**
   * Compare-and-set: writes only over the version `expected`, or only where there is no document
   * when `expected` is absent. Returns the new version; undefined = another writer was first, and
   * nothing was changed.
   */
  put(
    extension: string,
    kind: string,
    id: string,
    write: {
      readonly value: unknown
      readonly index?: string | null
      readonly expected?: number
      /** Milliseconds since 1970. */
      readonly now: number
    },
  ): Promise<number | undefined>
  /** Only the version `expected` where that is given. False when there was none. */
  delete(extension: string, kind: string, id: string, expected?: number): Promise<boolean>
  /**
   * By id, ascending (`newestFirst`: descending), of this index where that is given, behind the id
   * `after`.
   */
  list(
    extension: string,
    kind: string,
    page: {
      readonly index?: string
      readonly after?: string
      readonly newestFirst?: boolean
      readonly limit: number
    },
  ): Promise<readonly DocumentRecord[]>
}

export interface MetadataCheck {
  readonly ok: boolean
  readonly message: string
}

/** Told now and then while an old database is migrated. */
export interface MigrationProgress {
  /** What is being done, for a log. */
  readonly step: string
  readonly done: number
  readonly total: number
}

export interface MetadataStore {
  /** For people and logs: `sqlite`, `postgres`. */
  readonly name: string
  /**
   * Creates or migrates the schema; safe to call on many instances at once. A large old database is
   * migrated in steps, between which others may read; a process that dies in between is followed by
   * the next one that calls. Throws `schema-too-new` when the database was written by a newer
   * version.
   */
  ready(onProgress?: (progress: MigrationProgress) => void): Promise<void>
  /** Whether the store answers now. Never throws. */
  check(): Promise<MetadataCheck>
  close(): Promise<void>
  readonly entities: EntityStore
  readonly collections: CollectionStore
  readonly containers: ContainerStore
  readonly images: ImageStore
  readonly tags: TagStore
  readonly uploads: UploadStore
  readonly blobs: BlobStore
  readonly changes: ChangeStore
  readonly accounts: AccountStore
  readonly settings: SettingStore
  readonly documents: DocumentStore
  readonly events: EventStore
  readonly pulls: PullStore
  readonly usage: UsageStore
  search(query: SearchQuery): Promise<SearchPage>
}
