/** The limits of a registry and their defaults. */
import type { StorageBackend } from '../storage/blob/contract.js'

export interface LibraryLimits {
  /**
   * Largest image in bytes. Default: 5 TiB (5,497,558,138,880), or what the storage takes, if that
   * is less.
   */
  readonly maxImageBytes?: number
  /**
   * Largest JSON body in bytes. Default: 2 MiB (2,097,152); a complete of 10,000 parts has about
   * 0.7 MB.
   */
  readonly maxJsonBytes?: number
  /**
   * Part size in bytes that multipart plans start from; larger where 10,000 parts would not do.
   * Default: 64 MiB (67,108,864).
   */
  readonly partBytes?: number
  /**
   * Lifetime of upload URLs in seconds, and the longest one of pull URLs. Default: 86,400 (a day).
   */
  readonly presignSeconds?: number
  /**
   * Lifetime of a pull URL in seconds, beside a second for each 256 KiB of the image: a pull asks
   * for ranges of one URL until it ends (protocol 5.7), so the URL must outlive a slow one.
   * `presignSeconds` at the most. Default: 3,600.
   */
  readonly pullSeconds?: number
  /** When an upload without a sign of life counts as stale, in seconds. Default: 86,400 (a day). */
  readonly uploadSeconds?: number
  /**
   * How long a body may stand still before it is given up, in seconds; a slow one that moves is
   * never cut, only a JSON body has five times as long in all. Default: 60.
   */
  readonly idleSeconds?: number
  /**
   * How long the reader of an image may take no byte, in seconds, before its pull is ended; a body
   * that is never read is let go after the same time. Default: 3,600. It is asked for by chunks of
   * up to 1 MiB, so a reader of 300 bytes per second is never cut.
   */
  readonly pullIdleSeconds?: number
  /**
   * The same for the start of a pull, in seconds: as long as no more of it was taken than the
   * buffers of a connection hold (4 MiB), its reader may have read nothing at all. Default: 300, or
   * `pullIdleSeconds` where that is shorter.
   */
  readonly pullStartSeconds?: number
  /**
   * JSON bodies under way at once, over all connections; a quarter of them for one principal. More
   * are answered with 503 and `retry-after`. Default: 1,000.
   */
  readonly maxJsonBodies?: number
  /**
   * Bytes in memory of all JSON bodies under way; a quarter of them for one principal. More are
   * answered with 503 and `retry-after`. Default: 64 MiB (67,108,864).
   */
  readonly maxJsonBodiesBytes?: number
  /**
   * Bytes of JSON answers that clients have asked for and not read yet; beyond them those that
   * stood still for the longest time are cut. Default: 16 MiB (16,777,216).
   */
  readonly maxUnreadBytes?: number
  /**
   * Uploads that one principal may have under way; one more is answered with 429. Default: 1,000.
   */
  readonly maxPrincipalUploads?: number
  /**
   * Uploads of one image under way. One more takes the place of the oldest one of the same
   * principal, and is answered with 429 where that has none. Default: 100.
   */
  readonly maxImageUploads?: number
  /**
   * Images that one principal has made and not uploaded; one more is answered with 429. Default:
   * 1,000.
   */
  readonly maxPendingImages?: number
  /**
   * Collections, containers and images of one entity together; one more is answered with 403.
   * Default: 250,000.
   */
  readonly maxEntityRecords?: number
  /**
   * Tags of one container, of all archs together; one more is answered with 403. Default: 10,000.
   */
  readonly maxContainerTags?: number
  /**
   * How long events, and pulls by day of containers and images, are kept, in days. Default: 400.
   */
  readonly activityDays?: number
  /** Quota in bytes of entities that have none of their own; 0 = unlimited. Default: 0. */
  readonly maxEntityBytes?: number
}

const MiB = 1024 * 1024

/** A timer of Node that is longer than 2^31 - 1 ms runs out at once. */
const longestTimerSeconds = 2_147_483

/** Fills in the defaults; throws TypeError for a limit that cannot work, or that there is not. */
export function checkLimits(limits: LibraryLimits, storage: StorageBackend): Required<LibraryLimits> {
  const { maxParts, maxPartSize, maxPutSize } = storage.limits
  const largest =
    storage.multipart === undefined
      ? maxPutSize
      : Math.max(maxPutSize, Math.min(maxParts * maxPartSize, Number.MAX_SAFE_INTEGER))
  const filled: Required<LibraryLimits> = {
    maxImageBytes: Math.min(limits.maxImageBytes ?? 5 * 1024 ** 4, largest),
    maxJsonBytes: limits.maxJsonBytes ?? 2 * MiB,
    partBytes: limits.partBytes ?? 64 * MiB,
    presignSeconds: limits.presignSeconds ?? 86_400,
    pullSeconds: limits.pullSeconds ?? 3600,
    uploadSeconds: limits.uploadSeconds ?? 86_400,
    idleSeconds: limits.idleSeconds ?? 60,
    pullIdleSeconds: limits.pullIdleSeconds ?? 3600,
    pullStartSeconds: limits.pullStartSeconds ?? Math.min(300, limits.pullIdleSeconds ?? 300),
    maxJsonBodies: limits.maxJsonBodies ?? 1000,
    maxJsonBodiesBytes: limits.maxJsonBodiesBytes ?? 64 * MiB,
    maxUnreadBytes: limits.maxUnreadBytes ?? 16 * MiB,
    maxPrincipalUploads: limits.maxPrincipalUploads ?? 1000,
    maxImageUploads: limits.maxImageUploads ?? 100,
    maxPendingImages: limits.maxPendingImages ?? 1000,
    maxEntityRecords: limits.maxEntityRecords ?? 250_000,
    maxContainerTags: limits.maxContainerTags ?? 10_000,
    activityDays: limits.activityDays ?? 400,
    maxEntityBytes: limits.maxEntityBytes ?? 0,
  }
  checkKeys('limits.', limits, Object.keys(filled))
  for (const [name, value] of Object.entries(filled)) {
    const smallest = name === 'maxEntityBytes' ? 0 : 1
    const highest = /^(?:idle|pullIdle|pullStart)Seconds$/.test(name) ? longestTimerSeconds : Number.MAX_SAFE_INTEGER
    if (!Number.isSafeInteger(value) || value < smallest || value > highest)
      throw new TypeError(`limits.${name}: ${value} is no whole number in range`)
  }
  return filled
}

/**
 * A misspelt hook would silently never run. Objects of a class of the host may have what they like.
 */
export function checkKeys(where: string, value: object | undefined, names: readonly string[]): void {
  if (value === undefined || Object.getPrototypeOf(value) !== Object.prototype) return
  const unknown = Object.keys(value).find((key) => !names.includes(key))
  if (unknown !== undefined) throw new TypeError(`unknown option ${where}${unknown}: there are ${names.join(', ')}`)
}
