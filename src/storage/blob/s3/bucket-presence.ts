/**
 * How long a bucket that answered counts as there, for questions about keys that are usually
 * absent.
 */
const SIGHTING_MS = 5_000

/** Whether the bucket is there, which an absent key must be told from. */
export interface BucketSightings {
  /** A call that began at this time (`performance.now()`) met the bucket. */
  confirm(began: number): void
  /** The store did not answer: what it is when it comes back is open. */
  reset(): void
  /**
   * Asks the bucket. With `lately`, a sighting of the last seconds will do. A bucket that vanishes
   * is thus taken for absent keys for so long, but only where absence is the expected answer,
   * before a key is written or when an upload is looked for; what gives up bytes for lost (a proof,
   * `finish`, `complete`) asks anew.
   */
  exists(options: { readonly lately: boolean }): Promise<boolean>
}

export function watchBucket(ask: () => Promise<boolean>): BucketSightings {
  let seen = Number.NEGATIVE_INFINITY
  let asking: Promise<boolean> | undefined
  const askNow = async (): Promise<boolean> => {
    const began = performance.now()
    const there = await ask()
    seen = there ? Math.max(seen, began) : Number.NEGATIVE_INFINITY
    return there
  }
  return {
    confirm: (began) => {
      seen = Math.max(seen, began)
    },
    reset: () => {
      seen = Number.NEGATIVE_INFINITY
    },
    exists: async ({ lately }) => {
      if (!lately) return askNow()
      if (performance.now() - seen < SIGHTING_MS) return true
      // many may ask at once
      asking ??= askNow().finally(() => {
        asking = undefined
      })
      return asking
    },
  }
}
