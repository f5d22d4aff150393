/**
 * Keys in the storage:
 *
 *     blobs/sha256/ab/<64 hex digits>/<uploadId>     one pushed file; ab = the first two digits
 *
 * The upload id keeps an unverified push from ever overwriting a verified blob, and publishing needs no copy: the image record names the exact key.
 */
export const blobPrefix = 'blobs/sha256/'

export function blobKey(digest: string, uploadId: string): string {
  return `${blobPrefix}${digest.slice(0, 2)}/${digest}/${uploadId}`
}
