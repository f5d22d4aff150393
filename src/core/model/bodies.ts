/**
 * Bodies of requests. Clients send whole zero-valued objects (protocol 4), so `private: false` or
 * `quota: 0` is no wish. Any other value is one: it is done, or refused. Facts that only the server
 * knows (`id`, `size`, `uploaded`, times) are not read.
 */
import { z } from 'zod'

const description = z
  .string()
  .max(16_384)
  .regex(/^[^\0]*$/, 'must not hold NUL')
  .default('')
const name = z.string().min(1).max(255)
const id = z.string().min(1).max(64)
const sha256 = z.string().regex(/^(?:[a-f0-9]{64})?$/, 'must be 64 lower-case hex digits, or empty')
// An empty file is no image: it could not be pulled by ranges, and the client sends it without a
// length (protocol Q28, Q43a)
const bytes = z.int().min(1)
const isPrivate = z.boolean().optional()
/** A member that may only have its zero value, which means nothing. */
const onlyZero = (zero: string | number | boolean, message: string) =>
  z
    .literal(zero, { error: message })
    .optional()
    .transform(() => undefined)
const customData = onlyZero('', 'is not kept by this registry: leave it out')
const readOnly = onlyZero(false, 'is not offered by this registry: leave it out')
const quota = onlyZero(0, 'is set by the operator: leave it out')
const uploadID = z.string().min(1).max(64)

/** By the names of what they ask for. */
export const bodySchemas = {
  createEntity: z.object({
    name,
    description,
    // what is made in it later starts private
    defaultPrivate: isPrivate,
    private: onlyZero(false, 'an entity has no such member: defaultPrivate makes what is made in it later private'),
    quota,
    customData,
  }),
  createCollection: z.object({
    name,
    description,
    entity: id,
    private: isPrivate,
    defaultPrivate: onlyZero(false, 'is a member of entities: private hides a collection'),
    customData,
  }),
  createContainer: z.object({
    name,
    description,
    collection: id,
    private: isPrivate,
    defaultPrivate: onlyZero(false, 'is a member of entities: private hides a container'),
    fullDescription: onlyZero('', 'is not kept by this registry: use description'),
    readOnly,
    customData,
  }),
  createImage: z.object({
    hash: z.string().max(128),
    description,
    container: id,
    private: onlyZero(false, 'an image is as private as its container'),
    customData,
  }),
  // client libraries up to 0.4 send only the MD5 (protocol 5.9)
  startSingle: z.object({ filesize: bytes, md5sum: z.string().max(64).optional(), sha256sum: sha256.optional() }),
  startMultipart: z.object({ filesize: bytes }),
  presignPart: z.object({
    partSize: bytes,
    uploadID,
    partNumber: z.int().min(1).max(100_000),
    sha256sum: sha256.default(''),
  }),
  completeMultipart: z.object({
    uploadID,
    completedParts: z
      .array(z.object({ partNumber: z.int().min(1).max(100_000), token: z.string().max(1024).default('') }))
      .max(100_000),
  }),
  abort: z.object({ uploadID }),
  setTagV1: z.object({ tag: z.string().max(512), imageID: id }),
  setTagV2: z.object({ tag: z.string().max(512), imageID: id, arch: z.string().max(64).default('') }),
  anything: z.object({}),
}

export type CreateEntityBody = z.infer<typeof bodySchemas.createEntity>
export type CreateCollectionBody = z.infer<typeof bodySchemas.createCollection>
export type CreateContainerBody = z.infer<typeof bodySchemas.createContainer>
export type CreateImageBody = z.infer<typeof bodySchemas.createImage>
export type StartSingleBody = z.infer<typeof bodySchemas.startSingle>
export type StartMultipartBody = z.infer<typeof bodySchemas.startMultipart>
export type PresignPartBody = z.infer<typeof bodySchemas.presignPart>
export type CompleteMultipartBody = z.infer<typeof bodySchemas.completeMultipart>
export type AbortBody = z.infer<typeof bodySchemas.abort>
export type SetTagV1Body = z.infer<typeof bodySchemas.setTagV1>
export type SetTagV2Body = z.infer<typeof bodySchemas.setTagV2>
