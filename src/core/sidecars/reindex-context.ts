/** What one run of `reindex` hands to its steps, and what it reports. */
import type { Services } from '../services.js'

export interface ReindexItem {
  readonly outcome: 'restored' | 'not-restored'
  readonly kind: 'entity' | 'collection' | 'container' | 'image' | 'tag' | 'sidecar'
  /** A path, a reference, or the key of a sidecar that cannot be read. */
  readonly what: string
  /** Whether it is private, the state of an image, the arch of a tag; or what is wrong. */
  readonly why: string
  /** Of an image. */
  readonly bytes?: number
}

export interface ReindexContext {
  readonly services: Services
  readonly dryRun: boolean
  readonly report: (item: ReindexItem) => void
  /** Ids of records whose sidecar cannot be read: nobody knows whether they were private. */
  readonly unreadable: Set<string>
  /** Ids of records that have a sidecar, or one that cannot be read. */
  readonly seen: Set<string>
  readonly isOver: () => boolean
}
