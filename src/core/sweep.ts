/**
 * Sweeping: ends stale uploads (in the storage too), deletes blobs that no image refers to, and bytes that no record knows. Safe beside running servers and beside other sweepers: each
 * step is a compare-and-set, and nothing younger than the grace time is touched. What a sidecar of a lost image names stays, so that a sweep on an empty or restored metadata store
 * cannot delete what `reindex` needs.
 */
import type { BlobRecord, UploadRecord } from '../storage/metadata/contract.js'
import { blobPrefix } from './blob-keys.js'
import { findLostImage } from './lost-images.js'
import type { Services } from './services.js'
import { listUnknownBlobs } from './unknown-blobs.js'
import { dropJoinedParts, dropUploadBytes } from './uploads.js'

export interface SweepOptions {
  /** How long an unreferenced blob stays, in seconds. Default: 86,400 (a day). */
  readonly graceSeconds?: number
  /** When a `completing` upload without a sign of life counts as left by a crash, in seconds. Default: 3,600. */
  readonly stuckSeconds?: number
  /** Only list what would be done. Default: false. */
  readonly dryRun?: boolean
  /** Told of each thing that is (or would be) removed, and why. */
  readonly onItem?: (item: SweptItem) => void
}

export interface SweptItem {
  readonly kind: 'upload' | 'blob' | 'orphan' | 'temporary'
  /** Upload id, storage key, or a count of temporary files. */
  readonly what: string
  readonly bytes: number
  readonly why: string
}

export interface SweepResult {
  readonly uploads: number
  readonly blobs: number
  readonly orphans: number
  readonly temporary: number
  /** Blobs that stay only because sidecars name them, of images that the metadata store does not know: `reindex` brings those back. */
  readonly kept: number
  /** Bytes of blobs and orphans. */
  readonly bytes: number
}

const page = 100

async function sweepUploads(services: Services, options: Required<Omit<SweepOptions, 'onItem'>>, report: (item: SweptItem) => void): Promise<void> {
  const { metadata, settings, emit } = services
  const seen = new Set<string>()
  for (;;) {
    const now = settings.clock()
    const stale = (await metadata.uploads.findStale({ now, stuckSince: now - options.stuckSeconds * 1000, limit: page + seen.size })).filter(
      ({ id }) => !seen.has(id),
    )
    if (stale.length === 0) return
    for (const upload of stale) {
      seen.add(upload.id)
      const why = upload.state === 'open' ? `no sign of life since ${new Date(upload.updatedAt).toISOString()}` : 'left by a crash while it was completed'
      if (!options.dryRun && !(await expire(services, upload))) continue
      report({ kind: 'upload', what: upload.id, bytes: 0, why })
      if (!options.dryRun)
        emit('upload.aborted', { uploadId: upload.id, imageId: upload.imageId, size: upload.size, principal: upload.principal, reason: 'expired' })
    }
  }
}

async function expire(services: Services, upload: UploadRecord): Promise<boolean> {
  if (!(await services.metadata.uploads.move(upload.id, upload.state, 'expired', services.settings.clock()))) return false
  // it was published, and the store has lost that: these bytes are an image
  if ((await findLostImage(services, upload.key)) !== undefined) return true
  await dropUploadBytes(services, upload)
  await dropJoinedParts(services, upload)
  return true
}

/** Parts of uploads that ended while the storage did not answer, by a crash at that moment, or with their image. Returns the keys of these uploads. */
async function sweepUndropped(services: Services, { dryRun }: { readonly dryRun: boolean }, report: (item: SweptItem) => void): Promise<ReadonlySet<string>> {
  const keys = new Set<string>()
  for (let after: string | undefined; ; ) {
    const found = await services.metadata.uploads.findUndropped({ limit: page, ...(after !== undefined && { after }) })
    after = found.at(-1)?.id
    if (after === undefined) return keys
    for (const upload of found) {
      keys.add(upload.key)
      if (!dryRun && !(await dropUploadBytes(services, upload))) continue
      report({ kind: 'upload', what: upload.id, bytes: 0, why: `it is ${upload.state}, and its parts may still be in the storage` })
    }
  }
}

/** Bytes that cannot be deleted now are an orphan of the next sweep; the others must not wait for them. */
async function removed(services: Services, key: string, remove: () => Promise<void>): Promise<boolean> {
  try {
    await remove()
    return true
  } catch (err) {
    services.settings.logger.warn({ err, key }, 'left for the next sweep')
    return false
  }
}

interface BlobSweep {
  /** What has been so since then stays. */
  readonly before: number
  readonly dryRun: boolean
  /** The blob stays for the sake of a lost image. */
  readonly onKept: () => void
}

