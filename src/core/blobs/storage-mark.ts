/**
 * The mark of the storage: a random word that lies in the storage and in the metadata store. A
 * folder whose volume is not mounted, an empty bucket or another registry's looks like any other
 * storage, only that every blob is missing there; what would be written, settled or hidden then is
 * not undone when the right one comes back. So the registry works only with the storage that has
 * its mark.
 */
import { randomBytes } from 'node:crypto'
import type { StorageBackend } from '../../storage/blob/contract.js'
import { isStorageError, StorageError } from '../../storage/blob/errors.js'
import type { MetadataStore } from '../../storage/metadata/contract.js'
import type { Settings } from '../settings.js'
import { recordsPrefix } from './keys.js'
import { getRange, putSmall } from './small-objects.js'

export interface StorageMark {
  /**
   * Compares the marks, and makes them where they are missing and the storage is known to be the
   * right one: there is no image yet that could be missed, the bytes of one lie there, or
   * `acceptStorage` says so. Throws as `check`.
   */
  establish(): Promise<void>
  /**
   * Asks the storage, again after `maxAgeMs` (default: always). Throws StorageError `unavailable`,
   * not retryable, where it is not the one of this registry.
   */
  check(options?: { readonly maxAgeMs?: number; readonly signal?: AbortSignal }): Promise<void>
}

/** Beside the sidecars, so that whoever copies these copies it too. */
export const storageMarkKey: string = `${recordsPrefix}storage-mark`
const setting = 'storage-mark'
/** Set while a storage is accepted in which no image of a sample has its bytes. */
const emptySetting = 'storage-without-bytes'
const pattern = /^[0-9a-f]{32}$/

/**
 * The first 64 bytes of the mark of a storage, also of a file that is no mark; undefined where
 * there is none. Throws StorageError.
 */
export async function readStorageMark(storage: StorageBackend, signal?: AbortSignal): Promise<string | undefined> {
  try {
    return (await getRange(storage, storageMarkKey, { start: 0, end: 63, signal })).toString().trim()
  } catch (error) {
    if (isStorageError(error, 'not-found')) return undefined
    if (isStorageError(error, 'invalid-range')) return ''
    throw error
  }
}

function notOurs(storage: StorageBackend, state: 'missing' | 'other'): StorageError {
  const seen = state === 'missing' ? `it has no ${storageMarkKey}` : `its ${storageMarkKey} is another one`
  return new StorageError(
    'unavailable',
    `this is not the storage of this registry: ${seen}. Is the volume mounted, the bucket the right one? If the registry moved, bring its bytes along first: sif-library copy-storage FROM TO, which copies the mark too. Only where they are lost or lie there already, start once with acceptStorage (--accept-storage): without them every pull fails`,
    { backend: storage.name, key: storageMarkKey, retryable: false },
  )
}

type Stores = { readonly storage: StorageBackend; readonly metadata: MetadataStore }

/** How many images are looked for: an old backup knows some that are gone. */
const sample = 100

/**
 * Whether a storage was accepted that has the bytes of no image, and has none still: then it is not
 * the images that are damaged, or somebody said that their bytes are lost.
 */
export async function isStillEmpty(stores: Stores): Promise<boolean> {
  const { settings } = stores.metadata
  if ((await settings.get(emptySetting)) !== '1') return false
  if ((await holdsImages(stores)) === 'none') return true
  await settings.set(emptySetting, '')
  return false
}

/**
 * Whether the storage holds bytes of the registry's images, or there are none that it could hold.
 */
async function holdsImages({ storage, metadata }: Stores): Promise<'some' | 'none' | 'no images'> {
  const found = await metadata.images.list({ states: ['published', 'unproven'], limit: sample })
  for (const { image } of found)
    if (image.blobKey !== null && (await storage.stat(image.blobKey)) !== undefined) return 'some'
  return found.length === 0 ? 'no images' : 'none'
}

/**
 * `same`: both have the same mark. `taken`: the metadata store takes over that of the storage.
 * `made`: the storage gets one. `missing` and `other`: the storage is refused, because it has none
 * or another one.
 */
export type StorageMarkState = 'same' | 'taken' | 'made' | 'missing' | 'other'

