/**
 * Sweeping: ends stale uploads (in the storage too), deletes blobs that no image refers to, and
 * bytes that no record knows. Safe beside running servers and beside other sweepers: each step is a
 * compare-and-set, and nothing younger than the grace time is touched. What a sidecar of a lost
 * image names stays, so that a sweep on an empty or restored metadata store cannot delete what
 * `reindex` needs.
 */
import type { BlobRecord, UploadRecord } from '../../storage/metadata/contract.js'
import { blobPrefix, digestOfKey } from '../blobs/keys.js'
import { listUnknownBlobs } from '../blobs/unrecorded.js'
import { dropBlob, whyKept } from '../blobs/why-kept.js'
import { systemActivity } from '../hooks/activity.js'
import type { Services } from '../services.js'
import { dropUploadBytes } from '../uploads/abort.js'
import { sweepWishes } from '../uploads/wishes.js'

export interface SweepOptions {
  /** How long an unreferenced blob stays, in seconds. Default: 86,400 (a day). */
  readonly graceSeconds?: number
  /**
   * When a `completing` upload without a sign of life counts as left by a crash, in seconds.
   * Default: 3,600.
   */
  readonly stuckSeconds?: number
  /** Only list what would be done. Default: false. */
  readonly dryRun?: boolean
  /** Told of each thing that is (or would be) removed, and why. */
  readonly onItem?: (item: SweptItem) => void
  /**
   * Told how far it is, after each few hundred files of the storage: their listing is what takes
   * its time.
   */
  readonly onProgress?: (progress: SweepProgress) => void
  /** Stops after the current item. */
  readonly signal?: AbortSignal
}

export interface SweepProgress {
  /** Files of the storage that were looked at so far. */
  readonly files: number
}

export interface SweptItem {
  readonly kind: 'upload' | 'image' | 'blob' | 'orphan' | 'temporary'
  /** Upload id, image id, storage key, or a count of temporary files. */
  readonly what: string
  readonly bytes: number
  readonly why: string
}

export interface SweepResult {
  readonly uploads: number
  /** Images that were made and never uploaded. */
  readonly images: number
  readonly blobs: number
  readonly orphans: number
  readonly temporary: number
  /**
   * Blobs that stay only because sidecars name them, of images that the metadata store does not
   * know: `reindex` brings those back.
   */
  readonly kept: number
  /** Bytes of blobs and orphans. */
  readonly bytes: number
}

const page = 100

/** What every step is given. */
interface Sweep {
  readonly services: Services
  readonly stuckSeconds: number
  readonly dryRun: boolean
  readonly report: (item: SweptItem) => void
  /** A keeper needs a blob to which no image refers. */
  readonly onKept: () => void
  /** So many more files were looked at. */
  readonly onLooked: (files: number) => void
  /** What has been so since then stays. */
  readonly graceCutoff: number
  /**
   * What no record protects may belong to a request that is running: without a grace it still gets
   * the time of a stuck upload.
   */
  readonly unrecordedCutoff: number
  readonly isOver: () => boolean
}

async function sweepUploads({ services, stuckSeconds, dryRun, report, isOver }: Sweep): Promise<void> {
  const { metadata, settings, emit } = services
  const seen = new Set<string>()
  while (!isOver()) {
    const now = settings.clock()
    const stale = (
      await metadata.uploads.findStale({ now, stuckSince: now - stuckSeconds * 1000, limit: page + seen.size })
    ).filter(({ id }) => !seen.has(id))
    if (stale.length === 0) return
    for (const upload of stale) {
      if (isOver()) return
      seen.add(upload.id)
      const why =
        upload.state === 'open'
          ? `no sign of life since ${new Date(upload.updatedAt).toISOString()}`
          : 'left by a crash while it was completed'
      if (!dryRun && !(await expire(services, upload))) continue
      report({ kind: 'upload', what: upload.id, bytes: 0, why })
      if (!dryRun)
        emit('upload.aborted', {
          uploadId: upload.id,
          imageId: upload.imageId,
          size: upload.size,
          principal: upload.principal,
          reason: 'expired',
        })
    }
  }
}

async function expire(services: Services, upload: UploadRecord): Promise<boolean> {
  // only as it was seen: it may have been given back and claimed again since
  if (
    !(await services.metadata.uploads.move(
      upload.id,
      upload.state,
      'expired',
      services.settings.clock(),
      upload,
      systemActivity,
    ))
  )
    return false
  await dropUploadBytes(services, upload)
  // a crash between joining the parts and publishing leaves the joined blob
  if (upload.backendUploadId !== null) await dropBlob(services, upload.key)
  return true
}

