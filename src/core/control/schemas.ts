/** The records as zod schemas: for the OpenAPI document, and for tests of every transport. */
import { z } from 'zod'
import { deleteQuery, entityChange, placeChange } from './change-places.js'
import type { EntityChange, NewEntity, NewPlace, NewToken, NewUpload, PartsQuestion, PlaceChange } from './control.js'
import { stepShape } from './days.js'
import { eventQuery } from './events.js'
import { imageChange, imageQuery } from './images.js'
import { canShape, type Shape } from './input.js'
import { collectionQuery, containerQuery, entityQuery } from './lists.js'
import { newEntity, newPlace } from './make-places.js'
import type {
  AccessToken,
  ActivityEvent,
  Collection,
  CompletedUpload,
  Container,
  DeletionPreview,
  Entity,
  Found,
  Image,
  NewAccessToken,
  PartTarget,
  PullStep,
  Session,
  Space,
  StartedUpload,
  Stats,
  Tag,
  TagChange,
  Upload,
  Usage,
  UsageStep,
} from './records.js'
import { searchQuery } from './search.js'
import { archShape, historyQuery, tagQuery, tagTarget } from './tags.js'
import { newToken, tokensQuery } from './tokens.js'
import { newUpload, partsQuestion, uploadsQuery } from './uploads.js'
import { pullsQuery, usageQuery } from './usage.js'

const date = z.string().describe('RFC 3339, UTC')
const dateOrNull = date.nullable()
const bytes = z.int().describe('bytes')
const digest = z.string().describe('64 lower-case hex digits of SHA-256')
const path = z.string()
const can = z.array(z.enum(['pull', 'push', 'delete', 'manage', 'admin'])).optional()
const version = z.string().describe('give it back as If-Match')
const known = z.boolean().nullable()

const entity: z.ZodType<Entity> = z
  .object({
    name: z.string(),
    description: z.string(),
    defaultPrivate: z.boolean(),
    usedBytes: bytes.optional(),
    images: z.int().optional(),
    reservedBytes: bytes.optional(),
    quotaBytes: bytes.nullable().optional(),
    createdAt: date,
    updatedAt: date,
    version,
    can,
  })
  .meta({ id: 'ControlEntity' })

const collection: z.ZodType<Collection> = z
  .object({
    path,
    entity: z.string(),
    name: z.string(),
    description: z.string(),
    private: z.boolean(),
    usedBytes: bytes.optional(),
    images: z.int().optional(),
    createdAt: date,
    updatedAt: date,
    version,
    can,
  })
  .meta({ id: 'ControlCollection' })

const container: z.ZodType<Container> = z
  .object({
    path,
    entity: z.string(),
    collection: z.string(),
    name: z.string(),
    description: z.string(),
    private: z.boolean(),
    privateByCollection: z.boolean(),
    latest: z
      .object({ tag: z.string(), arch: z.string(), digest, size: bytes, signed: known, updatedAt: date })
      .nullable(),
    archs: z.array(z.string()),
    usedBytes: bytes,
    images: z.int(),
    pulls: z.int(),
    pulls30: z.int(),
    pullDays: z.array(z.int()),
    lastPulledAt: dateOrNull,
    createdAt: date,
    updatedAt: date,
    changedBy: z.string().nullable(),
    version,
    can,
  })
  .meta({ id: 'ControlContainer' })

const image: z.ZodType<Image> = z
  .object({
    path,
    digest,
    hash: z.string(),
    description: z.string(),
    size: bytes,
    arch: z.string().nullable(),
    state: z.enum(['published', 'unproven', 'damaged']),
    signed: known,
    encrypted: known,
    fingerprints: z.array(z.string()),
    tags: z.array(z.object({ tag: z.string(), arch: z.string() })),
    pulls: z.int(),
    lastPulledAt: dateOrNull,
    createdAt: date,
    publishedAt: dateOrNull,
    pushedBy: z.string().nullable(),
    can,
  })
  .meta({ id: 'ControlImage' })

const tag: z.ZodType<Tag> = z
  .object({
    path,
    tag: z.string(),
    arch: z.string(),
    digest,
    hash: z.string(),
    size: bytes,
    signed: known,
    encrypted: known,
    updatedAt: date,
    changedBy: z.string().nullable(),
    version,
  })
  .meta({ id: 'ControlTag' })

const tagChange: z.ZodType<TagChange> = z
  .object({
    at: date,
    by: z.string().nullable(),
    tag: z.string(),
    arch: z.string(),
    digest: digest.nullable(),
    previous: digest.nullable(),
    via: z.enum(['push', 'api', 'rollback', 'delete', 'policy']),
    present: z.boolean(),
  })
  .meta({ id: 'ControlTagChange' })

