/**
 * The mark of the storage: a random word that lies in the storage and in the metadata store. A folder whose volume is not mounted, an empty bucket or another registry's looks like any
 * other storage, only that every blob is missing there; what would be written, settled or hidden then is not undone when the right one comes back. So the registry works only with the
 * storage that has its mark.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { StorageBackend } from '../storage/blob/contract.js'
import { isStorageError, StorageError } from '../storage/blob/errors.js'
import type { Services } from './services.js'
import { sidecarPrefix } from './sidecar-keys.js'

export interface StorageMark {
  /**
   * Compares the marks. Where neither has one both get it, a metadata store without one takes over that of the storage (it is new, or a restored backup), and with `acceptStorage` also
   * where they differ or the storage has none. Throws as `check`.
   */
  settle(): Promise<void>
  /** Asks the storage, again after `maxAgeMs` (default: always). Throws StorageError `unavailable`, not retryable, where it is not the one of this registry. */
  check(options?: { readonly maxAgeMs?: number }): Promise<void>
}

/** Beside the sidecars, so that whoever copies these copies it too. */
export const storageMarkKey: string = `${sidecarPrefix}storage-mark`
const setting = 'storage-mark'
const pattern = /^[0-9a-f]{32}$/

/** Of what is no mark of ours the beginning. */
async function readMark(storage: StorageBackend): Promise<string | undefined> {
  try {
    const { body } = await storage.get(storageMarkKey, { range: { start: 0, end: 63 } })
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(Uint8Array.from(chunk))
    return Buffer.concat(chunks).toString().trim()
  } catch (error) {
    if (isStorageError(error, 'not-found')) return undefined
    if (isStorageError(error, 'invalid-range')) return ''
    throw error
  }
}

async function writeMark(storage: StorageBackend, mark: string): Promise<void> {
  const content = Buffer.from(`${mark}\n`)
  const body = (async function* () {
    yield content
  })()
  await storage.put(storageMarkKey, body, { size: content.length, sha256: createHash('sha256').update(content).digest('hex') })
}

function notOurs(storage: StorageBackend, found: string | undefined): StorageError {
  const seen = found === undefined ? `it has no ${storageMarkKey}` : `its ${storageMarkKey} is another one`
  return new StorageError(
    'unavailable',
    `this is not the storage of this registry: ${seen}. Is the volume mounted, the bucket the right one? If the storage was emptied or replaced on purpose, start once with acceptStorage (--accept-storage)`,
    { backend: storage.name, key: storageMarkKey, retryable: false },
  )
}

/** `unmarked`: neither was ever used by a registry of this version, or the storage takes no mark. `missing`: the storage has none, and the metadata store has. */
export type StorageMarkState = 'same' | 'new' | 'unmarked' | 'missing' | 'other'

/** Compares the marks and changes nothing, for `doctor`. `new`: the metadata store has none and would take over that of the storage. Throws StorageError and MetadataError. */
export async function compareStorageMarks({ storage, metadata }: Pick<Services, 'storage' | 'metadata'>): Promise<StorageMarkState> {
  const [known, there] = [await metadata.settings.get(setting), await readMark(storage)]
  if (known === there) return known === undefined ? 'unmarked' : 'same'
  if (known === undefined) return 'new'
  return there === undefined ? 'missing' : 'other'
}

export function createStorageMark({ storage, metadata, settings }: Pick<Services, 'storage' | 'metadata' | 'settings'>): StorageMark {
  let expected: string | undefined
  let seenAt = Number.NEGATIVE_INFINITY

  /** The storage's own; made where there is none. Of two instances one writes it, and both read it. */
  const markOf = async (): Promise<string | undefined> => {
    const there = await readMark(storage)
    if (there !== undefined && (pattern.test(there) || !settings.acceptStorage)) return there
    if (there !== undefined) await storage.delete(storageMarkKey)
    const mark = randomBytes(16).toString('hex')
    try {
      await writeMark(storage, mark)
      return mark
    } catch (error) {
      if (isStorageError(error, 'exists')) return readMark(storage)
      throw error
    }
  }

  return {
    settle: async () => {
      const known = await metadata.settings.get(setting)
      let there: string | undefined
      try {
        there = known === undefined || settings.acceptStorage ? await markOf() : await readMark(storage)
      } catch (err) {
        if (known !== undefined) throw err
        // a storage that is full, or whose policy knows only blobs, can be pulled from all the same
        settings.logger.warn({ err }, 'the storage could not be marked as that of this registry; the next start tries again')
        return
      }
      if (there === undefined || !pattern.test(there)) throw notOurs(storage, there)
      if (settings.acceptStorage && known !== there) await metadata.settings.set(setting, there)
      // a crash between the two leaves a mark in the storage, which the next start takes over
      const ours = await metadata.settings.getOrSet(setting, there)
      if (ours !== there) throw notOurs(storage, there)
      expected = ours
      seenAt = performance.now()
    },

    check: async ({ maxAgeMs = 0 } = {}) => {
      // before `settle` nothing is known of either
      if (expected === undefined || performance.now() - seenAt < maxAgeMs) return
      const there = await readMark(storage)
      if (there === undefined || there !== expected) throw notOurs(storage, there)
      seenAt = performance.now()
    },
  }
}