/** What a start makes of the marks; changes nothing. Throws StorageError and MetadataError. */
export async function compareStorageMarks(
  { storage, metadata }: Stores,
  { acceptStorage = false }: { readonly acceptStorage?: boolean } = {},
): Promise<StorageMarkState> {
  const [known, there] = [await metadata.settings.get(setting), await readStorageMark(storage)]
  if (there !== undefined && there === known) return 'same'
  const isMark = there !== undefined && pattern.test(there)
  if (!acceptStorage) {
    const holds = await holdsImages({ storage, metadata })
    if (holds === 'none') return there === undefined ? 'missing' : 'other'
    // two different marks: this is another registry's storage, whatever lies there
    if (holds === 'some' && there !== undefined && (known !== undefined || !isMark)) return 'other'
  }
  return isMark ? 'taken' : 'made'
}

export function createStorageMark({
  storage,
  metadata,
  settings,
}: Stores & { readonly settings: Pick<Settings, 'acceptStorage' | 'logger'> }): StorageMark {
  let expected: string | undefined
  let seenAt = Number.NEGATIVE_INFINITY
  let asking: Promise<void> | undefined

  /**
   * The metadata store decides on the word, so that two first starts agree. Returns what the
   * storage has then.
   */
  const write = async (): Promise<string | undefined> => {
    const mark = await metadata.settings.getOrSet(setting, randomBytes(16).toString('hex'))
    const there = await readStorageMark(storage)
    if (there !== undefined && !pattern.test(there)) await storage.delete(storageMarkKey)
    try {
      await putSmall(storage, storageMarkKey, Buffer.from(`${mark}\n`))
    } catch (error) {
      if (!isStorageError(error, 'exists')) throw error
    }
    return readStorageMark(storage)
  }

  /**
   * A storage that is full, or whose policy knows only blobs, can be pulled from all the same; it
   * is not watched then.
   */
  const goOnUnmarked = (err: unknown): undefined => {
    if (!isStorageError(err, 'access-denied') && !isStorageError(err, 'no-space')) throw err
    settings.logger.warn(
      { err },
      'the storage could not be marked as that of this registry; the next start tries again',
    )
  }

  /** The mark that both have then; undefined where the storage takes none. */
  const establish = async (): Promise<string | undefined> => {
    const { acceptStorage } = settings
    const known = await metadata.settings.get(setting)
    let state: StorageMarkState
    try {
      state = await compareStorageMarks({ storage, metadata }, { acceptStorage })
    } catch (error) {
      if (known !== undefined) throw error
      return goOnUnmarked(error)
    }
    if (state === 'missing' || state === 'other') throw notOurs(storage, state)
    if (acceptStorage && state !== 'same' && known !== undefined)
      settings.logger.warn(
        { storage: storage.name },
        'the storage is taken for that of this registry, as acceptStorage says',
      )
    if (acceptStorage && state !== 'same' && (await holdsImages({ storage, metadata })) === 'none') {
      await metadata.settings.set(emptySetting, '1')
      settings.logger.error(
        { storage: storage.name },
        'no image has its bytes in this storage, so every pull fails: bring them along with sif-library copy-storage',
      )
    }
    const there = state === 'made' ? await write().catch(goOnUnmarked) : await readStorageMark(storage)
    if (there === undefined) {
      if (state === 'made') return undefined
      throw notOurs(storage, 'missing')
    }
    if (state === 'taken') await metadata.settings.set(setting, there)
    if (there !== (await metadata.settings.get(setting))) throw notOurs(storage, 'other')
    return there
  }

  const ask = async (signal?: AbortSignal): Promise<void> => {
    const there = await readStorageMark(storage, signal)
    // another instance may have been told to accept this storage
    if (there !== undefined && there !== expected && there === (await metadata.settings.get(setting))) expected = there
    if (there === undefined || there !== expected) throw notOurs(storage, there === undefined ? 'missing' : 'other')
    seenAt = performance.now()
  }

  return {
    establish: async () => {
      expected = await establish()
      seenAt = performance.now()
    },

    check: async ({ maxAgeMs = 0, signal } = {}) => {
      // before `establish` nothing is known of either
      if (expected === undefined || performance.now() - seenAt < maxAgeMs) return
      if (maxAgeMs === 0) return ask(signal)
      asking ??= ask().finally(() => {
        asking = undefined
      })
      return asking
    },
  }
}