/** The rest of it stands in docs/sif.md: it grows with the reader. */
const inspection: z.ZodType<object> = z.looseObject({
  state: z.enum(['sif', 'not-a-sif', 'damaged', 'not-understood']),
  reason: z.string().nullable(),
  kind: z.string().nullable(),
  arch: z.string().nullable(),
  signed: known,
  encrypted: known,
  objects: z.array(z.looseObject({ id: z.int(), type: z.string(), size: bytes })),
  definition: z.looseObject({ text: z.string(), truncated: z.boolean() }).nullable(),
  labels: z.record(z.string(), z.string()).nullable(),
})

const preview: z.ZodType<DeletionPreview> = z
  .object({ path, collections: z.int(), containers: z.int(), images: z.int(), tags: z.int(), bytes })
  .meta({ id: 'ControlDeletionPreview' })

const space: z.ZodType<Space> = z
  .object({ name: z.string(), usedBytes: bytes, reservedBytes: bytes, quotaBytes: bytes.nullable() })
  .meta({ id: 'ControlSpace' })

const session: z.ZodType<Session> = z
  .object({
    principal: z.object({ id: z.string(), name: z.string(), admin: z.boolean() }).nullable(),
    can: z.array(z.enum(['pull', 'push', 'delete', 'manage', 'admin'])),
    registry: z.object({
      url: z.string(),
      version: z.string(),
      defaults: z.object({ entity: z.string(), collection: z.string(), arch: z.string() }),
      limits: z.object({ maxImageBytes: bytes, partBytes: bytes }),
    }),
  })
  .meta({ id: 'ControlSession' })

const tokenMembers = {
  id: z.string(),
  user: z.string(),
  label: z.string(),
  scopes: z.array(z.string()),
  createdAt: date,
  expiresAt: dateOrNull,
  lastUsedAt: dateOrNull,
}
const accessToken: z.ZodType<AccessToken> = z.object(tokenMembers).meta({ id: 'ControlAccessToken' })
const newAccessToken: z.ZodType<NewAccessToken> = z
  .object({ ...tokenMembers, token: z.string().describe('shown this once') })
  .meta({ id: 'ControlNewAccessToken' })

const uploadMembers = {
  id: z.string(),
  path,
  digest,
  size: bytes,
  partSize: bytes,
  totalParts: z.int(),
  tags: z.array(z.string()),
  arch: z.string().nullable(),
  createdAt: date,
  expiresAt: date,
}
const uploadedParts = z.array(z.object({ number: z.int(), size: bytes }))
const upload: z.ZodType<Upload> = z
  .object({
    ...uploadMembers,
    state: z.enum(['open', 'completing', 'completed', 'aborted', 'expired']),
    parts: uploadedParts.optional(),
  })
  .meta({ id: 'ControlUpload' })
const startedUpload: z.ZodType<StartedUpload> = z.union([
  z.object({ state: z.literal('present'), image }),
  z.object({ ...uploadMembers, state: z.literal('open'), parts: uploadedParts.optional() }),
])
const partTarget: z.ZodType<PartTarget> = z
  .object({ number: z.int(), url: z.string(), headers: z.record(z.string(), z.string()), expiresAt: date })
  .meta({ id: 'ControlPartTarget' })
const completedUpload: z.ZodType<CompletedUpload> = z.union([
  z.object({ state: z.literal('completed'), image }),
  z.object({ state: z.literal('completing') }),
])

const found: z.ZodType<Found> = z
  .object({
    entities: z.array(entity),
    collections: z.array(collection),
    containers: z.array(container),
    images: z.array(image),
  })
  .meta({ id: 'ControlFound' })

const usageOf = z.object({ path, usedBytes: bytes, images: z.int() })
const usage: z.ZodType<Usage> = z
  .object({
    under: z.string(),
    usedBytes: bytes,
    images: z.int(),
    children: z.array(usageOf),
    others: z.object({ usedBytes: bytes, images: z.int() }),
  })
  .meta({ id: 'ControlUsage' })
const usageStep: z.ZodType<UsageStep> = z
  .object({ from: z.string().describe('YYYY-MM-DD'), usedBytes: bytes, images: z.int() })
  .meta({ id: 'ControlUsageStep' })
const pullStep: z.ZodType<PullStep> = z
  .object({ from: z.string().describe('YYYY-MM-DD'), pulls: z.int() })
  .meta({ id: 'ControlPullStep' })
