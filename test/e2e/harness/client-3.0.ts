/**
 * The client that is built into Singularity 3.0 to 3.2, written from the protocol (sections 2.3, 2.4, 3, 5.8, 11): it is no module that could be
 * built here. It decodes answers as strictly as its Go structs do, and keeps empty path segments.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

const ID = /^([0-9a-f]{24})?$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/

type Kind = 'entity' | 'collection' | 'container' | 'image'
type Check = (value: unknown) => boolean

const isId: Check = (value) => typeof value === 'string' && ID.test(value)
const isIds: Check = (value) => Array.isArray(value) && value.every(isId)
const isString: Check = (value) => typeof value === 'string'
const isBoolean: Check = (value) => typeof value === 'boolean'
const isInteger: Check = (value) => Number.isSafeInteger(value)
const isTime: Check = (value) => typeof value === 'string' && TIME.test(value)
const isTagMap: Check = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isId)

const COMMON: Readonly<Record<string, Check>> = {
  deleted: isBoolean,
  createdBy: isString,
  createdAt: isTime,
  updatedBy: isString,
  updatedAt: isTime,
  deletedAt: isTime,
}

const FIELDS: Readonly<Record<Kind, Readonly<Record<string, Check>>>> = {
  entity: {
    id: isId,
    name: isString,
    description: isString,
    collections: isIds,
    size: isInteger,
    quota: isInteger,
    defaultPrivate: isBoolean,
    customData: isString,
  },
  collection: {
    id: isId,
    name: isString,
    description: isString,
    entity: isId,
    containers: isIds,
    size: isInteger,
    private: isBoolean,
    customData: isString,
  },
  container: {
    id: isId,
    name: isString,
    description: isString,
    fullDescription: isString,
    collection: isId,
    images: isIds,
    imageTags: isTagMap,
    size: isInteger,
    downloadCount: isInteger,
    stars: isInteger,
    private: isBoolean,
    customData: isString,
    entity: isId,
    entityName: isString,
    collectionName: isString,
  },
  image: {
    id: isId,
    hash: isString,
    description: isString,
    container: isId,
    blob: isString,
    size: isInteger,
    uploaded: isBoolean,
    customData: isString,
    entity: isId,
    entityName: isString,
    collection: isId,
    collectionName: isString,
    containerName: isString,
    tags: (value) => Array.isArray(value) && value.every(isString),
  },
}

/** What Go's decoder would make of an object; rejects what it would reject, and the empty id that made these CLIs panic. */
function decode(
  kind: Kind,
  value: unknown,
): { readonly id: string; readonly uploaded?: boolean; readonly hash?: string } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${kind}: no object in the answer`)
  const checks: Readonly<Record<string, Check>> = { ...COMMON, ...FIELDS[kind] }
  const lowered = new Map(Object.entries(checks).map(([name, check]) => [name.toLowerCase(), check]))
  for (const [name, field] of Object.entries(value)) {
    if (field !== null && lowered.get(name.toLowerCase())?.(field) === false)
      throw new Error(`${kind}.${name}: cannot decode ${JSON.stringify(field)}`)
  }
  const object = value as { id?: string }
  if (!object.id) throw new Error(`${kind}: panic, empty id`)
  return { ...object, id: object.id }
}

export interface OldClient {
  /** Pushes a file to `entity/collection/container[:tag,…]`; the default tag is `latest`. Resolves with whether bytes were sent. */
  readonly push: (file: string, reference: string) => Promise<boolean>
  /** Resolves with the bytes of a reference of one to three parts. */
  readonly pull: (reference: string) => Promise<Buffer>
  readonly search: (value: string) => Promise<Readonly<Record<string, readonly unknown[] | null>>>
}

export interface OldClientOptions {
  readonly url: string
  readonly token?: string
}

/** The client of Singularity 3.0–3.2 at a library. Its URLs are joined as strings, so a prefix works. */
export function makeOldClient({ url, token }: OldClientOptions): OldClient {
  const headers = {
    'user-agent': 'Singularity/3.0.3 (Linux amd64) Go/1.11.4',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  }

  async function failure(response: Response, method: string): Promise<Error> {
    const body = (await response.json().catch(() => ({}))) as { error?: { message?: string } }
    return new Error(
      `${method} did not succeed: ${response.status} ${response.statusText}\n\t${body.error?.message ?? ''}`,
    )
  }

  async function get(path: string): Promise<unknown> {
    const response = await fetch(`${url}${path}`, { headers, signal: AbortSignal.timeout(10_000) })
    if (response.status === 404) return undefined
    if (response.status !== 200) throw await failure(response, 'get')
    return ((await response.json()) as { data: unknown }).data
  }

  async function create(path: string, object: object): Promise<unknown> {
    const body = JSON.stringify({
      deleted: false,
      createdBy: '',
      createdAt: '0001-01-01T00:00:00Z',
      updatedAt: '0001-01-01T00:00:00Z',
      deletedAt: '0001-01-01T00:00:00Z',
      ...object,
    })
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(10_000),
    })
    if (response.status !== 200 && response.status !== 201) throw await failure(response, 'creation')
    return ((await response.json()) as { data: unknown }).data
  }

  async function findOrCreate(kind: Kind, path: string, object: object): Promise<ReturnType<typeof decode>> {
    const plural = kind === 'entity' ? 'entities' : `${kind}s`
    const found = await get(`/v1/${plural}/${path}`)
    return decode(kind, found ?? (await create(`/v1/${plural}`, { id: '', description: 'No description', ...object })))
  }

  async function send(imageId: string, bytes: Buffer): Promise<void> {
    const response = await fetch(`${url}/v1/imagefile/${imageId}`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/octet-stream' },
      body: new Uint8Array(bytes),
    })
    if (response.status !== 200) throw await failure(response, 'sending file')
  }

  async function tag(containerId: string, imageId: string, tags: readonly string[]): Promise<void> {
    const existing = await get(`/v1/tags/${containerId}`)
    if (existing !== null && !isTagMap(existing)) throw new Error(`tags: cannot decode ${JSON.stringify(existing)}`)
    for (const each of tags) {
      const body = JSON.stringify({ Tag: each, ImageID: imageId })
      const response = await fetch(`${url}/v1/tags/${containerId}`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body,
      })
      if (response.status !== 200) throw await failure(response, 'creation')
    }
  }

  return {
    push: async (file, reference) => {
      const [path = '', tags = 'latest'] = reference.split(':')
      const [entityName = '', collectionName = '', containerName = ''] = path.split('/')
      const bytes = await readFile(file)
      const hash = `sha256.${createHash('sha256').update(bytes).digest('hex')}`
      const entity = await findOrCreate('entity', entityName, {
        name: entityName,
        collections: null,
        quota: 0,
        size: 0,
        defaultPrivate: false,
      })
      const collection = await findOrCreate('collection', `${entityName}/${collectionName}`, {
        name: collectionName,
        entity: entity.id,
        containers: null,
        private: false,
      })
      const container = await findOrCreate('container', path, {
        name: containerName,
        collection: collection.id,
        images: null,
        imageTags: null,
        stars: 0,
        private: false,
      })
      const image = await findOrCreate('image', `${path}:${hash}`, {
        hash,
        description: 'No Description',
        container: container.id,
        uploaded: false,
        size: 0,
      })
      if (image.uploaded !== true) await send(image.id, bytes)
      await tag(container.id, image.id, tags.split(','))
      return image.uploaded !== true
    },
    pull: async (reference) => {
      const [path = '', selector = 'latest'] = reference.split(':')
      const slashes = path.split('/').length - 1
      // the missing parts stay as empty segments: /v1/images///alpine:latest
      const found = await get(`/v1/images/${'/'.repeat(2 - slashes)}${path}:${selector}`)
      if (found === undefined) throw new Error(`image ${reference} does not exist in the library`)
      const { hash } = decode('image', found)
      const response = await fetch(`${url}/v1/imagefile/${path}:${selector}`, { headers })
      if (response.status === 404) throw new Error('the requested image was not found in the library')
      if (response.status !== 200) throw await failure(response, 'download')
      const bytes = Buffer.from(await response.arrayBuffer())
      const actual = `sha256.${createHash('sha256').update(bytes).digest('hex')}`
      if (actual !== hash) throw new Error(`image hash ${actual} is not ${hash}`)
      return bytes
    },
    search: async (value) => {
      const found = (await get(`/v1/search?value=${encodeURIComponent(value)}`)) as Readonly<
        Record<string, readonly unknown[] | null>
      >
      for (const kind of ['entity', 'collection', 'container'] as const)
        for (const each of found[kind] ?? []) decode(kind, each)
      return found
    },
  }
}
