/** Images that the metadata store has lost (with its file, or to a backup that is older than they are), and that their sidecars still know. */
import type { MetadataStore } from '../storage/metadata/contract.js'
import { digestOfKey } from './blob-keys.js'
import { containerPath } from './references.js'
import type { Services } from './services.js'
import { listNewest, sidecarsOfImages } from './sidecar-keys.js'
import { decodeSidecar, type ImageSidecar, readSidecar } from './sidecars.js'

/** What `images.restore` would find: no such image, or one without bytes, or a damaged one that should have others. */
export async function isLost(metadata: MetadataStore, sidecar: ImageSidecar): Promise<boolean> {
  const { entity, collection, container, digest, blobKey } = sidecar
  const named = await metadata.images.find(sidecar.id)
  const isSame = named?.image.digest === digest && containerPath(named.container) === `${entity}/${collection}/${container}`
  // a sidecar with the id of another image says nothing of that one
  const found = isSame ? named : await metadata.images.findByPath({ entity, collection, container }, { digest })
  if (found === undefined) return true
  return found.image.state === 'pending' || (found.image.state === 'damaged' && found.image.blobKey !== blobKey)
}

/** What can be said of an image that is only known by its sidecar. */
export interface LostImage {
  readonly imageId: string
  /** undefined where the sidecar cannot be read; then it may name the blob. */
  readonly sidecar: ImageSidecar | undefined
}

/**
 * An image that refers to the blob by its sidecar and that the store has lost; the blob must stay until `reindex` has run. Only for a blob to which no image of the store refers: an
 * image that was deleted has its sidecar until the note of it is settled, and none afterwards.
 */
export async function findLostImage({ storage, metadata }: Pick<Services, 'storage' | 'metadata'>, blobKey: string): Promise<LostImage | undefined> {
  const digest = digestOfKey(blobKey)
  if (digest === undefined) return undefined
  for (const { key, target } of await listNewest(storage, sidecarsOfImages(digest))) {
    let sidecar: ImageSidecar | undefined
    try {
      const found = decodeSidecar(await readSidecar(storage, key), target)
      if (found.kind === 'image') sidecar = found
    } catch {
      // gone meanwhile, which is seen below; or of a newer version, or spoilt
    }
    const lost =
      sidecar === undefined ? (await metadata.images.find(target.id)) === undefined : sidecar.blobKey === blobKey && (await isLost(metadata, sidecar))
    if (!lost || (await metadata.changes.isPending('image', target.id))) continue
    // deleted, and settled while we looked?
    if ((await storage.stat(key)) !== undefined) return { imageId: target.id, sidecar }
  }
  return undefined
}

/**
 * Deletes a blob that no image has, unless the metadata store has lost that image (it is an old backup): `reindex` needs it then. False where that failed; it is the sweeper's then.
 */
export async function dropBlob({ storage, metadata, settings }: Pick<Services, 'storage' | 'metadata' | 'settings'>, key: string): Promise<boolean> {
  try {
    // nothing lies where a write failed; and what sidecars there are of these bytes is nothing that the client may measure
    if ((await storage.stat(key)) === undefined) return true
    if ((await findLostImage({ storage, metadata }, key)) !== undefined) return true
    // asked last: `reindex` may just have put the image back, and then it was not lost any more
    if ((await metadata.blobs.findUnknown([key])).length > 0) await storage.delete(key)
    return true
  } catch (err) {
    settings.logger.warn({ err, key }, 'a blob is left to the sweeper')
    return false
  }
}
