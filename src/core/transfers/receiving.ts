/**
 * Bounds how often the bytes of one upload, or of one part, come at the same time: each time takes
 * room in the storage that no quota counts.
 */
import { LibraryError, retrySoon } from '../http/errors.js'

/** One that was broken off and one that tries again, and as many to spare. */
const maxAtOnce = 4

export interface Receiving {
  /** Runs `work` unless these bytes are being received too often already. Throws `too-many`. */
  run<T>(
    target: { readonly uploadId: string; readonly partNumber?: number | undefined },
    work: () => Promise<T>,
  ): Promise<T>
}

export function createReceiving(): Receiving {
  const underWay = new Map<string, number>()
  return {
    run: async ({ uploadId, partNumber = 0 }, work) => {
      const name = `${uploadId}/${partNumber}`
      const count = underWay.get(name) ?? 0
      if (count >= maxAtOnce)
        throw new LibraryError('too-many', 'these bytes are being sent several times already: wait until one ends', {
          headers: retrySoon,
        })
      underWay.set(name, count + 1)
      try {
        return await work()
      } finally {
        const left = (underWay.get(name) ?? 1) - 1
        if (left === 0) underWay.delete(name)
        else underWay.set(name, left)
      }
    },
  }
}
