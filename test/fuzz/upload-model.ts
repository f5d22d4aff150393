/** What an upload, an image and a tag must be after any order of calls: a plain model beside the registry, and the calls that move both. */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { Answer, TestRegistry, TestUser } from '../support/registry.js'

export const quota = 8000
export const partBytes = 1000
const uploadSeconds = 86_400
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Four files of one part, of two, and of exactly two and three. */
export const contents: readonly Buffer[] = [700, 1500, 2000, 3000].map((length, index) =>
  Buffer.alloc(length, `file ${index} `),
)
export const containers = ['one', 'two'] as const
export type Pusher = Extract<TestUser, 'bob' | 'admin'>

interface ModelImage {
  readonly id: string
  readonly container: number
  readonly content: number
  /** When it was made, in milliseconds of the model's clock. */
  readonly madeAt: number
  published: boolean
}

interface ModelUpload {
  readonly id: string
  readonly kind: 'single' | 'multipart'
  readonly user: Pusher
  readonly image: ModelImage
  readonly url: string
  readonly createdAt: number
  expiresAt: number
  state: 'open' | 'completed' | 'ended'
  /** `single`: the bytes are there. */
  arrived: boolean
  /** By number: the etag of what was acknowledged; `lost` where a resend failed, so that either may be there. */
  readonly parts: Map<number, { readonly etag: string; readonly good: boolean; readonly lost: boolean }>
  /** The last URL of each part. */
  readonly urls: Map<number, string>
}

/** 0: take what the operation says, which is mostly nothing that exists. Otherwise: the nearest thing that makes sense, so that pushes get somewhere. */
interface Aimed {
  readonly aim: number
}

export type Operation =
  | { readonly kind: 'create'; readonly user: Pusher; readonly container: number; readonly content: number }
  | (Aimed & {
      readonly kind: 'start'
      readonly user: Pusher
      readonly container: number
      readonly content: number
      readonly multipart: boolean
    })
  | (Aimed & { readonly kind: 'put'; readonly upload: number; readonly bytes: 'good' | 'other' | 'short' })
  | (Aimed & {
      readonly kind: 'completeSingle'
      readonly user: Pusher
      readonly container: number
      readonly content: number
    })
  | (Aimed & {
      readonly kind: 'part'
      readonly upload: number
      readonly part: number
      readonly bytes: 'good' | 'damaged' | 'other'
      readonly oldUrl: boolean
    })
  | (Aimed & {
      readonly kind: 'completeMultipart'
      readonly upload: number
      readonly parts: 'all' | 'fewer' | 'wrong etag'
      readonly foreign: boolean
    })
  | (Aimed & { readonly kind: 'abort'; readonly upload: number; readonly foreign: boolean })
  | (Aimed & {
      readonly kind: 'direct'
      readonly user: Pusher
      readonly container: number
      readonly content: number
      readonly good: boolean
    })
  | (Aimed & {
      readonly kind: 'tag'
      readonly container: number
      readonly content: number
      readonly tag: number
      readonly foreign: boolean
    })
  | (Aimed & {
      readonly kind: 'delete'
      readonly container: number
      readonly content: number
      readonly tag: number | undefined
    })
  | (Aimed & { readonly kind: 'stranger'; readonly container: number; readonly content: number; readonly call: number })
  | { readonly kind: 'wait'; readonly milliseconds: number }
  | { readonly kind: 'sweep'; readonly graceSeconds: number }

export class Model {
  readonly images = new Map<string, ModelImage>()
  readonly uploads: ModelUpload[] = []
  /** `container/tag` → image. */
  readonly tags = new Map<string, ModelImage>()
  /** How often each kind of call met each status: a run that only ever sees 404 proves nothing. */
  readonly met = new Map<string, number>()

  constructor(
    readonly registry: TestRegistry,
    readonly clock: { now: number },
    readonly containerIds: readonly string[],
  ) {}

  // ------------------------------------------------------------ bookkeeping

  get used(): number {
    return [...this.images.values()]
      .filter(({ published }) => published)
      .reduce((sum, { content }) => sum + (contents[content] as Buffer).length, 0)
  }

