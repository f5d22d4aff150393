/** Sharing the bytes of an image that is already published with a new one of the same hash. */
import type { ImageInContainer, ImageRecord, MetadataStore } from '../../storage/metadata/contract.js'

/**
 * Whether the principal who pushes may read an image that already holds these bytes; only then are
 * bytes shared: knowing a hash must open nothing.
 */
export async function findSharable(
  { images }: MetadataStore,
  digest: string,
  mayPull: (candidate: ImageInContainer) => boolean | Promise<boolean>,
): Promise<ImageRecord | undefined> {
  for (const candidate of await images.findPublished(digest, 20)) {
    if (await mayPull(candidate)) return candidate.image
  }
  return undefined
}
