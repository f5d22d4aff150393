/**
 * Wire objects (protocol 4) from records. Wrong types break the clients' decoding, so each object
 * has its schema, and the OpenAPI document shows it.
 */
import { z } from 'zod'
import type {
  CollectionRecord,
  ContainerRecord,
  EntityRecord,
  ImageRecord,
  TagRecord,
} from '../../storage/metadata/contract.js'
import { hashFromDigest } from './references.js'

const time = (milliseconds: number): string => new Date(milliseconds).toISOString()
const id = z.string()
/** Given by records, which nobody changes. */
const texts: z.ZodType<readonly string[]> = z.array(z.string())
const timeSchema = z.string().describe('RFC 3339, UTC')
const common = {
  createdAt: timeSchema,
  updatedAt: timeSchema,
  owner: z.string().describe('principal id of who made it; empty for everybody but them and admins'),
  deleted: z.boolean(),
}

/** Who reads the object. */
export type Viewer = { readonly id: string; readonly admin?: boolean } | null

/**
 * Ids of principals are for their owners and for admins: with them others could tell who owns what.
 */
const ownerFor = (viewer: Viewer, owner: string | null): string =>
  viewer !== null && owner !== null && (viewer.admin === true || viewer.id === owner) ? owner : ''

const commonOf = (
  record: { readonly createdAt: number; readonly updatedAt: number; readonly owner: string | null },
  viewer: Viewer,
) => ({
  createdAt: time(record.createdAt),
  updatedAt: time(record.updatedAt),
  owner: ownerFor(viewer, record.owner),
  deleted: false,
})

const entitySchema = z
  .object({
    id,
    name: z.string(),
    description: z.string(),
    // bytes used; 0 for those who may not push there
    size: z.int(),
    // bytes; 0 = unlimited
    quota: z.int(),
    defaultPrivate: z.boolean(),
    ...common,
  })
  .meta({ id: 'Entity' })
const collectionSchema = z
  .object({
    id,
    name: z.string(),
    description: z.string(),
    entity: id,
    entityName: z.string(),
    private: z.boolean(),
    ...common,
  })
  .meta({ id: 'Collection' })
const archTagsSchema = z
  .record(z.string(), z.record(z.string(), id))
  .meta({ id: 'ArchTags', description: 'arch → tag → image id' })
const imageTagsSchema = z.record(z.string(), id).meta({ id: 'ImageTags', description: 'tag → image id' })
const containerSchema = z
  .object({
    id,
    name: z.string(),
    description: z.string(),
    entity: id,
    entityName: z.string(),
    collection: id,
    collectionName: z.string(),
    private: z.boolean(),
    readOnly: z.boolean(),
    downloadCount: z.int(),
    imageTags: imageTagsSchema.optional(),
    archTags: archTagsSchema.optional(),
    ...common,
  })
  .meta({ id: 'Container' })
const imageSchema = z
  .object({
    id,
    hash: z.string(),
    description: z.string(),
    container: id,
    containerName: z.string(),
    collection: id,
    collectionName: z.string(),
    entity: id,
    entityName: z.string(),
    // bytes; 0 while nothing is uploaded
    size: z.int(),
    uploaded: z.boolean(),
    arch: z.string().optional(),
    signed: z.boolean().optional(),
    encrypted: z.boolean().optional(),
    fingerprints: texts,
    // in search results
    tags: texts.optional(),
    containerDescription: z.string(),
    containerDownloads: z.int(),
    ...common,
  })
  .meta({ id: 'Image' })
const uploadCompleteSchema = z
  .object({
    // bytes; total 0 = unlimited
    quota: z.object({ quotaTotal: z.int(), quotaUsage: z.int() }),
    // relative to the public URL
    containerUrl: z.string(),
  })
  .meta({ id: 'UploadComplete' })

/** Schemas of the wire objects, as they stand in the OpenAPI document. */
export const objectSchemas = {
  entity: entitySchema,
  collection: collectionSchema,
  container: containerSchema,
  image: imageSchema,
  imageTags: imageTagsSchema,
  archTags: archTagsSchema,
  uploadComplete: uploadCompleteSchema,
}

export type EntityObject = z.infer<typeof entitySchema>
export type CollectionObject = z.infer<typeof collectionSchema>
export type ContainerObject = z.infer<typeof containerSchema>
export type ImageObject = z.infer<typeof imageSchema>
export type ArchTags = z.infer<typeof archTagsSchema>
export type UploadCompleteObject = z.infer<typeof uploadCompleteSchema>

/**
 * `quota` 0 = unlimited; `defaultQuotaBytes` counts where the entity has none of its own. The usage
 * counts private images too, so it is shown (`showsUsage`) only to those who may push there.
 */
