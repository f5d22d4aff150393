import type {
  BlobInspection,
  BlobRecord,
  CollectionRecord,
  ContainerRecord,
  EntityRecord,
  ImageInContainer,
  ImageRecord,
  ImageState,
  TagRecord,
  UploadKind,
  UploadRecord,
  UploadState,
} from '../contract.js'
import type { Row } from './steps.js'

export const entityColumns =
  'id, name, description, default_private, quota_bytes, used_bytes, reserved_bytes, owner, created_at, updated_at'

export function entityOf(row: Row): EntityRecord {
  return {
    id: row.id as string,
    name: row.name as string,
    description: row.description as string,
    defaultPrivate: row.default_private === 1,
    quotaBytes: row.quota_bytes as number | null,
    usedBytes: row.used_bytes as number,
    reservedBytes: row.reserved_bytes as number,
    owner: row.owner as string | null,
    createdAt: row.created_at as number,
    updatedAt: row.updated_at as number,
  }
}

export const collectionColumns = 'id, entity_id, entity_name, name, description, private, owner, created_at, updated_at'

export function collectionOf(row: Row): CollectionRecord {
  return {
    id: row.id as string,
    entityId: row.entity_id as string,
    entityName: row.entity_name as string,
    name: row.name as string,
    description: row.description as string,
    private: row.private === 1,
    owner: row.owner as string | null,
    createdAt: row.created_at as number,
    updatedAt: row.updated_at as number,
  }
}

const containerNames =
  'id entity_id entity_name collection_id collection_name collection_private name description private download_count owner created_at updated_at'.split(
    ' ',
  )

/** A container is most often read beside its image, so its columns carry a prefix of their own. */
export const containerColumns: string = containerNames.map((name) => `${name} AS c_${name}`).join(', ')

/** The same of the table under this alias. */
export const containerColumnsOf = (alias: string): string =>
  containerNames.map((name) => `${alias}.${name} AS c_${name}`).join(', ')

export function containerOf(row: Row): ContainerRecord {
  return {
    id: row.c_id as string,
    entityId: row.c_entity_id as string,
    entityName: row.c_entity_name as string,
    collectionId: row.c_collection_id as string,
    collectionName: row.c_collection_name as string,
    name: row.c_name as string,
    description: row.c_description as string,
    private: row.c_private === 1,
    collectionPrivate: row.c_collection_private === 1,
    downloadCount: row.c_download_count as number,
    owner: row.c_owner as string | null,
    createdAt: row.c_created_at as number,
    updatedAt: row.c_updated_at as number,
  }
}

const imageNames =
  'id container_id digest description state size blob_key arch arch_from_header signed encrypted fingerprints owner created_at updated_at published_at'.split(
    ' ',
  )

export const imageColumns: string = imageNames.join(', ')

/** The same of the table under this alias. */
export const imageColumnsOf = (alias: string): string => imageNames.map((name) => `${alias}.${name}`).join(', ')

/** The columns of an image `i` and of its container `c`. */
export const imageInContainerColumns: string = [imageColumnsOf('i'), containerColumnsOf('c')].join(', ')

const none: readonly string[] = Object.freeze([])

export function flagOf(value: unknown): boolean | null {
  return value === null ? null : value === 1
}

export function listOf(json: unknown): readonly string[] {
  const text = json as string
  // a search cuts a long list between two of its members
  return text === '[]' ? none : (JSON.parse(text.endsWith(']') ? text : `${text}]`) as readonly string[])
}

export function imageOf(row: Row): ImageRecord {
  return {
    id: row.id as string,
    containerId: row.container_id as string,
    digest: row.digest as string,
    description: row.description as string,
    state: row.state as ImageState,
    size: row.size as number,
    blobKey: row.blob_key as string | null,
    arch: row.arch as string | null,
    archFromHeader: row.arch_from_header === 1,
    signed: flagOf(row.signed),
    encrypted: flagOf(row.encrypted),
    fingerprints: listOf(row.fingerprints),
    owner: row.owner as string | null,
    createdAt: row.created_at as number,
    updatedAt: row.updated_at as number,
    publishedAt: row.published_at as number | null,
  }
}

export function imageInContainerOf(row: Row): ImageInContainer {
  return { image: imageOf(row), container: containerOf(row) }
}

export function tagOf(row: Row): TagRecord {
  return {
    arch: row.arch as string,
    tag: row.tag as string,
    imageId: row.image_id as string,
    updatedAt: row.updated_at as number,
  }
}

export const uploadColumns =
  'id, kind, state, image_id, container_id, entity_id, principal, blob_key, size, digest, part_size, total_parts, backend_upload_id, created_at, updated_at, expires_at, parts_digest'

export function uploadOf(row: Row): UploadRecord {
  return {
    id: row.id as string,
    kind: row.kind as UploadKind,
    state: row.state as UploadState,
    imageId: row.image_id as string,
    containerId: row.container_id as string,
    entityId: row.entity_id as string,
    principal: row.principal as string | null,
    key: row.blob_key as string,
    size: row.size as number,
    digest: row.digest as string,
    partSize: row.part_size as number,
    totalParts: row.total_parts as number,
    backendUploadId: row.backend_upload_id as string | null,
    createdAt: row.created_at as number,
    updatedAt: row.updated_at as number,
    expiresAt: row.expires_at as number,
    partsDigest: row.parts_digest as string | null,
  }
}

export const blobColumns = 'blob_key, digest, size, created_at, unreferenced_at'

export function inspectionOf(row: Row): BlobInspection {
  return {
    version: row.inspection_version as number,
    inspectedAt: row.inspected_at as number,
    value: JSON.parse(row.inspection as string),
  }
}

/** Version, time and document, as the columns of a blob take them. */
export function inspectionValues({ version, inspectedAt, value }: BlobInspection): readonly [number, number, string] {
  return [version, inspectedAt, JSON.stringify(value)]
}

export function blobOf(row: Row): BlobRecord {
  return {
    key: row.blob_key as string,
    digest: row.digest as string,
    size: row.size as number,
    createdAt: row.created_at as number,
    unreferencedAt: row.unreferenced_at as number | null,
  }
}
