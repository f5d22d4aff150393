/**
 * The one answer to "why does this blob stay?", for the sweep, for dropping bytes and for
 * explanations.
 */
import type { StorageBackend } from '../../storage/blob/contract.js'
import type { ImageInContainer, MetadataStore } from '../../storage/metadata/contract.js'
import type { Logger } from '../http/logger.js'

/** Somebody beside the metadata store who may need a blob to stay. */
export interface BlobKeeper {
  /** For logs and totals. */
  readonly name: string
  /** Why the blob must stay, as words that follow "kept because"; undefined = no objection. */
  readonly keeps: (blobKey: string) => Promise<string | undefined>
}

/**
 * Why a blob stays. `keeper`: a keeper objects. `images`: images refer to it. `upload`: an upload
 * that is open or being completed writes it. `grace`: only its record is left, and the sweep
 * forgets that after the grace time.
 */
export type KeptBlob =
  | { readonly by: 'keeper'; readonly why: string }
  | { readonly by: 'images'; readonly images: readonly ImageInContainer[] }
  | { readonly by: 'upload' }
  | { readonly by: 'grace'; readonly unreferencedAt: number | null }

export interface KeptBlobStores {
  readonly metadata: MetadataStore
  readonly keepers: readonly BlobKeeper[]
}

/** As many images as an explanation names. */
const imagesNamed = 10

async function keptByImages({ metadata }: KeptBlobStores, key: string): Promise<KeptBlob | undefined> {
  const images = await metadata.blobs.imagesOf(key, imagesNamed)
  return images.length === 0 ? undefined : { by: 'images', images }
}

async function keptByKeeper({ keepers }: KeptBlobStores, key: string): Promise<KeptBlob | undefined> {
  for (const { keeps } of keepers) {
    const why = await keeps(key)
    if (why !== undefined) return { by: 'keeper', why }
  }
  return undefined
}

/**
 * Why a blob must stay now; undefined = nothing knows it, and its bytes may be deleted.
 *
 * The metadata store has the last word: `reindex` may put an image back while the keepers are
 * asked, and then no keeper knows it as lost any more.
 */
export async function whyKept(stores: KeptBlobStores, key: string): Promise<KeptBlob | undefined> {
  const kept = (await keptByImages(stores, key)) ?? (await keptByKeeper(stores, key))
  if (kept !== undefined) return kept
  const { blobs } = stores.metadata
  // one statement, so that an upload which becomes an image meanwhile is seen as one or the other
  if ((await blobs.findUnknown([key])).length > 0) return undefined
  const blob = await blobs.find(key)
  if (blob === undefined) return { by: 'upload' }
  return (await keptByImages(stores, key)) ?? { by: 'grace', unreferencedAt: blob.unreferencedAt }
}

/**
 * Deletes the bytes of a blob at once unless anything keeps it. False where that failed: the sweep
 * then does it. Never throws.
 */
export async function dropBlob(
  stores: KeptBlobStores & { readonly storage: StorageBackend; readonly settings: { readonly logger: Logger } },
  key: string,
): Promise<boolean> {
  try {
    // no bytes are there where a write failed; how many sidecars there are must not show in the
    // time it takes
    if ((await stores.storage.stat(key)) === undefined) return true
    if ((await whyKept(stores, key)) === undefined) await stores.storage.delete(key)
    return true
  } catch (err) {
    stores.settings.logger.warn({ err, key }, 'a blob is left to the sweeper')
    return false
  }
}