export function entityObject(
  record: EntityRecord,
  {
    viewer,
    defaultQuotaBytes,
    showsUsage,
  }: { readonly viewer: Viewer; readonly defaultQuotaBytes: number; readonly showsUsage: boolean },
): EntityObject {
  return {
    id: record.id,
    name: record.name,
    description: record.description,
    size: showsUsage ? record.usedBytes : 0,
    quota: record.quotaBytes ?? defaultQuotaBytes,
    defaultPrivate: record.defaultPrivate,
    ...commonOf(record, viewer),
  }
}

export function collectionObject(record: CollectionRecord, viewer: Viewer): CollectionObject {
  return {
    id: record.id,
    name: record.name,
    description: record.description,
    entity: record.entityId,
    entityName: record.entityName,
    private: record.private,
    ...commonOf(record, viewer),
  }
}

/**
 * With `tags`, the tag maps too. `private` is what holds for a visitor: the container's own flag or
 * its collection's.
 */
export function containerObject(
  record: ContainerRecord,
  viewer: Viewer,
  tags?: { readonly records: readonly TagRecord[]; readonly defaultArch: string },
): ContainerObject {
  const shown = tags && shownTags(tags.records, 2)
  return {
    id: record.id,
    name: record.name,
    description: record.description,
    entity: record.entityId,
    entityName: record.entityName,
    collection: record.collectionId,
    collectionName: record.collectionName,
    private: record.private || record.collectionPrivate,
    readOnly: false,
    downloadCount: record.downloadCount,
    ...(tags === undefined || shown === undefined
      ? {}
      : { imageTags: imageTagsOf(shown, tags.defaultArch), archTags: archTagsOf(shown) }),
    ...commonOf(record, viewer),
  }
}

/**
 * Written out, without spreading: it is made for each GetImage. What is undefined has no place in
 * the JSON.
 */
export function imageObject(
  image: ImageRecord,
  container: ContainerRecord,
  viewer: Viewer,
  tags?: readonly string[],
): ImageObject {
  return {
    id: image.id,
    // always the sha256 form: the CLI uses it as cache key and compares it with the file (protocol
    // 2.5)
    hash: hashFromDigest(image.digest),
    description: image.description,
    container: container.id,
    containerName: container.name,
    collection: container.collectionId,
    collectionName: container.collectionName,
    entity: container.entityId,
    entityName: container.entityName,
    size: image.size,
    uploaded: isVisible(image),
    arch: image.arch ?? undefined,
    signed: image.signed ?? undefined,
    encrypted: image.encrypted ?? undefined,
    fingerprints:
      image.fingerprints.length > maxFingerprints ? image.fingerprints.slice(0, maxFingerprints) : image.fingerprints,
    tags,
    containerDescription: container.description,
    containerDownloads: container.downloadCount,
    createdAt: time(image.createdAt),
    updatedAt: time(image.updatedAt),
    owner: ownerFor(viewer, image.owner),
    deleted: false,
  }
}

/** Fingerprints that an image shows. */
const maxFingerprints = 64
/**
 * Tags that are read for an answer, and the bytes that they may take in it. A client asks for them
 * only to leave out what is set already.
 */
export const maxShownTags = 16_384
const maxTagBytes = 1024 ** 2
/** Of an entry beside its tag: the id of the image, quotes and separators. */
const tagOverhead = 32

/** As many of the tags as an answer shows that has them `times` times. */
function shownTags(records: readonly TagRecord[], times: number): readonly TagRecord[] {
  let left = maxTagBytes / times
  const end = records.findIndex(({ tag }) => {
    left -= tag.length + tagOverhead
    return left < 0
  })
  return end < 0 ? records : records.slice(0, end)
}

/** Whether the image may be pulled and tagged. */
export function isVisible(image: ImageRecord): boolean {
  return image.state === 'published' || image.state === 'unproven'
}

/** arch → tag → image id. Objects even when empty: `[]` fails a push (protocol Q4). */
export function archTagsOf(tags: readonly TagRecord[]): ArchTags {
  const byArch: Record<string, Record<string, string>> = {}
  for (const { arch, tag, imageId } of shownTags(tags, 1)) {
    if (!Object.hasOwn(byArch, arch)) setOwn(byArch, arch, {})
    setOwn(byArch[arch] as Record<string, string>, tag, imageId)
  }
  return byArch
}

/**
 * tag → image id, as the first tag API knows it: of several archs the default one counts, else the
 * first.
 */
export function imageTagsOf(tags: readonly TagRecord[], defaultArch: string): Record<string, string> {
  const byTag: Record<string, string> = {}
  for (const { arch, tag, imageId } of shownTags(tags, 1)) {
    if (arch === defaultArch || !Object.hasOwn(byTag, tag)) setOwn(byTag, tag, imageId)
  }
  return byTag
}

// `__proto__` is a legal tag and a legal arch: plain assignment would lose it, or write to what all
// objects share
function setOwn<T>(target: Record<string, T>, key: string, value: T): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}
