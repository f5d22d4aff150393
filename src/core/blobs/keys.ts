/**
 * Keys in the storage:
 *
 *     blobs/sha256/ab/<64 hex digits>/<uploadId>     one pushed file; ab = the first two digits
 *
 * The upload id keeps an unverified push from ever overwriting a verified blob, and publishing
 * needs no copy: the image record names the exact key.
 */
export const blobPrefix = 'blobs/sha256/'

/**
 * Prefix of what the registry notes in the storage beside the blobs: sidecars and the mark of the
 * storage.
 */
export const recordsPrefix = 'records/'

const blobPattern = /^blobs\/sha256\/[0-9a-f]{2}\/([0-9a-f]{64})\//

export function digestPath(digest: string): string {
  return `${digest.slice(0, 2)}/${digest}`
}

/** Prefix of all blobs with this digest. */
export function blobFolder(digest: string): string {
  return `${blobPrefix}${digestPath(digest)}/`
}

export function blobKey(digest: string, uploadId: string): string {
  return `${blobFolder(digest)}${uploadId}`
}

/** The digest that a key names; undefined for a key of another kind. */
export function digestOfKey(key: string): string | undefined {
  return blobPattern.exec(key)?.[1]
}
