/**
 * Bodies of requests. Clients send whole zero-valued objects (protocol 4), so `private: false` or `quota: 0`
 * is no wish. Any other value is one: it is done, or refused. Facts that only the server knows (`id`,
 * `size`, `uploaded`, times) are not read.
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
// An empty file is no image: it could not be pulled by ranges, and the client sends it without a length (protocol Q28, Q43a)
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

export interface CreateEntityBody {
  readonly name: string
  readonly description: string
  /** What is made in it later starts private. */
  readonly defaultPrivate?: boolean | undefined
}
export interface CreateCollectionBody {
  readonly name: string
  readonly description: string
  readonly entity: string
  readonly private?: boolean | undefined
}
export interface CreateContainerBody {
  readonly name: string
  readonly description: string
  readonly collection: string
  readonly private?: boolean | undefined
}
export interface CreateImageBody {
  readonly hash: string
  readonly description: string
  readonly container: string
}
export interface StartSingleBody {
  readonly filesize: number
  readonly md5sum?: string | undefined
  readonly sha256sum?: string | undefined
}
export interface StartMultipartBody {
  readonly filesize: number
}
export interface PresignPartBody {
  readonly partSize: number
  readonly uploadID: string
  readonly partNumber: number
  readonly sha256sum: string
}
export interface CompleteMultipartBody {
  readonly uploadID: string
  readonly completedParts: readonly { readonly partNumber: number; readonly token: string }[]
}
export interface AbortBody {
  readonly uploadID: string
}
export interface SetTagV1Body {
  readonly tag: string
  readonly imageID: string
}
export interface SetTagV2Body extends SetTagV1Body {
  readonly arch: string
}

export const bodySchemas: {
  readonly createEntity: z.ZodType<CreateEntityBody>
  readonly createCollection: z.ZodType<CreateCollectionBody>
  readonly createContainer: z.ZodType<CreateContainerBody>
  readonly createImage: z.ZodType<CreateImageBody>
  readonly startSingle: z.ZodType<StartSingleBody>
  readonly startMultipart: z.ZodType<StartMultipartBody>
  readonly presignPart: z.ZodType<PresignPartBody>
  readonly completeMultipart: z.ZodType<CompleteMultipartBody>
  readonly abort: z.ZodType<AbortBody>
  readonly setTagV1: z.ZodType<SetTagV1Body>
  readonly setTagV2: z.ZodType<SetTagV2Body>
  readonly anything: z.ZodType<object>
} = {
  createEntity: z.object({
    name,
    description,
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
