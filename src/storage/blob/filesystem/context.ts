/** What the functions of multipart uploads share. */
import { randomUUID } from 'node:crypto'
import type { StorageLimits } from '../contract.js'
import type { Layout } from './layout.js'
import { PartsDigest } from './part-digest.js'
import { PartLocks } from './part-locks.js'
import type { Durability } from './publication.js'

export interface MultipartContext {
  readonly layout: Layout
  readonly limits: StorageLimits
  readonly durability: Durability
  readonly bufferBytes: number
  readonly digests: PartsDigest
  readonly locks: PartLocks
  /** Names this instance in journals. */
  readonly writer: string
}

export function makeMultipartContext(
  options: Pick<MultipartContext, 'layout' | 'limits' | 'durability' | 'bufferBytes'>,
): MultipartContext {
  return { ...options, digests: new PartsDigest(), locks: new PartLocks(), writer: randomUUID() }
}