async function sweepBlobs(services: Services, options: BlobSweep, report: (item: SweptItem) => void): Promise<void> {
  const { metadata, storage } = services
  for (let last: BlobRecord | undefined; ; ) {
    const found = await metadata.blobs.findUnreferenced({ before: options.before, limit: page, ...(last && { after: last }) })
    last = found.at(-1)
    if (last === undefined) return
    for (const blob of found) {
      if ((await findLostImage(services, blob.key)) !== undefined) {
        options.onKept()
        continue
      }
      if (!options.dryRun) {
        // first the record, by compare-and-set, then the bytes: nobody can adopt the blob in between
        if (!(await metadata.blobs.forgetIfUnreferenced(blob.key))) continue
        if (!(await removed(services, blob.key, () => storage.delete(blob.key)))) continue
      }
      report({ kind: 'blob', what: blob.key, bytes: blob.size, why: `no image refers to it since ${new Date(blob.unreferencedAt ?? 0).toISOString()}` })
    }
  }
}

async function sweepOrphans(services: Services, options: BlobSweep, report: (item: SweptItem) => void): Promise<void> {
  const { storage } = services
  for await (const { key, size } of listUnknownBlobs(services, { prefix: blobPrefix, before: options.before })) {
    if ((await findLostImage(services, key)) !== undefined) {
      options.onKept()
      continue
    }
    // asked again, because `reindex` may have put the image back after the first time: then it was not lost any more
    if ((await services.metadata.blobs.findUnknown([key])).length === 0) continue
    if (!options.dryRun && !(await removed(services, key, () => storage.delete(key)))) continue
    report({ kind: 'orphan', what: key, bytes: size, why: 'no record knows it: a push ended between storing and publishing' })
  }
}

/** Parts in the storage whose upload was never recorded, by a crash. */
async function sweepParts(
  services: Services,
  options: { readonly before: number; readonly dryRun: boolean; readonly except: ReadonlySet<string> },
  report: (item: SweptItem) => void,
): Promise<void> {
  const { metadata, storage } = services
  for await (const { key, uploadId, createdAt } of storage.multipart?.listUploads() ?? []) {
    if (createdAt.getTime() >= options.before || options.except.has(key) || (await metadata.uploads.isKeyInUse(key))) continue
    if (!options.dryRun && !(await removed(services, key, async () => storage.multipart?.abort({ key, uploadId })))) continue
    report({ kind: 'upload', what: key, bytes: 0, why: 'no record of an open upload has its parts' })
  }
}

/** Does one sweep and returns the totals. */
export async function sweep(services: Services, options: SweepOptions = {}): Promise<SweepResult> {
  const { metadata, storage, settings } = services
  const { graceSeconds = 86_400, stuckSeconds = 3600, dryRun = false, onItem } = options
  const totals = { uploads: 0, blobs: 0, orphans: 0, temporary: 0, kept: 0, bytes: 0 }
  const counters = { upload: 'uploads', blob: 'blobs', orphan: 'orphans', temporary: 'temporary' } as const
  const report = (item: SweptItem): void => {
    totals[counters[item.kind]] += 1
    totals.bytes += item.bytes
    onItem?.(item)
  }
  const onKept = (): void => {
    totals.kept += 1
  }
  // what was deleted has no sidecar any more then
  if (!dryRun) await services.sidecars.drain()
  const before = settings.clock() - graceSeconds * 1000
  // before the others, so that what cannot be dropped today is tried once
  const undropped = await sweepUndropped(services, { dryRun }, report)
  await sweepUploads(services, { graceSeconds, stuckSeconds, dryRun }, report)
  await sweepBlobs(services, { before, dryRun, onKept }, report)
  await sweepOrphans(services, { before, dryRun, onKept }, report)
  // what no record protects may belong to a request that is running: without a grace it still gets the time of a stuck upload
  const unrecordedBefore = Math.min(before, settings.clock() - stuckSeconds * 1000)
  await sweepParts(services, { before: unrecordedBefore, dryRun, except: undropped }, report)
  if (!dryRun) {
    totals.temporary = (await storage.sweepTemporary?.(new Date(unrecordedBefore))) ?? 0
    if (totals.temporary > 0) onItem?.({ kind: 'temporary', what: String(totals.temporary), bytes: 0, why: 'leftovers of writes that crashed' })
    await metadata.uploads.forget(before - settings.limits.uploadSeconds * 1000)
  }
  if (totals.kept > 0)
    settings.logger.warn({ kept: totals.kept }, 'blobs are kept because sidecars name them, of images that the database does not know: run reindex')
  settings.logger.info({ ...totals, dryRun }, 'sweep')
  return totals
}
