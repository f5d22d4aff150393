/**
 * Sidecars: small JSON documents in the storage, each with what the metadata store says of one
 * entity, collection, container or image, so that `reindex` can rebuild the store from the storage
 * alone. The store stays the truth; a sidecar follows it (`writer.ts`). What is read from one is
 * checked like a request: whoever can write to the storage can write a sidecar.
 */
import { z } from 'zod'
import type { StorageBackend } from '../../storage/blob/contract.js'
import type {
  CollectionRecord,
  ContainerRecord,
  EntityRecord,
  ImageRecord,
  MetadataStore,
  TagRecord,
} from '../../storage/metadata/contract.js'
import { blobFolder } from '../blobs/keys.js'
import { getSmall, putSmall } from '../blobs/small-objects.js'
import { checkArch, checkName, checkTag, isId } from '../model/references.js'
import { type SidecarTarget, sidecarKey } from './keys.js'

/**
 * Times are milliseconds since 1970, as in the records. Usage is not there, since it is the sum of
 * the images, and download counts are not, since they change all the time.
 */
export type EntitySidecar = { readonly kind: 'entity' } & Omit<EntityRecord, 'usedBytes' | 'reservedBytes'>
export type CollectionSidecar = { readonly kind: 'collection' } & CollectionRecord
export type ContainerSidecar = { readonly kind: 'container' } & Omit<
  ContainerRecord,
  'collectionPrivate' | 'downloadCount'
>
/**
 * Names its container by the path too, so that it can be put back where the container's own sidecar
 * is missing.
 */
export type ImageSidecar = { readonly kind: 'image' } & Omit<ImageRecord, 'state' | 'blobKey'> & {
    readonly state: Exclude<ImageRecord['state'], 'pending'>
    readonly blobKey: string
    readonly entity: string
    readonly collection: string
    readonly container: string
    readonly tags: readonly Omit<TagRecord, 'imageId'>[]
  }
export type Sidecar = EntitySidecar | CollectionSidecar | ContainerSidecar | ImageSidecar

const formatVersion = 1
/** When `reindex` last went through everything, in milliseconds since 1970. */
export const reindexedSetting = 'reindexed-at'
/** A tag takes about 70 bytes. */
const maxBytes = 64 * 1024 ** 2

const passes =
  (check: (field: string, value: string) => unknown) =>
  (value: string): boolean => {
    try {
      check('', value)
      return true
    } catch {
      return false
    }
  }
const id = z.string().refine(isId)
const name = z.string().refine(passes(checkName))
const arch = z.string().refine(passes(checkArch))
// the last moment that a Date can be
const time = z.int().min(0).max(8.64e15)
// PostgreSQL takes no NUL
const text = z.string().regex(/^[^\0]*$/)
const bytes = z.int().min(0)
const flag = z.boolean()
const common = { id, description: text, owner: text.nullable(), createdAt: time, updatedAt: time }
const digest = z.string().regex(/^[0-9a-f]{64}$/)

const entity = z.object({
  kind: z.literal('entity'),
  ...common,
  name,
  defaultPrivate: flag,
  quotaBytes: bytes.nullable(),
})
const collection = z.object({
  kind: z.literal('collection'),
  ...common,
  name,
  entityId: id,
  entityName: name,
  private: flag,
})
const container = z.object({
  ...{ kind: z.literal('container'), ...common, name, private: flag },
  ...{ entityId: id, entityName: name, collectionId: id, collectionName: name },
})
const image = z
  .object({
    ...{
      kind: z.literal('image'),
      ...common,
      containerId: id,
      entity: name,
      collection: name,
      container: name,
      digest,
    },
    ...{ state: z.enum(['published', 'unproven', 'damaged']), size: bytes, blobKey: z.string() },
    ...{
      arch: arch.nullable(),
      archFromHeader: flag,
      signed: flag.nullable(),
      encrypted: flag.nullable(),
      fingerprints: z.array(z.string()),
    },
    publishedAt: time.nullable(),
    tags: z.array(z.object({ arch, tag: z.string().refine(passes(checkTag)), updatedAt: time })),
  })
  // bytes of another digest may be those of a private image
  .refine(
    ({ blobKey, digest: of }) => blobKey.startsWith(blobFolder(of)) && isId(blobKey.slice(blobFolder(of).length)),
    { path: ['blobKey'] },
  )

