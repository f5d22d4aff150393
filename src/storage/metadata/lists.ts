/**
 * Lists for people: pages that each are read along one index, with the filter of what somebody may
 * see pushed down.
 */
import type { CollectionRecord, ContainerRecord, EntityRecord, ImageRecord, TagRecord } from './records.js'

/**
 * What a list or a search may show: everything, what is public, or what is public plus everything
 * in the entities of these names.
 */
export type VisibilityFilter = 'all' | 'public' | { readonly entities: readonly string[] }

/**
 * A page looks at some thousand records at the most. So where few records pass the filters it may
 * hold fewer than `limit`, or none, and still have a `next`: go on with that until there are
 * enough, or there is none.
 */
export interface Page<R> {
  readonly items: readonly R[]
  /**
   * Give it back as `after` of the same query; undefined on the last page. 2048 characters at the
   * most.
   */
  readonly next: string | undefined
}

export interface PageQuery<Sort extends string> {
  readonly visibility: VisibilityFilter
  /** `-` is descending. Equal ones are ordered by name or id. */
  readonly sort: Sort
  readonly limit: number
  /** What no page of this query returned begins at the first page. */
  readonly after?: string
  /** Case-insensitive substring of path or description. Default: no filter. */
  readonly q?: string
  /** Start of the name (its last part), case-sensitive. Default: no filter. */
  readonly prefix?: string
  /** Only those that this principal id created. Default: no filter. */
  readonly owner?: string
  /** Only private ones, or only public ones. Default: both. */
  readonly private?: boolean
}

/** Public are those whose things do not start private (`defaultPrivate`). */
export type EntityPageQuery = PageQuery<'name' | '-usedBytes' | '-updatedAt'> & {
  /** Only those of these names. Default: no filter. */
  readonly names?: readonly string[]
}

export type CollectionPageQuery = PageQuery<'name' | '-usedBytes' | '-updatedAt'> & {
  /** Name of the entity. Default: of all. */
  readonly entity?: string
}

export type ContainerPageQuery = PageQuery<'name' | '-updatedAt' | '-pulls' | '-usedBytes'> & {
  /** Only those in the entities of these names ("mine"). Default: of all. */
  readonly entities?: readonly string[]
  /** Id of a collection. Default: of all. */
  readonly collectionId?: string
  /** Only those with a tag of this arch. Default: no filter. */
  readonly arch?: string
  /** Whether the image of the latest tag is signed; not known is not signed. Default: no filter. */
  readonly signed?: boolean
}

/**
 * Of one container, whom the caller has asked about. Published, unproven and damaged images; not
 * those without bytes.
 */
export interface ImagePageQuery {
  readonly containerId: string
  readonly sort: 'publishedAt' | '-publishedAt'
  readonly limit: number
  readonly after?: string
  readonly arch?: string
  /** Only those without a tag, or only those with one. Default: both. */
  readonly untagged?: boolean
}

export interface TagPageQuery {
  readonly containerId: string
  readonly sort: 'name' | '-updatedAt'
  readonly limit: number
  readonly after?: string
  readonly arch?: string
  /** Case-sensitive substring of the tag. Default: no filter. */
  readonly q?: string
}

export interface EntitySummary extends EntityRecord {
  /** Images with bytes (published, unproven and damaged ones). */
  readonly imageCount: number
}

export interface CollectionSummary extends CollectionRecord {
  /** As `usedBytes` of an entity. */
  readonly usedBytes: number
  readonly imageCount: number
}

export interface LatestTag {
  readonly arch: string
  readonly tag: string
  readonly imageId: string
  readonly digest: string
  readonly size: number
  readonly signed: boolean | null
  readonly updatedAt: number
}

export interface ContainerSummary extends ContainerRecord {
  /** As `usedBytes` of an entity. */
  readonly usedBytes: number
  readonly imageCount: number
  /** Of its tags, ascending. */
  readonly archs: readonly string[]
  /** The tag that was set last. */
  readonly latest: LatestTag | null
  readonly lastPulledAt: number | null
  /**
   * When it, its images or its tags changed last, and the name of who did it (null = not known).
   */
  readonly changedAt: number
  readonly changedBy: string | null
}

export interface ImageSummary extends ImageRecord {
  /** Ascending by (arch, tag); 101 at the most. */
  readonly tags: readonly TagRecord[]
  readonly downloadCount: number
  readonly lastPulledAt: number | null
  /** Name of who published it, as it was then; null = not known. */
  readonly pushedByName: string | null
}

export interface TagSummary extends TagRecord {
  /** Name of who set it last; null = not known. */
  readonly changedBy: string | null
  readonly image: ImageRecord
}

/** What a deletion would take. */
export interface DeletionPreview {
  /** Exact up to 10,000; 10,001 = more. */
  readonly collections: number
  /** Exact up to 10,000; 10,001 = more. */
  readonly containers: number
  readonly images: number
  /** Exact up to 10,000; 10,001 = more. */
  readonly tags: number
  /** That the entity's usage falls by. Bytes that other images share stay in the storage. */
  readonly bytes: number
}