const stats: z.ZodType<Stats> = z
  .object({ scope: z.enum(['all', 'public']), containers: z.int(), images: z.int(), bytes })
  .meta({ id: 'ControlStats' })

const event: z.ZodType<ActivityEvent> = z
  .object({
    seq: z.int(),
    at: date,
    action: z.string(),
    actor: z.object({
      name: z.string().nullable(),
      via: z.enum(['token', 'session', 'host', 'operator', 'system', 'anonymous']),
    }),
    path: z.string().nullable(),
    digest: digest.nullable(),
    tag: z.string().nullable(),
    arch: z.string().nullable(),
    requestId: z.string().nullable(),
    details: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'ControlEvent' })

/** Schemas of the records. */
export const controlRecords: {
  readonly accessToken: z.ZodType<AccessToken>
  readonly collection: z.ZodType<Collection>
  readonly completedUpload: z.ZodType<CompletedUpload>
  readonly container: z.ZodType<Container>
  readonly entity: z.ZodType<Entity>
  readonly event: z.ZodType<ActivityEvent>
  readonly found: z.ZodType<Found>
  readonly image: z.ZodType<Image>
  readonly newAccessToken: z.ZodType<NewAccessToken>
  readonly partTarget: z.ZodType<PartTarget>
  readonly preview: z.ZodType<DeletionPreview>
  readonly inspection: z.ZodType<object>
  readonly pullStep: z.ZodType<PullStep>
  readonly session: z.ZodType<Session>
  readonly space: z.ZodType<Space>
  readonly startedUpload: z.ZodType<StartedUpload>
  readonly stats: z.ZodType<Stats>
  readonly tag: z.ZodType<Tag>
  readonly tagChange: z.ZodType<TagChange>
  readonly upload: z.ZodType<Upload>
  readonly usage: z.ZodType<Usage>
  readonly usageStep: z.ZodType<UsageStep>
} = {
  accessToken,
  collection,
  completedUpload,
  container,
  entity,
  event,
  found,
  image,
  newAccessToken,
  partTarget,
  preview,
  inspection,
  pullStep,
  session,
  space,
  startedUpload,
  stats,
  tag,
  tagChange,
  upload,
  usage,
  usageStep,
}

/** Members of a query, each with its schema. */
export type ShownQuery = Readonly<Record<string, z.ZodType>>

export const controlQueries: Readonly<
  Record<
    | 'arch'
    | 'can'
    | 'collections'
    | 'containers'
    | 'delete'
    | 'entities'
    | 'events'
    | 'history'
    | 'images'
    | 'pulls'
    | 'search'
    | 'steps'
    | 'tags'
    | 'tokens'
    | 'uploads'
    | 'usage',
    ShownQuery
  >
> = {
  arch: archShape,
  can: canShape,
  collections: collectionQuery,
  containers: containerQuery,
  delete: deleteQuery,
  entities: entityQuery,
  events: eventQuery,
  history: historyQuery,
  images: imageQuery,
  pulls: pullsQuery,
  search: searchQuery,
  steps: stepShape,
  tags: tagQuery,
  tokens: tokensQuery,
  uploads: uploadsQuery,
  usage: usageQuery,
}

const body = <T>(shape: Shape<T>): z.ZodType<T> => z.strictObject(shape) as unknown as z.ZodType<T>

/** Bodies. A member that there is not is refused. */
export const controlBodies: {
  readonly entityChange: z.ZodType<EntityChange>
  readonly imageChange: z.ZodType<{ description: string }>
  readonly newEntity: z.ZodType<NewEntity>
  readonly newPlace: z.ZodType<NewPlace>
  readonly newToken: z.ZodType<NewToken>
  readonly newUpload: z.ZodType<NewUpload>
  readonly parts: z.ZodType<PartsQuestion>
  readonly placeChange: z.ZodType<PlaceChange>
  readonly tagTarget: z.ZodType<{ digest: string; reason?: string }>
} = {
  entityChange: body<EntityChange>(entityChange),
  imageChange: body<{ description: string }>(imageChange),
  newEntity: body<NewEntity>(newEntity),
  newPlace: body<NewPlace>(newPlace),
  newToken: body<NewToken>(newToken),
  newUpload: body<NewUpload>(newUpload),
  parts: body<PartsQuestion>(partsQuestion),
  placeChange: body<PlaceChange>(placeChange),
  tagTarget: body<{ digest: string; reason?: string }>(tagTarget as never),
}
