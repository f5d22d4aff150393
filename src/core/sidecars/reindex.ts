/**
 * Rebuilding what the metadata store has lost from the sidecars in the storage. It only adds: what
 * the store has wins over every sidecar, so nothing that is written to the storage can change it.
 * Safe beside running servers, and a second run finds nothing to do.
 */
import { messageOf } from '../../foreign.js'
import { isStorageError } from '../../storage/blob/errors.js'
import { blobPrefix } from '../blobs/keys.js'
import { listUnknownBlobs } from '../blobs/unrecorded.js'
import type { Services } from '../services.js'
import { decodeSidecar, type ImageSidecar, readSidecar, reindexedSetting, type Sidecar } from './document.js'
import { listNewest, listVersions, type SidecarVersion, sidecarsOfImages, sidecarsOfKind } from './keys.js'
import { noteMissing } from './note-missing.js'
import type { ReindexContext, ReindexItem } from './reindex-context.js'
import { createImageRestorer } from './restore-images.js'
import { createNameRestorer } from './restore-names.js'

export interface ReindexOptions {
  /** Only tell what would be restored. Default: false. */
  readonly dryRun?: boolean
  /** Told of each thing that is (or would be) restored, and of what cannot be. */
  readonly onItem?: (item: ReindexItem) => void
  /** Told how far it is. */
  readonly onProgress?: (progress: ReindexProgress) => void
  /** Ends the run; what was restored stays. */
  readonly signal?: AbortSignal
}

/**
 * The images are done in equal shares, by the beginning of their hash; what they lie in comes
 * before.
 */
export interface ReindexProgress {
  readonly done: number
  readonly of: number
  /** Before the images: so many sidecars of what they lie in were read. */
  readonly names?: number
}

export interface ReindexResult {
  readonly entities: number
  readonly collections: number
  readonly containers: number
  readonly images: number
  readonly tags: number
  /** Bytes of the images. */
  readonly bytes: number
  /** What sidecars tell of and cannot be restored. */
  readonly problems: number
  /** Blobs that neither the store nor a sidecar knows: a later sweep deletes them. */
  readonly orphans: number
  readonly orphanBytes: number
  /** What no sidecar holds, in words. */
  readonly notCovered: readonly string[]
}

const notCovered: readonly string[] = [
  'users, groups and tokens: add them again with "user add" and "token create" (the first serve makes admin)',
  'tags that were moved or removed, images that were deleted, and what became private or public, in the moments before the loss: a sidecar follows within seconds',
  'tags that moved after the backup, where the metadata store was restored from one: a tag that it has stays',
  'download counts, uploads under way, and the signing secret where it lay in the database',
]
const concurrency = 8
const shards = Array.from({ length: 256 }, (_, number) => number.toString(16).padStart(2, '0'))

/** Some at once, in their order. */
async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items]
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await work(next)
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
}

interface Found<S extends Sidecar = Sidecar> {
  readonly key: string
  readonly sidecar: S
}

/** undefined where it went meanwhile, and, after a report, where it cannot be read. */
async function read(
  { services, report, unreadable, seen }: ReindexContext,
  { key, target }: SidecarVersion,
): Promise<Found | undefined> {
  for (let current: string | undefined = key; current !== undefined; ) {
    try {
      const sidecar = decodeSidecar(await readSidecar(services.storage, current), target)
      seen.add(target.id)
      return { key: current, sidecar }
    } catch (error) {
      if (isStorageError(error) && error.code !== 'not-found') throw error
      if (!isStorageError(error)) {
        unreadable.add(target.id)
        seen.add(target.id)
        report({
          outcome: 'not-restored',
          kind: 'sidecar',
          what: current,
          why: messageOf(error),
        })
        return undefined
      }
      // a newer one took its place, or its record was deleted
      const newest: string | undefined = (await listVersions(services.storage, target))[0]?.key
      current = newest === current ? undefined : newest
    }
  }
  return undefined
}

