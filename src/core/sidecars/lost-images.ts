/** Images that the metadata store has lost (with its file, or to a backup that is older than they are), and that their sidecars still know. */
import type { ImageRecord, MetadataStore } from '../../storage/metadata/contract.js'
import { digestOfKey } from '../blobs/keys.js'
import { containerPath } from '../model/references.js'
import type { Services } from '../services.js'
import { decodeSidecar, type ImageSidecar, readSidecar } from './document.js'
import { listNewest, sidecarsOfImages } from './keys.js'

type Stores = Pick<Services, 'storage' | 'metadata'>

/** The image that a sidecar is about, as the store knows it. */
async function findNamed(
  metadata: MetadataStore,
  { id, entity, collection, container, digest }: ImageSidecar,
): Promise<ImageRecord | undefined> {
  const named = await metadata.images.find(id)
  // a sidecar with the id of another image says nothing of that one
  const isSame =
    named?.image.digest === digest && containerPath(named.container) === `${entity}/${collection}/${container}`
  return (isSame ? named : await metadata.images.findByPath({ entity, collection, container }, { digest }))?.image
}

/** An old backup may say of an image that it lies on a blob which was swept since: it was deleted, or damaged, and pushed again. */
async function lacksBytes(
  { storage }: Stores,
  { state, blobKey }: ImageRecord,
  sidecar: ImageSidecar,
): Promise<boolean> {
  if (state !== 'published' && state !== 'unproven') return false
  return blobKey !== null && blobKey !== sidecar.blobKey && (await storage.stat(blobKey)) === undefined
}

/** No such image, or one without bytes, or on bytes that are damaged or gone where the sidecar knows of others. */
export async function isLost(stores: Stores, sidecar: ImageSidecar): Promise<boolean> {
  const found = await findNamed(stores.metadata, sidecar)
  if (found === undefined || found.state === 'pending') return true
  return (found.state === 'damaged' && found.blobKey !== sidecar.blobKey) || (await lacksBytes(stores, found, sidecar))
}

/** Hides an image whose bytes are gone, so that `images.restore` gives it those of the sidecar. */
export async function hideWithoutBytes(
  services: Pick<Services, 'storage' | 'metadata' | 'settings'>,
  sidecar: ImageSidecar,
): Promise<void> {
  const { metadata, settings } = services
  const found = await findNamed(metadata, sidecar)
  if (found !== undefined && (await lacksBytes(services, found, sidecar)))
    await metadata.images.setState(found.id, ['published', 'unproven'], 'damaged', settings.clock(), found)
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
export async function findLostImage(
  { storage, metadata }: Pick<Services, 'storage' | 'metadata'>,
  blobKey: string,
): Promise<LostImage | undefined> {
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
      sidecar === undefined
        ? (await metadata.images.find(target.id)) === undefined
        : sidecar.blobKey === blobKey && (await isLost({ storage, metadata }, sidecar))
    if (!lost || (await metadata.changes.isPending('image', target.id))) continue
    // deleted, and settled while we looked?
    if ((await storage.stat(key)) !== undefined) return { imageId: target.id, sidecar }
  }
  return undefined
}

/**
 * Deletes a blob that no image has, unless the metadata store has lost that image (it is an old backup): `reindex` needs it then. False where that failed; it is the sweeper's then.
 */
export async function dropBlob(
  { storage, metadata, settings }: Pick<Services, 'storage' | 'metadata' | 'settings'>,
  key: string,
): Promise<boolean> {
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
