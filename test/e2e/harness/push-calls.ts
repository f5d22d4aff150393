/** The calls of a push, one by one, for what no well-behaved client does. */
import { createHash } from 'node:crypto'
import type { Registry } from './server.js'

export interface CallAnswer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: answers of any shape
  readonly data: any
  readonly message: string
}

export interface PushCalls {
  readonly call: (method: string, path: string, body?: object) => Promise<CallAnswer>
  /** Makes entity, collection, container and image record for some bytes; resolves with the id of the image. */
  readonly makeImage: (path: string, bytes: Uint8Array) => Promise<string>
  /** Starts a single upload; `withHash: false` is a client that knows no SHA-256 (up to 0.4). Resolves with the upload URL. */
  readonly startSingle: (
    imageId: string,
    bytes: Uint8Array,
    options?: { readonly withHash?: boolean },
  ) => Promise<string>
  readonly completeSingle: (imageId: string) => Promise<CallAnswer>
  /** Starts a multipart upload of a given size. */
  readonly startMultipart: (
    imageId: string,
    size: number,
  ) => Promise<{
    readonly uploadID: string
    readonly totalParts: number
    readonly partSize: number
    readonly options: { readonly s3compliant: string }
  }>
  /** URL for a part with these bytes; the hash goes along where the upload wants it. */
  readonly partUrl: (
    imageId: string,
    part: {
      readonly uploadID: string
      readonly partNumber: number
      readonly bytes: Uint8Array
      readonly hash: boolean
    },
  ) => Promise<string>
  readonly completeMultipart: (imageId: string, uploadID: string, tokens: readonly string[]) => Promise<CallAnswer>
  /** Status and bytes of a pull by hash, redirects followed. */
  readonly pull: (path: string, bytes: Uint8Array) => Promise<{ readonly status: number; readonly bytes: Uint8Array }>
}

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** What a client sends with a PUT to a presigned URL: the hash header exactly where the URL signs it (protocol 5.9). */
export function putHeaders(url: string, bytes: Uint8Array): Record<string, string> {
  const signed = new URL(url).searchParams.get('X-Amz-SignedHeaders')?.split(';') ?? []
  return {
    'content-length': String(bytes.length),
    ...(signed.includes('x-amz-content-sha256') && { 'x-amz-content-sha256': sha256Of(bytes) }),
  }
}

export function makePushCalls(registry: Pick<Registry, 'url'>, token: string): PushCalls {
  const call: PushCalls['call'] = async (method, path, body) => {
    const response = await fetch(`${registry.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const json = text === '' ? undefined : JSON.parse(text)
    return { status: response.status, data: json?.data, message: json?.error?.message ?? '' }
  }
  const done = async (method: string, path: string, body?: object): Promise<CallAnswer['data']> => {
    const answer = await call(method, path, body)
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.message}`)
    return answer.data
  }
  return {
    call,
    makeImage: async (path, bytes) => {
      const [entity = '', collection = '', container = ''] = path.split('/')
      const entityId = (await done('POST', '/v1/entities', { name: entity })).id
      const collectionId = (await done('POST', '/v1/collections', { name: collection, entity: entityId })).id
      const containerId = (await done('POST', '/v1/containers', { name: container, collection: collectionId })).id
      return (await done('POST', '/v1/images', { hash: `sha256.${sha256Of(bytes)}`, container: containerId })).id
    },
    startSingle: async (imageId, bytes, { withHash = true } = {}) =>
      (
        await done('POST', `/v2/imagefile/${imageId}`, {
          filesize: bytes.length,
          md5sum: '',
          ...(withHash && { sha256sum: sha256Of(bytes) }),
        })
      ).uploadURL,
    completeSingle: (imageId) => call('PUT', `/v2/imagefile/${imageId}/_complete`, {}),
    startMultipart: (imageId, size) => done('POST', `/v2/imagefile/${imageId}/_multipart`, { filesize: size }),
    partUrl: async (imageId, { uploadID, partNumber, bytes, hash }) =>
      (
        await done('PUT', `/v2/imagefile/${imageId}/_multipart`, {
          partSize: bytes.length,
          uploadID,
          partNumber,
          sha256sum: hash ? sha256Of(bytes) : '',
        })
      ).presignedURL,
    completeMultipart: (imageId, uploadID, tokens) =>
      call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, {
        uploadID,
        completedParts: tokens.map((part, index) => ({ partNumber: index + 1, token: part })),
      }),
    pull: async (path, bytes) => {
      const response = await fetch(`${registry.url}/v1/imagefile/${path}:sha256.${sha256Of(bytes)}`)
      return { status: response.status, bytes: new Uint8Array(await response.arrayBuffer()) }
    },
  }
}
