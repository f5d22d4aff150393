/**
 * Blobs in the storage that no record of the metadata store knows: what a crash left, or what the
 * store has lost.
 */
import type { StorageBackend } from '../../storage/blob/contract.js'
import type { MetadataStore } from '../../storage/metadata/contract.js'

export interface UnknownBlob {
  readonly key: string
  /** Bytes. */
  readonly size: number
}

export interface UnknownBlobsOptions {
  /** Of the keys. */
  readonly prefix: string
  /** Only what was written before this time, in milliseconds since 1970. Default: everything. */
  readonly before?: number
  /** Told how many files were looked at since the last time. */
  readonly onLooked?: (files: number) => void
}

/** As many keys as the store is asked about at once. */
const pageSize = 500

/** In any order. Each was unknown when the store was asked; a caller that deletes asks again. */
export async function* listUnknownBlobs(
  { storage, metadata }: { readonly storage: StorageBackend; readonly metadata: MetadataStore },
  { prefix, before = Number.POSITIVE_INFINITY, onLooked }: UnknownBlobsOptions,
): AsyncGenerator<UnknownBlob, void, undefined> {
  const sizes = new Map<string, number>()
  let looked = 0
  async function* unknown(): AsyncGenerator<UnknownBlob, void, undefined> {
    for (const key of await metadata.blobs.findUnknown([...sizes.keys()])) yield { key, size: sizes.get(key) ?? 0 }
    sizes.clear()
  }
  const tell = (): void => {
    onLooked?.(looked)
    looked = 0
  }
  for await (const { key, size, modifiedAt } of storage.list(prefix)) {
    looked += 1
    if (looked === pageSize) tell()
    if (modifiedAt.getTime() >= before) continue
    sizes.set(key, size)
    if (sizes.size === pageSize) yield* unknown()
  }
  if (sizes.size > 0) yield* unknown()
  tell()
}