/**
 * Images whose push was never finished: as long as the grace and the time of an upload nobody needs
 * to go on with one.
 */
async function sweepAbandoned({ services, graceCutoff, dryRun, report, isOver }: Sweep): Promise<void> {
  const { images } = services.metadata
  const before = graceCutoff - services.settings.limits.uploadSeconds * 1000
  for (let after: string | undefined; ; ) {
    const found = await images.findAbandoned({ before, limit: page, after })
    after = found.at(-1)?.image.id
    if (after === undefined) return
    for (const { image, container } of found) {
      if (isOver()) return
      if (!dryRun && !(await images.deleteIfAbandoned(image.id, before))) continue
      const path = `${container.entityName}/${container.collectionName}/${container.name}`
      const made = new Date(image.createdAt).toISOString()
      report({ kind: 'image', what: image.id, bytes: 0, why: `it was made in ${path} at ${made}, and never uploaded` })
    }
  }
}

/**
 * Parts of uploads that ended while the storage did not answer, by a crash at that moment, or with
 * their image. Returns the keys of these uploads.
 */
async function sweepLeftoverParts({ services, dryRun, report, isOver }: Sweep): Promise<ReadonlySet<string>> {
  const keys = new Set<string>()
  for (let after: string | undefined; ; ) {
    const found = await services.metadata.uploads.findWithLeftoverParts({
      limit: page,
      after,
    })
    after = found.at(-1)?.id
    if (after === undefined) return keys
    for (const upload of found) {
      if (isOver()) return keys
      keys.add(upload.key)
      if (!dryRun && !(await dropUploadBytes(services, upload))) continue
      report({
        kind: 'upload',
        what: upload.id,
        bytes: 0,
        why: `it is ${upload.state}, and its parts may still be in the storage`,
      })
    }
  }
}

/**
 * Bytes that cannot be deleted now are an orphan of the next sweep; the others must not wait for
 * them.
 */
async function tryToRemove(services: Services, key: string, remove: () => Promise<void>): Promise<boolean> {
  try {
    await remove()
    return true
  } catch (err) {
    services.settings.logger.warn({ err, key }, 'left for the next sweep')
    return false
  }
}

async function sweepBlobs({ services, graceCutoff, dryRun, report, onKept, isOver }: Sweep): Promise<void> {
  const { metadata, storage } = services
  for (let last: BlobRecord | undefined; ; ) {
    const found = await metadata.blobs.findUnreferenced({
      before: graceCutoff,
      limit: page,
      after: last,
    })
    last = found.at(-1)
    if (last === undefined) return
    for (const blob of found) {
      if (isOver()) return
      const kept = await whyKept(services, blob.key)
      if (kept?.by === 'keeper') onKept()
      // taken again, or forgotten by another sweep, since the list was read
      if (kept?.by !== 'grace') continue
      if (!dryRun) {
        // first the record, by compare-and-set, then the bytes: nobody can share the blob in
        // between
        if (!(await metadata.blobs.forgetIfUnreferenced(blob.key))) continue
        if (!(await tryToRemove(services, blob.key, () => storage.delete(blob.key)))) continue
      }
      report({
        kind: 'blob',
        what: blob.key,
        bytes: blob.size,
        why: `no image refers to it since ${new Date(blob.unreferencedAt ?? 0).toISOString()}`,
      })
    }
  }
}

async function sweepOrphans({ services, graceCutoff, dryRun, report, onKept, onLooked, isOver }: Sweep): Promise<void> {
  const { storage } = services
  for await (const { key, size } of listUnknownBlobs(services, { prefix: blobPrefix, before: graceCutoff, onLooked })) {
    if (isOver()) return
    const kept = await whyKept(services, key)
    if (kept?.by === 'keeper') onKept()
    if (kept !== undefined) continue
    if (!dryRun && !(await tryToRemove(services, key, () => storage.delete(key)))) continue
    report({
      kind: 'orphan',
      what: key,
      bytes: size,
      why: 'no record knows it: a push ended between storing and publishing',
    })
  }
}

/**
 * Parts in the storage whose upload was never recorded, by a crash. `except`: the keys of uploads
 * that were tried already.
 */
async function sweepParts(
  { services, unrecordedCutoff, dryRun, report, isOver }: Sweep,
  except: ReadonlySet<string>,
): Promise<void> {
  const { metadata, storage } = services
  for await (const { key, uploadId, createdAt } of storage.multipart?.listUploads() ?? []) {
    if (isOver()) return
    // a bucket may be shared, and S3 lists the uploads of all
    if (digestOfKey(key) === undefined || createdAt.getTime() >= unrecordedCutoff) continue
    if (except.has(key) || (await metadata.uploads.isKeyInUse(key))) continue
    if (!dryRun && !(await tryToRemove(services, key, async () => storage.multipart?.abort({ key, uploadId }))))
      continue
    report({ kind: 'upload', what: key, bytes: 0, why: 'no record of an open upload has its parts' })
  }
}

