/** What the bytes of an image say of themselves, read from the storage. */
import { inspectSif, type SifInspection } from '../../sif/index.js'
import type { StorageBackend } from '../../storage/blob/contract.js'
import type { BlobFacts } from '../../storage/metadata/contract.js'
import { getRange } from '../blobs/small-objects.js'

/**
 * Reads 64 KiB of most images. Throws what the storage throws, and never for what the bytes are.
 */
export function inspectBlob(
  storage: StorageBackend,
  { key, size }: { readonly key: string; readonly size: number },
): Promise<SifInspection> {
  return inspectSif({
    size,
    read: (offset, length) => getRange(storage, key, { start: offset, end: offset + length - 1 }),
  })
}

/** Keys that are remembered of one file: anybody can claim any number of signers. */
const maxFingerprints = 64

/**
 * The facts that a record of an image has; null where the bytes are no SIF file, or one of which
 * nothing is known.
 */
export function factsOf(inspection: SifInspection): Omit<BlobFacts, 'key' | 'size'> {
  const claimed = inspection.signatures.flatMap(({ claimedFingerprint }) => claimedFingerprint ?? [])
  return {
    arch: inspection.arch,
    signed: inspection.signed,
    encrypted: inspection.encrypted,
    fingerprints: [...new Set(claimed)].slice(0, maxFingerprints),
  }
}

/**
 * Why an image is no SIF file that this registry can answer for, as words for who pushed it;
 * undefined where it is one.
 */
export function whyNoSif({ state, reason }: SifInspection): string | undefined {
  if (state === 'sif') return undefined
  if (state === 'not-a-sif') return 'the file is no SIF image, and this registry takes nothing else'
  const what = state === 'damaged' ? 'a damaged SIF image' : 'a SIF image that this registry cannot read'
  return `the file is ${what} (${reason}), and this registry takes none`
}