const format = z.object({ version: z.int() })
const sidecar: z.ZodType<Sidecar> = z.discriminatedUnion('kind', [entity, collection, container, image])

/**
 * What the store says of the target now; undefined where there is nothing (any more), or an image
 * without bytes.
 */
export async function currentSidecar(metadata: MetadataStore, target: SidecarTarget): Promise<Sidecar | undefined> {
  if (target.kind === 'image') return imageSidecar(metadata, target.id)
  if (target.kind === 'entity') {
    const record = await metadata.entities.find(target.id)
    if (record === undefined) return undefined
    const { usedBytes: _used, reservedBytes: _reserved, ...kept } = record
    return { kind: 'entity', ...kept }
  }
  if (target.kind === 'collection') {
    const record = await metadata.collections.find(target.id)
    return record && { kind: 'collection', ...record }
  }
  const record = await metadata.containers.find(target.id)
  if (record === undefined) return undefined
  const { collectionPrivate: _private, downloadCount: _count, ...kept } = record
  return { kind: 'container', ...kept }
}

async function imageSidecar(metadata: MetadataStore, imageId: string): Promise<ImageSidecar | undefined> {
  const found = await metadata.images.find(imageId)
  if (found === undefined) return undefined
  const { state, blobKey, ...record } = found.image
  if (state === 'pending' || blobKey === null) return undefined
  const { entityName, collectionName, name: containerName } = found.container
  const tags = (await metadata.images.tagsOf(imageId)).map(({ arch: of, tag, updatedAt }) => ({
    arch: of,
    tag,
    updatedAt,
  }))
  return {
    kind: 'image',
    ...record,
    state,
    blobKey,
    entity: entityName,
    collection: collectionName,
    container: containerName,
    tags,
  }
}

/**
 * When the record last changed, in milliseconds since 1970. A store that has all of its changes is
 * never behind: each of them gives its record a later time.
 */
function timeOf(sidecar: Sidecar): number {
  const tags = sidecar.kind === 'image' ? sidecar.tags : []
  return tags.reduce((latest, { updatedAt }) => Math.max(latest, updatedAt), sidecar.updatedAt)
}

/**
 * Whether the sidecar knows of changes that the store has lost: it was restored from an old backup.
 * What `reindex` has left as it is, is as it should be. False where the store has no such record:
 * it was deleted, or `reindex` puts it back.
 */
export async function isLaterThanStore(
  { metadata }: { readonly metadata: MetadataStore },
  sidecar: Sidecar,
): Promise<boolean> {
  const target = { kind: sidecar.kind, id: sidecar.id, digest: sidecar.kind === 'image' ? sidecar.digest : null }
  const current = await currentSidecar(metadata, target)
  if (current === undefined || timeOf(sidecar) <= timeOf(current)) return false
  return timeOf(sidecar) > Number((await metadata.settings.get(reindexedSetting)) ?? 0)
}

export function encodeSidecar(value: Sidecar): Buffer {
  return Buffer.from(`${JSON.stringify({ version: formatVersion, ...value })}\n`)
}

/** Throws an Error whose message says what is wrong with the document. */
export function decodeSidecar(content: Buffer, target: SidecarTarget): Sidecar {
  let value: unknown
  try {
    value = JSON.parse(content.toString())
  } catch {
    throw new Error('it is no JSON')
  }
  const versioned = format.safeParse(value)
  if (!versioned.success) throw new Error('it has no version')
  if (versioned.data.version !== formatVersion)
    throw new Error(`it has version ${versioned.data.version}: a newer sif-library wrote it`)
  const parsed = sidecar.safeParse(value)
  if (!parsed.success) throw new Error(`${parsed.error.issues[0]?.path.join('.') || 'kind'} is not valid`)
  const found = parsed.data
  const isTarget =
    found.kind === target.kind && found.id === target.id && (found.kind !== 'image' || found.digest === target.digest)
  if (!isTarget) throw new Error('it is that of another record')
  return found
}

/** Throws StorageError `not-found`, and an Error where it is too long. */
export function readSidecar(storage: StorageBackend, key: string): Promise<Buffer> {
  return getSmall(storage, key, maxBytes)
}

/** Throws StorageError `exists` when another writer was first. */
export async function putSidecar(
  storage: StorageBackend,
  target: SidecarTarget & { readonly number: number },
  content: Buffer,
): Promise<void> {
  await putSmall(storage, sidecarKey(target), content)
}
