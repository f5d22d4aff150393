/** A push and a pull as the real client does them (protocol 9.1, 9.2, 9.4), by plain HTTP. */
import { createHash } from 'node:crypto'
import { type Answer, call } from './client.js'

export interface Registry {
  /** Base URL without a trailing slash. */
  readonly url: string
  /** Absent: anonymous. */
  readonly token?: string
  /** How requests are sent. Default: HTTP/1.1. */
  readonly call?: typeof call
}

export interface PushOptions {
  /** `entity/collection/container`. */
  readonly path: string
  readonly tag?: string
  readonly arch?: string
  readonly bytes: Uint8Array
  readonly multipart?: boolean
}

/** What a step was answered instead of success. */
export class StepError extends Error {
  readonly status: number
  readonly answer: Answer

  constructor(step: string, answer: Answer) {
    super(`${step}: ${answer.status} ${answer.text.slice(0, 300)}`)
    this.status = answer.status
    this.answer = answer
  }
}

const hex = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** One request below the base URL. JSON goes out without a Content-Type, and the scheme in capitals, as older clients have it. */
export function ask(registry: Registry, method: string, path: string, body?: unknown): Promise<Answer> {
  const { origin, pathname } = new URL(registry.url)
  return (registry.call ?? call)(origin, `${pathname === '/' ? '' : pathname}${path}`, {
    method,
    ...(registry.token === undefined ? {} : { headers: { authorization: `BEARER ${registry.token}` } }),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

async function step(
  registry: Registry,
  method: string,
  path: string,
  body?: unknown,
): Promise<Record<string, unknown>> {
  const answer = await ask(registry, method, path, body)
  if (answer.status !== 200 && answer.status !== 201) throw new StepError(`${method} ${path}`, answer)
  return answer.text === '' ? {} : (answer.json().data as Record<string, unknown>)
}

/** Sends bytes to a transfer URL, without credentials. */
async function send(registry: Registry, url: string, bytes: Uint8Array): Promise<string> {
  const { origin, pathname, search } = new URL(url)
  const answer = await (registry.call ?? call)(origin, pathname + search, {
    method: 'PUT',
    body: bytes,
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(bytes.length) },
  })
  if (answer.status !== 200) throw new StepError(`PUT ${pathname.slice(0, 40)}`, answer)
  return answer.header('etag') ?? ''
}

async function find(registry: Registry, path: string, make: () => Promise<Record<string, unknown>>): Promise<string> {
  const found = await ask(registry, 'GET', path)
  if (found.status !== 200 && found.status !== 404) throw new StepError(`GET ${path}`, found)
  return String((found.status === 200 ? (found.json().data as Record<string, unknown>) : await make()).id)
}

async function upload(registry: Registry, imageId: string, { bytes, multipart = false }: PushOptions): Promise<void> {
  const base = `/v2/imagefile/${imageId}`
  if (!multipart) {
    const { uploadURL } = await step(registry, 'POST', base, { filesize: bytes.length, sha256sum: hex(bytes) })
    await send(registry, String(uploadURL), bytes)
    await step(registry, 'PUT', `${base}/_complete`, {})
    return
  }
  const plan = await step(registry, 'POST', `${base}/_multipart`, { filesize: bytes.length })
  const completedParts: { partNumber: number; token: string }[] = []
  for (let partNumber = 1; partNumber <= Number(plan.totalParts); partNumber += 1) {
    const part = bytes.subarray((partNumber - 1) * Number(plan.partSize), partNumber * Number(plan.partSize))
    const asked = { partSize: part.length, uploadID: plan.uploadID, partNumber, sha256sum: hex(part) }
    const { presignedURL } = await step(registry, 'PUT', `${base}/_multipart`, asked)
    completedParts.push({ partNumber, token: await send(registry, String(presignedURL), part) })
  }
  await step(registry, 'PUT', `${base}/_multipart_complete`, { uploadID: plan.uploadID, completedParts })
}

/** Throws StepError at the first refusal. */
export async function push(registry: Registry, options: PushOptions): Promise<void> {
  const [entity = '', collection = '', container = ''] = options.path.split('/')
  const { tag = 'latest', arch = 'amd64', bytes } = options
  await ask(registry, 'GET', '/version')
  const entityId = await find(registry, `/v1/entities/${entity}`, () =>
    step(registry, 'POST', '/v1/entities', { name: entity }),
  )
  const collectionId = await find(registry, `/v1/collections/${entity}/${collection}`, () =>
    step(registry, 'POST', '/v1/collections', { name: collection, entity: entityId }),
  )
  const containerId = await find(registry, `/v1/containers/${options.path}`, () =>
    step(registry, 'POST', '/v1/containers', { name: container, collection: collectionId }),
  )
  const hash = `sha256.${hex(bytes)}`
  const imageId = await find(registry, `/v1/images/${options.path}:${hash}?arch=${arch}`, () =>
    step(registry, 'POST', '/v1/images', { hash, container: containerId }),
  )
  const image = await step(registry, 'GET', `/v1/images/${options.path}:${hash}?arch=${arch}`)
  if (image.uploaded !== true) await upload(registry, imageId, options)
  await step(registry, 'GET', `/v2/tags/${containerId}`)
  await step(registry, 'POST', `/v2/tags/${containerId}`, { Arch: arch, Tag: tag, ImageID: imageId })
}

/** Follows the redirect without credentials, and reads the bytes in two ranges, as newer clients do. */
export async function pull(registry: Registry, reference: string): Promise<Buffer> {
  const redirect = await ask(registry, 'GET', `/v1/imagefile/${reference}?arch=amd64`)
  if (redirect.status !== 303) throw new StepError(`pull ${reference}`, redirect)
  const { origin, pathname, search } = new URL(redirect.header('location') ?? '')
  const image = await step(registry, 'GET', `/v1/images/${reference}?arch=amd64`)
  const middle = Math.floor(Number(image.size) / 2)
  const parts: Buffer[] = []
  for (const range of [`bytes=0-${middle}`, `bytes=${middle + 1}-${Number(image.size) - 1}`]) {
    const answer = await (registry.call ?? call)(origin, pathname + search, { headers: { range } })
    if (answer.status !== 206) throw new StepError(`range ${range}`, answer)
    parts.push(answer.body)
  }
  return Buffer.concat(parts)
}