  get reserved(): number {
    return this.uploads
      .filter(({ state }) => state === 'open')
      .reduce((sum, { image }) => sum + (contents[image.content] as Buffer).length, 0)
  }

  #fits(content: number): boolean {
    return this.used + this.reserved + (contents[content] as Buffer).length <= quota
  }

  /** Where the quota has no room, the user's own uploads of the image give way, the oldest first. */
  #makeRoom(user: string, image: ModelImage): boolean {
    const own = this.uploads.filter(
      (upload) => upload.state === 'open' && upload.user === user && upload.image === image,
    )
    own.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
    for (const upload of own) {
      if (this.#fits(image.content)) return true
      upload.state = 'ended'
    }
    return this.#fits(image.content)
  }

  #image(container: number, content: number): ModelImage | undefined {
    return this.images.get(`${container}/${content}`)
  }

  #alive(upload: ModelUpload): boolean {
    return this.images.get(`${upload.image.container}/${upload.image.content}`) === upload.image
  }

  #open(upload: ModelUpload): boolean {
    return upload.state === 'open' && upload.expiresAt > this.clock.now
  }

  #drop(image: ModelImage): void {
    this.images.delete(`${image.container}/${image.content}`)
    for (const [key, tagged] of this.tags) if (tagged === image) this.tags.delete(key)
    for (const upload of this.uploads) if (upload.image === image && upload.state === 'open') upload.state = 'ended'
  }

  #meet(what: string): void {
    this.met.set(what, (this.met.get(what) ?? 0) + 1)
  }

  #check(operation: Operation, answer: Answer, ...statuses: readonly number[]): number {
    this.#meet(`${operation.kind} ${answer.status}`)
    if (!statuses.includes(answer.status)) {
      throw new Error(
        `${JSON.stringify(operation)}: ${answer.status} instead of ${statuses.join(' or ')}: ${answer.text.slice(0, 200)}`,
      )
    }
    return answer.status
  }

  #aim(operation: Operation): Operation {
    if (!('aim' in operation) || operation.aim === 0) return operation
    if (operation.kind === 'delete' && operation.tag !== undefined && this.tags.size > 0) {
      const key = [...this.tags.keys()][operation.tag % this.tags.size] as string
      return { ...operation, container: Number(key[0]), tag: Number(key.at(-1)) }
    }
    if (operation.kind === 'completeSingle') {
      const ready = this.uploads.filter(
        (upload) => upload.kind === 'single' && upload.state === 'open' && upload.arrived,
      )
      const { user, image } = ready[operation.content % ready.length] ?? {}
      if (user !== undefined && image !== undefined)
        return { ...operation, user, container: image.container, content: image.content }
    }
    if (!('content' in operation) || this.images.size === 0) return operation
    const images = [...this.images.values()].filter(
      ({ published }) => operation.kind !== 'tag' || published || operation.aim < 3,
    )
    const { container, content } =
      images[(operation.container * contents.length + operation.content) % images.length] ?? operation
    return { ...operation, container, content }
  }

  // ------------------------------------------------------------ calls

  async run(given: Operation): Promise<void> {
    const operation = this.#aim(given)
    switch (operation.kind) {
      case 'create':
        return this.#create(operation)
      case 'start':
        return this.#start(operation)
      case 'put':
        return this.#put(operation)
      case 'completeSingle':
        return this.#completeSingle(operation)
      case 'part':
        return this.#part(operation)
      case 'completeMultipart':
        return this.#completeMultipart(operation)
      case 'abort':
        return this.#abort(operation)
      case 'direct':
        return this.#direct(operation)
      case 'tag':
        return this.#tag(operation)
      case 'delete':
        return this.#delete(operation)
      case 'stranger':
        return this.#stranger(operation)
      case 'wait':
        this.clock.now += operation.milliseconds
        return
      case 'sweep':
        return this.#sweep(operation)
    }
  }

  async #create(operation: Extract<Operation, { kind: 'create' }>): Promise<void> {
    const { user, container, content } = operation
    const known = this.#image(container, content)
    const elsewhere = this.#image(1 - container, content)?.published === true
    const adopts = elsewhere && known?.published !== true
    const hash = `sha256.${sha256(contents[content] as Buffer)}`
    const answer = await this.registry.call('POST', '/v1/images', {
      token: user,
      body: { hash, container: this.containerIds[container] },
    })
    // bytes that are shared count like others
    if (adopts && !this.#fits(content)) return void this.#check(operation, answer, 403)
    this.#check(operation, answer, known === undefined ? 201 : 200)
    const { id, uploaded } = answer.json.data
    const image = known ?? { id, container, content, madeAt: this.clock.now, published: false }
    expect(id).toBe(image.id)
    this.images.set(`${container}/${content}`, image)
    image.published ||= elsewhere
    expect(uploaded).toBe(image.published)
  }

  async #start(operation: Extract<Operation, { kind: 'start' }>): Promise<void> {
    const { user, container, content, multipart } = operation
    const image = this.#image(container, content)
    const path = `/v2/imagefile/${image?.id ?? '0'.repeat(24)}${multipart ? '/_multipart' : ''}`
    const filesize = (contents[content] as Buffer).length
    const answer = await this.registry.call('POST', path, { token: user, body: { filesize } })
    if (image === undefined) return void this.#check(operation, answer, 404)
    if (!this.#makeRoom(user, image)) return void this.#check(operation, answer, 403)
    this.#check(operation, answer, 200)
    const { uploadURL = '', uploadID } = answer.json.data
    const now = this.clock.now
    // the capability is signed, not sealed: it names the upload
    const id =
      uploadID ?? JSON.parse(Buffer.from(uploadURL.split('/').at(-1).split('.')[0], 'base64url').toString()).uploadId
    const kind = multipart ? 'multipart' : 'single'
    const times = { createdAt: now, expiresAt: now + uploadSeconds * 1000 }
    this.uploads.push({
      id,
      kind,
      user,
      image,
      url: uploadURL,
      ...times,
      state: 'open',
      arrived: false,
      parts: new Map(),
      urls: new Map(),
    })
    if (multipart)
      expect(answer.json.data).toMatchObject({ totalParts: Math.ceil(filesize / partBytes), partSize: partBytes })
  }

  #pick(
    { upload: index, aim }: { readonly upload: number } & Aimed,
    kind: ModelUpload['kind'],
  ): ModelUpload | undefined {
    const all = this.uploads.filter((upload) => upload.kind === kind)
    const open = all.filter((upload) => this.#open(upload))
    const uploads = aim > 1 && open.length > 0 ? open : all
    return uploads.length === 0 ? undefined : uploads.at(-1 - (index % uploads.length))
  }

  async #put(operation: Extract<Operation, { kind: 'put' }>): Promise<void> {
    const upload = this.#pick(operation, 'single')
    if (upload === undefined) return
    const good = contents[upload.image.content] as Buffer
    const body =
      operation.bytes === 'good'
        ? good
        : operation.bytes === 'short'
          ? good.subarray(1)
          : Buffer.alloc(good.length, 'other')
    const answer = await this.registry.call('PUT', upload.url, { body })
    if (!this.#open(upload)) return void this.#check(operation, answer, 410)
    this.#check(operation, answer, operation.bytes === 'good' ? 200 : 422)
    if (operation.bytes !== 'good') return
    upload.arrived = true
    upload.expiresAt = this.clock.now + uploadSeconds * 1000
  }

  async #completeSingle(operation: Extract<Operation, { kind: 'completeSingle' }>): Promise<void> {
    const { user, container, content } = operation
    const image = this.#image(container, content)
    const answer = await this.registry.call('PUT', `/v2/imagefile/${image?.id ?? '0'.repeat(24)}/_complete`, {
      token: user,
      body: {},
    })
    if (image === undefined) return void this.#check(operation, answer, 404)
    const candidates = this.uploads.filter(
      (upload) =>
        upload.kind === 'single' &&
        upload.state === 'open' &&
        upload.arrived &&
        upload.image === image &&
        upload.user === user,
    )
    const newest = candidates.sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))[0]
    if (newest === undefined) return void this.#check(operation, answer, image.published ? 200 : 409)
    this.#check(operation, answer, 200)
    newest.state = 'completed'
    image.published = true
  }

  async #part(operation: Extract<Operation, { kind: 'part' }>): Promise<void> {
    const upload = this.#pick(operation, 'multipart')
    if (upload === undefined) return
    const whole = contents[upload.image.content] as Buffer
    const total = Math.ceil(whole.length / partBytes)
    const missing = Array.from({ length: total }, (_, index) => index + 1).find(
      (one) => upload.parts.get(one)?.good !== true,
    )
    const number = operation.aim > 2 && missing !== undefined ? missing : 1 + (operation.part % total)
    const good = whole.subarray((number - 1) * partBytes, number * partBytes)
    const old = operation.oldUrl ? upload.urls.get(number) : undefined
    const url = old ?? (await this.#presign(operation, upload, number, good))
    if (url === undefined) return
    upload.urls.set(number, url)
    const bound =
      JSON.parse(Buffer.from(url.split('/').at(-1)?.split('.')[0] ?? '', 'base64url').toString()).sha256 !== undefined
    const body = operation.bytes === 'good' ? good : Buffer.alloc(good.length, 'bad!')
    const answer = await this.registry.call('PUT', url, { body })
    if (!this.#open(upload)) return void this.#check(operation, answer, 410)
    const refused = bound && operation.bytes !== 'good'
    this.#check(operation, answer, refused ? 422 : 200)
    const before = upload.parts.get(number)
    if (refused) {
      if (before !== undefined) upload.parts.set(number, { ...before, lost: true })
      return
    }
    upload.parts.set(number, { etag: answer.headers.etag ?? '', good: operation.bytes === 'good', lost: false })
    upload.expiresAt = this.clock.now + uploadSeconds * 1000
  }

  async #presign(
    operation: Extract<Operation, { kind: 'part' }>,
    upload: ModelUpload,
    partNumber: number,
    good: Buffer,
  ): Promise<string | undefined> {
    // other bytes are only taken where the client named no hash
    const body = {
      uploadID: upload.id,
      partNumber,
      partSize: good.length,
      sha256sum: operation.bytes === 'other' ? '' : sha256(good),
    }
    const answer = await this.registry.call('PUT', `/v2/imagefile/${upload.image.id}/_multipart`, {
      token: upload.user,
      body,
    })
    if (!this.#alive(upload)) this.#check(operation, answer, 404)
    else this.#check(operation, answer, this.#open(upload) ? 200 : 410)
    return answer.status === 200 ? answer.json.data.presignedURL : undefined
  }

  async #completeMultipart(operation: Extract<Operation, { kind: 'completeMultipart' }>): Promise<void> {
    const upload = this.#pick(operation, 'multipart')
    if (upload === undefined) return
    const total = Math.ceil((contents[upload.image.content] as Buffer).length / partBytes)
    const count = operation.parts === 'fewer' ? total - 1 : total
    const completedParts = Array.from({ length: count }, (_, index) => ({
      partNumber: index + 1,
      token:
        operation.parts === 'wrong etag' && index === count - 1
          ? '"nonsense"'
          : (upload.parts.get(index + 1)?.etag ?? '""'),
    }))
    const token = operation.foreign ? (upload.user === 'bob' ? 'admin' : 'bob') : upload.user
    const path = `/v2/imagefile/${upload.image.id}/_multipart_complete`
    const answer = await this.registry.call('PUT', path, { token, body: { uploadID: upload.id, completedParts } })
    if (!this.#alive(upload)) return void this.#check(operation, answer, 404)
    // an upload that ended long ago is forgotten
    if (operation.foreign) return void this.#check(operation, answer, ...(upload.state === 'open' ? [404] : [404, 410]))
    if (operation.parts === 'fewer')
      return void this.#check(operation, answer, ...(upload.state === 'open' ? [400] : [400, 410]))
    if (upload.state === 'completed')
      return void this.#check(operation, answer, operation.parts === 'wrong etag' ? 409 : 200, 410)
    if (!this.#open(upload)) return void this.#check(operation, answer, 410)
    const parts = Array.from({ length: total }, (_, index) => upload.parts.get(index + 1))
    if (operation.parts === 'wrong etag' || parts.includes(undefined)) return void this.#check(operation, answer, 400)
    const whole = parts.every((part) => part?.good === true)
    const done = whole ? 200 : 422
    const status = this.#check(operation, answer, ...(parts.some((part) => part?.lost === true) ? [done, 400] : [done]))
    if (status === 400) return
    upload.state = whole ? 'completed' : 'ended'
    if (whole) upload.image.published = true
  }

  async #abort(operation: Extract<Operation, { kind: 'abort' }>): Promise<void> {
    const upload = this.#pick(operation, 'multipart')
    if (upload === undefined) return
    const token = operation.foreign ? (upload.user === 'bob' ? 'admin' : 'bob') : upload.user
    const answer = await this.registry.call('PUT', `/v2/imagefile/${upload.image.id}/_multipart_abort`, {
      token,
      body: { uploadID: upload.id },
    })
    if (!this.#alive(upload)) return void this.#check(operation, answer, 404)
    this.#check(operation, answer, operation.foreign ? 404 : 200, ...(upload.state === 'open' ? [] : [410]))
    if (!operation.foreign && upload.state === 'open') upload.state = 'ended'
  }

  async #direct(operation: Extract<Operation, { kind: 'direct' }>): Promise<void> {
    const { user, container, content, good } = operation
    const image = this.#image(container, content)
    const bytes = contents[content] as Buffer
    const body = good ? bytes : Buffer.alloc(bytes.length, 'other')
    const answer = await this.registry.call('POST', `/v1/imagefile/${image?.id ?? '0'.repeat(24)}`, {
      token: user,
      body,
    })
    if (image === undefined) return void this.#check(operation, answer, 404)
    if (!this.#makeRoom(user, image)) return void this.#check(operation, answer, 403)
    this.#check(operation, answer, good ? 200 : 422)
    if (good) image.published = true
  }

  async #tag(operation: Extract<Operation, { kind: 'tag' }>): Promise<void> {
    const { container, content, tag, foreign } = operation
    const image = this.#image(container, content)
    const target = foreign ? 1 - container : container
    const body = { Tag: `t${tag}`, Arch: 'amd64', ImageID: image?.id ?? '0'.repeat(24) }
    const answer = await this.registry.call('POST', `/v2/tags/${this.containerIds[target]}`, { token: 'bob', body })
    if (image === undefined || foreign) return void this.#check(operation, answer, 404)
    if (this.#check(operation, answer, image.published ? 200 : 409) === 200)
      this.tags.set(`${container}/t${tag}`, image)
  }

  async #delete(operation: Extract<Operation, { kind: 'delete' }>): Promise<void> {
    const { container, content, tag } = operation
    const selector = tag === undefined ? `sha256.${sha256(contents[content] as Buffer)}` : `t${tag}`
    const answer = await this.registry.call(
      'DELETE',
      `/v1/images/bob/c/${containers[container]}:${selector}?arch=amd64`,
      { token: 'bob' },
    )
    const image = tag === undefined ? this.#image(container, content) : this.tags.get(`${container}/t${tag}`)
    if (image === undefined) return void this.#check(operation, answer, 404)
    this.#check(operation, answer, 200)
    if (tag === undefined && image.published) this.#meet('deleted by hash while published')
    if (
      tag === undefined &&
      this.uploads.some((one) => one.image === image && one.state === 'open' && one.parts.size > 0)
    ) {
      this.#meet('deleted by hash while parts were sent')
    }
    if (tag !== undefined) this.tags.delete(`${container}/t${tag}`)
    if (tag === undefined || ![...this.tags.values()].includes(image)) this.#drop(image)
  }

  /** Somebody else tries: nothing may change. */
  async #stranger(operation: Extract<Operation, { kind: 'stranger' }>): Promise<void> {
    const { container, content } = operation
    const image = this.#image(container, content)
    const id = image?.id ?? '0'.repeat(24)
    const upload = this.uploads.at(-1)?.id ?? '0'.repeat(24)
    const calls: readonly [string, string, object | Buffer][] = [
      ['POST', `/v2/imagefile/${id}`, { filesize: 10 }],
      ['POST', `/v2/imagefile/${id}/_multipart`, { filesize: 10 }],
      ['PUT', `/v2/imagefile/${id}/_complete`, {}],
      ['PUT', `/v2/imagefile/${id}/_multipart_abort`, { uploadID: upload }],
      ['PUT', `/v2/imagefile/${id}/_multipart_complete`, { uploadID: upload, completedParts: [] }],
      ['POST', `/v1/imagefile/${id}`, contents[content] as Buffer],
    ]
    const [method, path, body] = calls[operation.call % calls.length] as (typeof calls)[number]
    this.#check(
      operation,
      await this.registry.call(method, path, { token: 'mallory', body }),
      image === undefined ? 404 : 403,
    )
  }

  async #sweep({ graceSeconds }: Extract<Operation, { kind: 'sweep' }>): Promise<void> {
    await this.registry.library.sweep({ graceSeconds })
    for (const upload of this.uploads) {
      if (upload.state !== 'open' || upload.expiresAt >= this.clock.now) continue
      upload.state = 'ended'
      this.#meet('swept while open')
    }
    // what never got bytes goes, and nothing sooner than after the time of an upload and the grace
    const before = this.clock.now - (graceSeconds + uploadSeconds) * 1000
    for (const [key, image] of this.images) {
      if (image.published || (await this.registry.metadata.images.find(image.id)) !== undefined) continue
      expect(image.madeAt).toBeLessThan(before)
      this.images.delete(key)
      this.#meet('swept before it was uploaded')
    }
  }

  // ------------------------------------------------------------ what must hold after each step

  async check(): Promise<void> {
    const { metadata, storage } = this.registry
    const visible = await metadata.images.list({ limit: 1000, states: ['published', 'unproven', 'damaged'] })
    const wanted = [...this.images.values()].filter(({ published }) => published)
    expect(visible.map(({ image }) => image.id).sort()).toEqual(wanted.map(({ id }) => id).sort())
    for (const { image } of visible) {
      const hash = createHash('sha256')
      const { body } = await storage.get(image.blobKey ?? '')
      for await (const chunk of body) hash.update(chunk)
      expect(hash.digest('hex')).toBe(image.digest)
    }
    const entity = await metadata.entities.findByName('bob')
    expect([entity?.usedBytes, entity?.reservedBytes]).toEqual([this.used, this.reserved])
    for (const [container, id] of this.containerIds.entries()) {
      const tags = Object.fromEntries((await metadata.tags.list(id)).map(({ tag, imageId }) => [tag, imageId]))
      const expected = [...this.tags]
        .filter(([key]) => key.startsWith(`${container}/`))
        .map(([key, image]) => [key.slice(2), image.id])
      expect(tags).toEqual(Object.fromEntries(expected))
    }
  }

  /** After days without a call, a sweep leaves the bytes of the visible images and nothing else. */
  async checkSwept(): Promise<void> {
    const { library, metadata, storage } = this.registry
    this.clock.now += 10 * uploadSeconds * 1000
    await this.#sweep({ kind: 'sweep', graceSeconds: 0 })
    await this.check()
    expect(this.reserved).toBe(0)
    const wanted = new Set(
      (await metadata.images.list({ limit: 1000 })).map(({ image }) => image.blobKey).filter((key) => key !== null),
    )
    const keys: string[] = []
    for await (const { key } of storage.list('blobs/')) keys.push(key)
    expect(keys.sort()).toEqual([...wanted].sort())
    // one sidecar of each image with bytes, and none of another
    const described: string[] = []
    for await (const { key } of storage.list('records/images/')) described.push(key.split('/')[4] ?? '')
    const withBytes = (await metadata.images.list({ limit: 1000 }))
      .filter(({ image }) => image.blobKey !== null)
      .map(({ image }) => image.id)
    expect(described.sort()).toEqual(withBytes.sort())
    for await (const upload of storage.multipart?.listUploads() ?? [])
      throw new Error(`left in the storage: ${JSON.stringify(upload)}`)
    // a second one finds nothing to do
    const again = await library.sweep({ graceSeconds: 0 })
    expect(again).toEqual({ uploads: 0, images: 0, blobs: 0, orphans: 0, temporary: 0, kept: 0, bytes: 0 })
  }
}
