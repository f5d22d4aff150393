/** Why a blob stays, or when it goes: what `sweep` would say about one key. */
import type { BlobStat } from '../../storage/blob/contract.js'
import type { ImageInContainer, UploadRecord } from '../../storage/metadata/contract.js'
import { blobFolder, blobPrefix, recordsPrefix } from '../blobs/keys.js'
import { storageMarkKey } from '../blobs/storage-mark.js'
import { whyKept } from '../blobs/why-kept.js'
import { containerPath, hashFromDigest, isId } from '../model/references.js'
import type { Services } from '../services.js'
import { listNewest, sidecarsOfImages } from '../sidecars/keys.js'
import type { SweepOptions } from './sweep.js'

export interface Explanation {
  readonly key: string
  /**
   * `goes`: a sweep deletes it, now or after the time that `why` names. `absent`: nothing has this
   * key.
   */
  readonly fate: 'kept' | 'goes' | 'absent'
  readonly why: string
  /** Bytes in the storage; null where there are none. */
  readonly size: number | null
}

export type ExplainOptions = Pick<SweepOptions, 'graceSeconds' | 'stuckSeconds'>

/** The latest that a Date can be. */
const endOfTime = 8.64e15
const timeOf = (milliseconds: number): string => new Date(Math.min(milliseconds, endOfTime)).toISOString()
const imagesNamed = 10

async function describeImage(services: Services, { image, container }: ImageInContainer): Promise<string> {
  const tags = (await services.metadata.images.tagsOf(image.id))
    .slice(0, imagesNamed)
    .map(({ arch, tag }) => `${tag} (${arch})`)
  const state = image.state === 'damaged' ? ', which is damaged' : ''
  return `image ${hashFromDigest(image.digest)} of ${containerPath(container)}${tags.length === 0 ? '' : `, tagged ${tags.join(', ')}`}${state}`
}

function explainUpload(
  services: Services,
  upload: UploadRecord,
  stuckMs: number,
): Pick<Explanation, 'fate' | 'why'> | undefined {
  const now = services.settings.clock()
  const ends = upload.state === 'open' ? upload.expiresAt : upload.updatedAt + stuckMs
  if (upload.state === 'completed') return undefined
  if (upload.state === 'aborted' || upload.state === 'expired') {
    if (upload.backendUploadId === null) return undefined
    return {
      fate: 'goes',
      why: `goes with the next sweep: upload ${upload.id} is ${upload.state}, and its parts may still be in the storage`,
    }
  }
  if (ends >= now)
    return {
      fate: 'kept',
      why: `kept because upload ${upload.id} is under way, until ${timeOf(ends)} if it shows no sign of life`,
    }
  return {
    fate: 'goes',
    why: `goes with the next sweep: upload ${upload.id} has shown no sign of life since ${timeOf(upload.updatedAt)}`,
  }
}

/** What lies in the storage without any record. */
function explainUnrecorded(key: string, stat: BlobStat | undefined, goes: Fate): Pick<Explanation, 'fate' | 'why'> {
  if (stat === undefined) return { fate: 'absent', why: 'no such key' }
  if (!key.startsWith(blobPrefix))
    return { fate: 'kept', why: `kept because it is none of the registry: a sweep looks only below ${blobPrefix}` }
  const ends = goes(stat.modifiedAt?.getTime())
  return { fate: 'goes', why: `no record knows it: a push ended between storing and publishing; ${ends}` }
}

/** When something goes that has been so since a time in milliseconds since 1970 (default: now). */
type Fate = (since: number | undefined) => string

async function explainBlob(services: Services, key: string, options: Required<ExplainOptions>): Promise<Explanation> {
  const { metadata, storage, settings } = services
  const stat = await storage.stat(key)
  const size = stat?.size ?? null
  const goes: Fate = (since = settings.clock()) => {
    const after = since + options.graceSeconds * 1000
    return after < settings.clock() ? 'goes with the next sweep' : `goes after ${timeOf(after)}`
  }
  const kept = await whyKept(services, key)
  if (kept?.by === 'images') {
    const named = await Promise.all(kept.images.map((image) => describeImage(services, image)))
    const refers = named.length === 1 ? 'refers' : 'refer'
    const missing = size === null ? '; but its bytes are missing' : ''
    return { key, fate: 'kept', size, why: `kept because ${named.join(' and ')} ${refers} to it${missing}` }
  }
  if (kept?.by === 'keeper') return { key, fate: 'kept', size, why: `kept because ${kept.why}` }
  const uploadId = key.slice(key.lastIndexOf('/') + 1)
  const upload = isId(uploadId) ? await metadata.uploads.find(uploadId) : undefined
  const underWay = upload?.key === key ? explainUpload(services, upload, options.stuckSeconds * 1000) : undefined
  if (underWay !== undefined) return { key, size, ...underWay }
  if (kept?.by === 'grace') {
    const since = kept.unreferencedAt ?? settings.clock()
    return { key, fate: 'goes', size, why: `no image refers to it since ${timeOf(since)}; ${goes(since)}` }
  }
  return { key, size, ...explainUnrecorded(key, stat, goes) }
}

/**
 * Keys of the blobs with this digest: those that lie in the storage, and those that images refer
 * to, whose bytes may be missing.
 */
async function keysOfDigest({ metadata, storage }: Services, digest: string): Promise<readonly string[]> {
  const keys = new Set<string>()
  for await (const { key } of storage.list(blobFolder(digest))) keys.add(key)
  // the sidecars name those that are not published, too
  const named = await Promise.all(
    (await listNewest(storage, sidecarsOfImages(digest))).map(({ target }) => metadata.images.find(target.id)),
  )
  for (const found of [...(await metadata.images.findPublished(digest, imagesNamed)), ...named]) {
    const key = found?.image.blobKey ?? null
    if (key !== null) keys.add(key)
  }
  return [...keys].sort()
}

/** The keys that a word stands for: a key, the id of an upload or an image, or a hash or digest. */
async function keysOf(services: Services, what: string): Promise<readonly string[]> {
  const digest = /^(?:sha256[.:])?([0-9a-f]{64})$/.exec(what)?.[1]
  if (digest !== undefined) return keysOfDigest(services, digest)
  if (!isId(what)) return [what]
  const { metadata } = services
  const key = (await metadata.uploads.find(what))?.key ?? (await metadata.images.find(what))?.image.blobKey
  return key === undefined || key === null ? [] : [key]
}

/**
 * Explains what the word stands for, one entry per key; one that says `absent` where there is none.
 */
export async function explain(
  services: Services,
  what: string,
  options: ExplainOptions = {},
): Promise<readonly Explanation[]> {
  const { graceSeconds = 86_400, stuckSeconds = 3600 } = options
  if (what.startsWith(recordsPrefix)) {
    const stat = await services.storage.stat(what)
    if (stat === undefined) return [{ key: what, fate: 'absent', why: 'no such key', size: null }]
    const why =
      what === storageMarkKey
        ? 'kept because it is the mark of the storage, by which the registry knows it again'
        : 'kept because it is a sidecar: it goes when its record goes, or when a newer one was written'
    return [{ key: what, fate: 'kept', why, size: stat.size }]
  }
  const keys = await keysOf(services, what)
  if (keys.length === 0) return [{ key: what, fate: 'absent', why: 'no such key', size: null }]
  return Promise.all(keys.map((key) => explainBlob(services, key, { graceSeconds, stuckSeconds })))
}
