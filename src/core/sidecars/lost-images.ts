/**
 * Images that the metadata store has lost (with its file, or to a backup that is older than they
 * are), and that their sidecars still know.
 */
import type { StorageBackend } from '../../storage/blob/contract.js'
import type { ImageRecord, MetadataStore } from '../../storage/metadata/contract.js'
import { digestOfKey } from '../blobs/keys.js'
import type { BlobKeeper } from '../blobs/why-kept.js'
import { containerPath } from '../model/references.js'
import type { Settings } from '../settings.js'
import { decodeSidecar, type ImageSidecar, readSidecar } from './document.js'
import { listNewest, sidecarsOfImages } from './keys.js'

interface Stores {
  readonly storage: StorageBackend
  readonly metadata: MetadataStore
}

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

/**
 * An old backup may say of an image that it lies on a blob which was swept since: it was deleted,
 * or damaged, and pushed again.
 */
async function lacksBytes(
  { storage }: Stores,
  { state, blobKey }: ImageRecord,
  sidecar: ImageSidecar,
): Promise<boolean> {
  if (state !== 'published' && state !== 'unproven') return false
  return blobKey !== null && blobKey !== sidecar.blobKey && (await storage.stat(blobKey)) === undefined
}

/**
 * No such image, or one without bytes, or on bytes that are damaged or gone where the sidecar knows
 * of others.
 */
export async function isLost(stores: Stores, sidecar: ImageSidecar): Promise<boolean> {
  const found = await findNamed(stores.metadata, sidecar)
  if (found === undefined || found.state === 'pending') return true
  return (found.state === 'damaged' && found.blobKey !== sidecar.blobKey) || (await lacksBytes(stores, found, sidecar))
}

/** Hides an image whose bytes are gone, so that `images.restore` gives it those of the sidecar. */
export async function hideWithoutBytes(
  stores: Stores & { readonly settings: Pick<Settings, 'clock'> },
  sidecar: ImageSidecar,
): Promise<void> {
  const { metadata, settings } = stores
  const found = await findNamed(metadata, sidecar)
  if (found !== undefined && (await lacksBytes(stores, found, sidecar)))
    await metadata.images.setState(found.id, ['published', 'unproven'], 'damaged', settings.clock(), found)
}

/**
 * The image that refers to a blob by its sidecar and that the store has lost, in words; undefined =
 * none. The blob must stay until `reindex` has run. Only for a blob to which no image of the store
 * refers: an image that was deleted has its sidecar until the note of its deletion is settled, and
 * none afterwards.
 */
async function describeLostImage({ storage, metadata }: Stores, blobKey: string): Promise<string | undefined> {
  const digest = digestOfKey(blobKey)
  if (digest === undefined) return undefined
  for (const { key, target } of await listNewest(storage, sidecarsOfImages(digest))) {
    let sidecar: ImageSidecar | undefined
    try {
      const found = decodeSidecar(await readSidecar(storage, key), target)
      if (found.kind === 'image') sidecar = found
    } catch {
      // gone meanwhile, which is seen below; or of a newer version, or spoilt: it may name the blob
      // then
    }
    const lost =
      sidecar === undefined
        ? (await metadata.images.find(target.id)) === undefined
        : sidecar.blobKey === blobKey && (await isLost({ storage, metadata }, sidecar))
    if (!lost || (await metadata.changes.isPending('image', target.id))) continue
    // the image may have been deleted, and its deletion settled, while this function looked
    if ((await storage.stat(key)) === undefined) continue
    const image =
      sidecar === undefined
        ? `${target.id}, which cannot be read,`
        : `${target.id} of ${sidecar.entity}/${sidecar.collection}/${sidecar.container}`
    return `the sidecar of image ${image} names it, and the database does not know that image: run reindex`
  }
  return undefined
}

/** Keeps the blobs that `reindex` needs to bring back images which the metadata store has lost. */
export function createLostImageKeeper(stores: Stores): BlobKeeper {
  return { name: 'sidecars', keeps: (blobKey) => describeLostImage(stores, blobKey) }
}