async function sweepTemporary({ services, unrecordedCutoff, dryRun, report }: Sweep): Promise<void> {
  const { storage, metadata } = services
  const isInUse = (key: string): Promise<boolean> => metadata.uploads.isKeyInUse(key)
  const count = dryRun ? 0 : ((await storage.sweepTemporary?.(new Date(unrecordedCutoff), { isInUse })) ?? 0)
  if (count > 0) report({ kind: 'temporary', what: String(count), bytes: 0, why: 'leftovers of writes that crashed' })
}

async function forgetUploads({ services, graceCutoff, dryRun }: Sweep): Promise<void> {
  if (!dryRun) await services.metadata.uploads.forget(graceCutoff - services.settings.limits.uploadSeconds * 1000)
}

/** Ends deletions whose process died, before the blobs of their images are looked for. */
async function finishDeletions({ services, dryRun }: Sweep): Promise<void> {
  if (!dryRun) await services.metadata.containers.finishDeletions(services.settings.clock())
}

const dayMs = 86_400_000

/** Events, and pulls by day of images and containers, that are older than they are kept. */
async function forgetActivity({ services, dryRun }: Sweep): Promise<void> {
  if (dryRun) return
  const { metadata, settings } = services
  const before = settings.clock() - settings.limits.activityDays * dayMs
  await metadata.events.forget(before)
  await metadata.pulls.forget(Math.floor(before / dayMs))
}

/**
 * Does one sweep and returns the totals. A step that fails keeps no other from running; the first
 * failure is thrown at the end.
 */
export async function sweep(services: Services, options: SweepOptions = {}): Promise<SweepResult> {
  const { settings } = services
  const { graceSeconds = 86_400, stuckSeconds = 3600, dryRun = false, onItem, onProgress, signal } = options
  const totals = { uploads: 0, images: 0, blobs: 0, orphans: 0, temporary: 0, kept: 0, bytes: 0 }
  let files = 0
  const counters = {
    upload: 'uploads',
    image: 'images',
    blob: 'blobs',
    orphan: 'orphans',
    temporary: 'temporary',
  } as const
  // in a storage that is not mounted nothing is left over, and nothing must be forgotten
  await services.storageMark.check()
  const isOver = (): boolean => signal?.aborted === true
  // what was deleted has no sidecar any more then
  if (!dryRun) await services.sidecars.drain({ isOver })
  const graceCutoff = settings.clock() - graceSeconds * 1000
  const context: Sweep = {
    ...{ services, stuckSeconds, dryRun, graceCutoff, isOver },
    unrecordedCutoff: Math.min(graceCutoff, settings.clock() - stuckSeconds * 1000),
    report: (item) => {
      totals[counters[item.kind]] += item.kind === 'temporary' ? Number(item.what) : 1
      totals.bytes += item.bytes
      onItem?.(item)
    },
    onKept: () => {
      totals.kept += 1
    },
    onLooked: (count) => {
      files += count
      onProgress?.({ files })
    },
  }
  // before the stale ones, so that what cannot be dropped today is tried once
  let triedKeys: ReadonlySet<string> = new Set()
  const steps: readonly (() => Promise<void>)[] = [
    async () => {
      triedKeys = await sweepLeftoverParts(context)
    },
    () => finishDeletions(context),
    () => sweepUploads(context),
    () => sweepAbandoned(context),
    () => sweepBlobs(context),
    () => sweepOrphans(context),
    () => sweepParts(context, triedKeys),
    () => sweepTemporary(context),
    () => forgetUploads(context),
    () => forgetActivity(context),
    () => (dryRun ? Promise.resolve() : sweepWishes(services, { isStopped: isOver })),
  ]
  const failures: unknown[] = []
  for (const step of steps) {
    if (isOver()) break
    await step().catch((error: unknown) => failures.push(error))
  }
  if (totals.kept > 0)
    settings.logger.warn(
      { kept: totals.kept },
      'blobs are kept because sidecars name them, of images that the database does not know: run reindex',
    )
  settings.logger.info({ ...totals, dryRun }, 'sweep')
  for (const err of failures.slice(1)) settings.logger.error({ err }, 'a step of the sweep failed')
  if (failures.length > 0) throw failures[0]
  return totals
}
