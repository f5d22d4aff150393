import { createHash, type Hash } from 'node:crypto'

interface Progress {
  readonly hash: Hash
  /** Etags of the parts that `hash` has seen: parts 1 to n. */
  readonly etags: string[]
}

/**
 * SHA-256 of the wholes of uploads whose parts arrive in order, so that completing them need not
 * read them again. Kept in this process and for the last `capacity` uploads only: an upload that
 * falls out, or whose parts come in another order, is read once at the end.
 */
export class PartsDigest {
  readonly #uploads = new Map<string, Progress>()
  readonly #capacity: number

  constructor(capacity = 1024) {
    this.#capacity = capacity
  }

  /**
   * A copy to feed with the bytes of this part, when it is the next one. A part that fails is then
   * simply not kept.
   */
  start(uploadId: string, partNumber: number): Hash | undefined {
    const progress = this.#uploads.get(uploadId)
    if (partNumber !== (progress?.etags.length ?? 0) + 1) return undefined
    return progress === undefined ? createHash('sha256') : progress.hash.copy()
  }

  /** The part counts. `hash` is what `start` gave. */
  keep(
    uploadId: string,
    part: { readonly partNumber: number; readonly etag: string; readonly hash: Hash | undefined },
  ): void {
    const progress = this.#uploads.get(uploadId)
    const etags = progress?.etags ?? []
    if (part.partNumber <= etags.length) {
      // Sent again: the same bytes change nothing, others make the sum worthless.
      if (etags[part.partNumber - 1] !== part.etag) this.drop(uploadId)
      return
    }
    if (part.hash === undefined || part.partNumber !== etags.length + 1) return
    this.#uploads.delete(uploadId)
    this.#uploads.set(uploadId, { hash: part.hash, etags })
    etags.push(part.etag)
    const oldest = this.#uploads.keys().next()
    if (this.#uploads.size > this.#capacity && oldest.done !== true) this.#uploads.delete(oldest.value)
  }

  /** SHA-256 of these parts joined, if they are exactly the ones that were seen. */
  digest(uploadId: string, etags: readonly string[]): string | undefined {
    const progress = this.#uploads.get(uploadId)
    if (
      progress === undefined ||
      progress.etags.length !== etags.length ||
      !progress.etags.every((etag, index) => etag === etags[index])
    )
      return undefined
    return progress.hash.copy().digest('hex')
  }

  drop(uploadId: string): void {
    this.#uploads.delete(uploadId)
  }

  clear(): void {
    this.#uploads.clear()
  }
}