/** Not all of them where the run is over. `onRead` is told of each. */
async function readAll(context: ReindexContext, prefix: string, onRead?: () => void): Promise<readonly Found[]> {
  const all: Found[] = []
  await forEach(await listNewest(context.services.storage, prefix), async (version) => {
    if (context.isOver()) return
    const found = await read(context, version)
    if (found !== undefined) all.push(found)
    onRead?.()
  })
  // of two sidecars of one name the newer one is believed
  return all.sort((a, b) => b.sidecar.updatedAt - a.sidecar.updatedAt)
}

function groupByContainer(all: readonly Found[]): readonly (readonly Found<ImageSidecar>[])[] {
  const groups = new Map<string, Found<ImageSidecar>[]>()
  for (const { key, sidecar } of all) {
    if (sidecar.kind !== 'image') continue
    const path = `${sidecar.entity}/${sidecar.collection}/${sidecar.container}`
    const group = groups.get(path)
    if (group === undefined) groups.set(path, [{ key, sidecar }])
    else group.push({ key, sidecar })
  }
  return [...groups.values()]
}

/** Rebuilds what is missing and returns the totals. */
export async function reindex(services: Services, options: ReindexOptions = {}): Promise<ReindexResult> {
  const { dryRun = false, onItem, onProgress, signal } = options
  const totals = {
    entities: 0,
    collections: 0,
    containers: 0,
    images: 0,
    tags: 0,
    bytes: 0,
    problems: 0,
    orphans: 0,
    orphanBytes: 0,
  }
  const counters = {
    entity: 'entities',
    collection: 'collections',
    container: 'containers',
    image: 'images',
    tag: 'tags',
    sidecar: 'problems',
  } as const
  const report = (item: ReindexItem): void => {
    totals[item.outcome === 'restored' ? counters[item.kind] : 'problems'] += 1
    totals.bytes += item.bytes ?? 0
    onItem?.(item)
  }
  const isOver = (): boolean => signal?.aborted === true
  const context = { services, dryRun, report, unreadable: new Set<string>(), seen: new Set<string>(), isOver }
  const places = createNameRestorer(context)
  const images = createImageRestorer(context, places)
  // what lies in another registry's is not ours
  await services.storageMark.check()

  let names = 0
  const onName = (): void => {
    names += 1
    onProgress?.({ done: 0, of: shards.length, names })
  }
  for (const kind of ['entity', 'collection', 'container'] as const) {
    if (isOver()) break
    for (const { sidecar } of await readAll(context, sidecarsOfKind(kind), onName)) {
      if (isOver()) break
      if (sidecar.kind === 'entity') await places.entity(sidecar)
      else if (sidecar.kind === 'collection') await places.collection(sidecar)
      else if (sidecar.kind === 'container') await places.container(sidecar)
    }
  }
  for (const [done, shard] of shards.entries()) {
    if (isOver()) break
    onProgress?.({ done, of: shards.length })
    const all = await readAll(context, sidecarsOfImages(shard))
    // of what was not read nobody knows whether it names a blob
    if (isOver()) break
    await forEach(groupByContainer(all), async (group) => {
      for (const found of group) if (!isOver()) await images.restore(found)
    })
    const named = new Set(all.map(({ sidecar }) => (sidecar.kind === 'image' ? sidecar.blobKey : '')))
    for await (const { key, size } of listUnknownBlobs(services, { prefix: `${blobPrefix}${shard}/` })) {
      if (isOver()) break
      if (named.has(key)) continue
      totals.orphans += 1
      totals.orphanBytes += size
    }
  }
  if (!dryRun && !isOver()) {
    await noteMissing(services, context.seen, isOver)
    // what stands otherwise in the storage now is out of date
    if (totals.problems === 0) await services.metadata.settings.set(reindexedSetting, String(services.settings.clock()))
  }
  services.settings.logger.info({ ...totals, dryRun }, 'reindex')
  return { ...totals, notCovered }
}
