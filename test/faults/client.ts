/** A client of the protocol that says how far it came. Parts of any size are asked for directly: the plan is the server's. */
import { createHash } from 'node:crypto'
import { type Answer, type HttpClient, Refused, type SendOptions } from './http.js'
import type { TestImage } from './images.js'

export type PushKind = 'single' | 'multipart' | 'direct'
/** What is about to be sent; the kill may wait for one of these. */
export type Step = 'create' | 'start' | 'bytes' | 'complete' | 'tag' | 'delete' | 'read'

export interface Push {
  /** `entity/collection/container`. */
  readonly path: string
  readonly tag: string
  readonly image: TestImage
  readonly kind: PushKind
  /** Told as soon as the server has answered that the bytes are published. */
  readonly onCompleted?: () => void
}

export interface RegistryClient {
  /** Resolves when the tag was answered with success. Rejects with Interrupted or Refused. */
  readonly push: (push: Push) => Promise<void>
  /** Whether the image is there by hash or tag, and says that it has bytes. */
  readonly look: (reference: string) => Promise<'absent' | 'pending' | 'uploaded'>
  /** undefined where the server answers 404. */
  readonly pull: (reference: string) => Promise<Buffer | undefined>
  /** False where it was not there. */
  readonly remove: (reference: string) => Promise<boolean>
  readonly call: (method: string, path: string, options?: SendOptions) => Promise<Answer>
}

export interface ClientOptions {
  readonly url: string
  readonly token: string
  readonly http: HttpClient
  readonly onStep?: (step: Step) => void
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export function makeRegistryClient({ url, token, http, onStep = () => {} }: ClientOptions): RegistryClient {
  const call: RegistryClient['call'] = (method, path, options = {}) =>
    http.send(method, `${url}${path}`, { token, ...options })
  const expect = async (
    what: string,
    answer: Promise<Answer>,
    statuses: readonly number[] = [200],
  ): Promise<Answer> => {
    const got = await answer
    if (!statuses.includes(got.status)) throw new Refused(what, got)
    return got
  }
  const make = async (kind: string, body: object): Promise<Answer['data']> =>
    (await expect(`POST ${kind}`, call('POST', `/v1/${kind}`, { json: body }), [200, 201])).data

  async function sendSingle(imageId: string, { bytes, digest }: TestImage): Promise<void> {
    onStep('start')
    const path = `/v2/imagefile/${imageId}`
    const { uploadURL } = (
      await expect('start', call('POST', path, { json: { filesize: bytes.length, sha256sum: digest } }))
    ).data
    onStep('bytes')
    await expect(
      'PUT of the bytes',
      http.send('PUT', uploadURL, { bytes, headers: { 'x-amz-content-sha256': digest } }),
    )
    onStep('complete')
    await expect('complete', call('PUT', `${path}/_complete`, { json: {} }))
  }

  async function sendParts(imageId: string, { bytes }: TestImage): Promise<void> {
    onStep('start')
    const path = `/v2/imagefile/${imageId}/_multipart`
    const { uploadID, totalParts, partSize } = (
      await expect('multipart start', call('POST', path, { json: { filesize: bytes.length } }))
    ).data
    const sendPart = async (partNumber: number): Promise<{ partNumber: number; token: string }> => {
      const part = bytes.subarray((partNumber - 1) * partSize, partNumber * partSize)
      const sha256sum = sha256(part)
      const json = { partSize: part.length, uploadID, partNumber, sha256sum }
      const { presignedURL } = (await expect('URL of a part', call('PUT', path, { json }))).data
      onStep('bytes')
      const stored = await expect(
        'PUT of a part',
        http.send('PUT', presignedURL, { bytes: part, headers: { 'x-amz-content-sha256': sha256sum } }),
      )
      return { partNumber, token: String(stored.headers.etag) }
    }
    const completedParts: { partNumber: number; token: string }[] = []
    // two at once: parts in and out of order
    for (let first = 1; first <= totalParts; first += 2) {
      completedParts.push(
        ...(await Promise.all([first, first + 1].filter((number) => number <= totalParts).map(sendPart))),
      )
    }
    onStep('complete')
    await expect(
      'multipart complete',
      call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, { json: { uploadID, completedParts } }),
    )
  }

  return {
    call,
    push: async ({ path, tag, image, kind, onCompleted }) => {
      const [entityName = '', collectionName = '', containerName = ''] = path.split('/')
      onStep('create')
      const entity = await make('entities', { name: entityName })
      const collection = await make('collections', { name: collectionName, entity: entity.id })
      const container = await make('containers', { name: containerName, collection: collection.id })
      const record = await make('images', { hash: `sha256.${image.digest}`, container: container.id })
      if (record.uploaded !== true) {
        if (kind === 'single') await sendSingle(record.id, image)
        else if (kind === 'multipart') await sendParts(record.id, image)
        else {
          onStep('bytes')
          await expect('POST of the bytes', call('POST', `/v1/imagefile/${record.id}`, { bytes: image.bytes }))
        }
      }
      onCompleted?.()
      onStep('tag')
      await expect(
        'tag',
        call('POST', `/v2/tags/${container.id}`, { json: { Arch: 'amd64', Tag: tag, ImageID: record.id } }),
      )
    },
    look: async (reference) => {
      onStep('read')
      const answer = await expect('GET image', call('GET', `/v1/images/${reference}?arch=amd64`), [200, 404])
      if (answer.status === 404) return 'absent'
      return answer.data.uploaded === true ? 'uploaded' : 'pending'
    },
    pull: async (reference) => {
      onStep('read')
      const redirect = await expect('GET imagefile', call('GET', `/v1/imagefile/${reference}?arch=amd64`), [303, 404])
      if (redirect.status === 404) return undefined
      return (await expect('GET of the bytes', http.send('GET', String(redirect.headers.location)))).bytes
    },
    remove: async (reference) => {
      onStep('delete')
      return (
        (await expect('DELETE image', call('DELETE', `/v1/images/${reference}?arch=amd64`), [200, 404])).status === 200
      )
    },
  }
}
