/** A quota that has no room, in words for the person who pushes. */
import { isMetadataError } from '../../storage/metadata/errors.js'
import { LibraryError } from '../http/errors.js'
import { formatBytes } from '../model/format-bytes.js'
import type { Services } from '../services.js'

/**
 * Runs work that takes room in an entity; where the store says `quota-exceeded`, throws that with
 * limit, use and what was wanted.
 */
export async function explainQuota<T>(
  { metadata, settings }: Pick<Services, 'metadata' | 'settings'>,
  { entityId, wanted }: { readonly entityId: string; readonly wanted: number },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (!isMetadataError(cause, 'quota-exceeded')) throw cause
    const entity = await metadata.entities.find(entityId)
    if (entity === undefined) throw cause
    const limit = entity.quotaBytes ?? settings.limits.maxEntityBytes
    const { name, usedBytes, reservedBytes } = entity
    const reserved = reservedBytes > 0 ? ` and ${formatBytes(reservedBytes)} held by uploads under way` : ''
    throw new LibraryError(
      'quota-exceeded',
      `${name} has no room for ${formatBytes(wanted)}: its quota is ${formatBytes(limit)}, with ${formatBytes(usedBytes)} used${reserved}`,
      { cause },
    )
  }
}
