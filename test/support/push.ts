/** What the clients do to push and to pull, step by step (protocol 9), against a registry in this process. */
import { createHash } from 'node:crypto'
import type { Answer, CallOptions, TestRegistry } from './registry.js'

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
/** Wire form of the hash of a file. */
export const hashOf = (bytes: Uint8Array): string => `sha256.${sha256(bytes)}`

export interface PushOptions {
  /** Default: the entity of the path, if it is a user. */
  readonly token?: CallOptions['token']
  /** Default `['latest']`; `[]` sets none. */
  readonly tags?: readonly string[]
  /** Default `amd64`. */
  readonly arch?: string
  /** Which API carries the bytes; default `single`. */
  readonly via?: 'single' | 'multipart' | 'v1'
  readonly description?: string
}

export interface Pushed {
  readonly entityId: string
  readonly collectionId: string
  readonly containerId: string
  readonly imageId: string
  readonly hash: string
}

/** Throws unless the answer has this status; returns it. */
export function expectStatus(answer: Answer, ...statuses: readonly number[]): Answer {
  if (!statuses.includes(answer.status))
    throw new Error(`status ${answer.status} instead of ${statuses.join(' or ')}: ${answer.text.slice(0, 500)}`)
  return answer
}

type Ids = Omit<Pushed, 'imageId' | 'hash'>

/** Makes entity, collection and container where they are missing. */
export async function makeContainer(
  registry: TestRegistry,
  path: string,
  token: CallOptions['token'] = path.split('/')[0] ?? '',
): Promise<Ids> {
  const [entity = '', collection = '', container = ''] = path.split('/')
  const make = async (kind: string, body: object): Promise<string> =>
    expectStatus(await registry.call('POST', `/v1/${kind}`, { token, body }), 200, 201).json.data.id
  const entityId = await make('entities', { name: entity, description: 'No description' })
  const collectionId = await make('collections', { name: collection, description: 'No description', entity: entityId })
  const containerId = await make('containers', {
    name: container,
    description: 'No description',
    collection: collectionId,
  })
  return { entityId, collectionId, containerId }
}

/** Makes the image record, without bytes. */
export async function makeImage(
  registry: TestRegistry,
  image: {
    readonly path: string
    readonly hash: string
    readonly token?: CallOptions['token']
    readonly description?: string
  },
): Promise<Pushed & { readonly uploaded: boolean }> {
  const { path, hash, token = path.split('/')[0] ?? '', description = '' } = image
  const ids = await makeContainer(registry, path, token)
  const made = expectStatus(
    await registry.call('POST', '/v1/images', { token, body: { hash, description, container: ids.containerId } }),
    200,
    201,
  )
  return { ...ids, hash, imageId: made.json.data.id, uploaded: made.json.data.uploaded }
}

async function uploadSingle(
  registry: TestRegistry,
  imageId: string,
  { bytes, token }: { bytes: Uint8Array; token: CallOptions['token'] },
): Promise<void> {
  const start = await registry.call('POST', `/v2/imagefile/${imageId}`, {
    token,
    body: { filesize: bytes.length, sha256sum: sha256(bytes) },
  })
  expectStatus(await registry.call('PUT', expectStatus(start, 200).json.data.uploadURL, { body: bytes }), 200)
  expectStatus(await registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token, body: {} }), 200)
}

export interface StartedMultipart {
  readonly uploadID: string
  readonly totalParts: number
  readonly partSize: number
}

/** Starts a multipart upload and sends its parts; what is missing is the complete. */
export async function sendParts(
  registry: TestRegistry,
  imageId: string,
  { bytes, token }: { readonly bytes: Uint8Array; readonly token?: CallOptions['token'] },
): Promise<
  StartedMultipart & { readonly completedParts: readonly { readonly partNumber: number; readonly token: string }[] }
> {
  const path = `/v2/imagefile/${imageId}/_multipart`
  const plan: StartedMultipart = expectStatus(
    await registry.call('POST', path, { ...(token && { token }), body: { filesize: bytes.length } }),
    200,
  ).json.data
  const completedParts: { partNumber: number; token: string }[] = []
  for (let partNumber = 1; partNumber <= plan.totalParts; partNumber += 1) {
    const part = bytes.subarray((partNumber - 1) * plan.partSize, partNumber * plan.partSize)
    const ask = { partSize: part.length, uploadID: plan.uploadID, partNumber, sha256sum: sha256(part) }
    const { presignedURL } = expectStatus(await registry.call('PUT', path, { ...(token && { token }), body: ask }), 200)
      .json.data
    const stored = expectStatus(await registry.call('PUT', presignedURL, { body: part }), 200)
    completedParts.push({ partNumber, token: stored.headers.etag ?? '' })
  }
  return { ...plan, completedParts }
}

async function uploadMultipart(
  registry: TestRegistry,
  imageId: string,
  { bytes, token }: { bytes: Uint8Array; token: CallOptions['token'] },
): Promise<void> {
  const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, ...(token && { token }) })
  expectStatus(
    await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, {
      ...(token && { token }),
      body: { uploadID, completedParts },
    }),
    200,
  )
}

/** Pushes a file under `entity/collection/container`, as a current client does. */
export async function push(
  registry: TestRegistry,
  path: string,
  bytes: Uint8Array,
  options: PushOptions = {},
): Promise<Pushed> {
  const {
    token = path.split('/')[0] ?? '',
    tags = ['latest'],
    arch = 'amd64',
    via = 'single',
    description = '',
  } = options
  const { uploaded, ...image } = await makeImage(registry, { path, hash: hashOf(bytes), token, description })
  if (!uploaded) {
    if (via === 'single') await uploadSingle(registry, image.imageId, { bytes, token })
    else if (via === 'multipart') await uploadMultipart(registry, image.imageId, { bytes, token })
    else expectStatus(await registry.call('POST', `/v1/imagefile/${image.imageId}`, { token, body: bytes }), 200)
  }
  for (const tag of tags) {
    const body = { Arch: arch, Tag: tag, ImageID: image.imageId }
    expectStatus(await registry.call('POST', `/v2/tags/${image.containerId}`, { token, body }), 200)
  }
  return image
}

/** Follows the 303 of a pull and returns the bytes. */
export async function pull(
  registry: TestRegistry,
  reference: string,
  options: { readonly token?: CallOptions['token']; readonly arch?: string } = {},
): Promise<Buffer> {
  const { token, arch = 'amd64' } = options
  const redirect = expectStatus(
    await registry.call('GET', `/v1/imagefile/${reference}?arch=${arch}`, { ...(token && { token }) }),
    303,
  )
  return expectStatus(await registry.call('GET', redirect.headers.location ?? ''), 200).bytes
}
