/**
 * Inspections of images: made once from the bytes, kept with the blob, and made again where a later
 * version reads more.
 */
import type { SifInspection } from '../../sif/index.js'
import type { BlobInspection, ImageRecord } from '../../storage/metadata/contract.js'
import type { Services } from '../services.js'
import { factsOf, inspectBlob } from './inspect-blob.js'

/**
 * Of what an inspection holds: raised where the reader reads more, or otherwise; older ones are
 * then made again.
 */
export const inspectionVersion = 1

/** Objects that are kept of a file; ordinary images have four. */
const keptObjects = 256

/** The record of an inspection. A list of objects that nobody reads to its end is cut. */
export function keptInspection(inspection: SifInspection, now: number): BlobInspection {
  const { objects, notes } = inspection
  const value: SifInspection =
    objects.length <= keptObjects
      ? inspection
      : {
          ...inspection,
          objects: objects.slice(0, keptObjects),
          notes: [...notes, `${objects.length} objects, of which ${keptObjects} are shown`],
        }
  return { version: inspectionVersion, inspectedAt: now, value }
}

type InspectedImage = Pick<ImageRecord, 'blobKey' | 'size'>
type Stores = Pick<Services, 'storage' | 'metadata' | 'settings'>

/**
 * The facts of every image on a blob follow what was read. At most this many; there are more only
 * by design of somebody.
 */
const maxSharers = 10_000

/**
 * Reads the bytes of a blob, and records what they say, with the blob and with every image that has
 * it.
 */
export async function inspectAgain(
  { storage, metadata, settings }: Stores,
  blob: { readonly key: string; readonly size: number },
): Promise<SifInspection> {
  const inspection = await inspectBlob(storage, blob)
  const facts = factsOf(inspection)
  for (const { image } of await metadata.blobs.imagesOf(blob.key, maxSharers))
    await metadata.images.setFacts(image.id, facts, settings.clock(), { blobKey: blob.key })
  // last, so that a crash before it leaves the blob to the next run
  const kept = keptInspection(inspection, settings.clock())
  await metadata.blobs.setInspection(blob.key, kept)
  return kept.value as SifInspection
}

/**
 * What the bytes of an image say: as recorded, or read now where nothing is; undefined for an image
 * without bytes. Throws what the storage throws.
 */
export async function inspectionOf(services: Stores, image: InspectedImage): Promise<SifInspection | undefined> {
  if (image.blobKey === null) return undefined
  const kept = await services.metadata.blobs.inspectionOf(image.blobKey)
  if (kept !== undefined && kept.version === inspectionVersion) return kept.value as SifInspection
  return inspectAgain(services, { key: image.blobKey, size: image.size })
}

/** What events say of a file: no text of it, since definition files may hold secrets. */
export type SifSummary = Pick<SifInspection, 'state' | 'kind' | 'signed' | 'encrypted'>

export function summaryOf({ state, kind, signed, encrypted }: SifInspection): SifSummary {
  return { state, kind, signed, encrypted }
}
