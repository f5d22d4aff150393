import type {
  BlobFacts,
  CollectionRecord,
  ContainerPath,
  ContainerRecord,
  ContainerSummary,
  EntityRecord,
  ImageRecord,
  MetadataStore,
  Page,
  UploadRecord,
} from '../../storage/metadata/contract.js'
import { assert } from '../assert.js'
import type { TestGroup } from '../runner.js'

/** A capability of the subject: `second` is another instance over the same database. */
export type MetadataCapability = 'second'

export type MetadataGroup = TestGroup<MetadataContext, MetadataCapability>

/** The nouns above an image. */
export interface Place {
  readonly entity: EntityRecord
  readonly collection: CollectionRecord
  readonly container: ContainerRecord
}

export interface PlaceOptions {
  readonly entity?: string
  readonly collection?: string
  readonly container?: string
  readonly private?: boolean
  readonly description?: string
}

export interface PublishOptions extends Partial<BlobFacts> {
  readonly digest?: string
  readonly description?: string
  readonly state?: 'published' | 'unproven'
  readonly tags?: readonly string[]
}

const noQuota = { defaultQuotaBytes: 0 }

/**
 * What one test works with: an empty store, ids and times that never repeat, and the memory of what
 * must still add up in the end.
 */
export class MetadataContext {
  readonly store: MetadataStore
  /**
   * The instances that concurrent callers are spread over: the store, and a second one over the
   * same database where there is one.
   */
  readonly instances: readonly MetadataStore[]
  readonly #uploads = new Set<string>()
  readonly #keys = new Set<string>()
  #count = 0

  constructor(store: MetadataStore, second: MetadataStore | undefined) {
    this.store = store
    this.instances = second === undefined ? [store] : [store, second]
  }

  id(): string {
    this.#count += 1
    return `5${this.#count.toString(16).padStart(23, '0')}`
  }

  digest(): string {
    return this.id().padStart(64, 'd')
  }

  /** A time later than all before. */
  now(): number {
    this.#count += 1
    return 1_700_000_000_000 + this.#count
  }

  name(prefix: string): string {
    this.#count += 1
    return `${prefix}${this.#count}`
  }

  async entity(name: string = this.name('entity'), defaultPrivate = false): Promise<EntityRecord> {
    const { record } = await this.store.entities.createIfAbsent({
      id: this.id(),
      name,
      description: '',
      defaultPrivate,
      owner: null,
      now: this.now(),
    })
    return record
  }

  async place(options: PlaceOptions = {}): Promise<Place> {
    const { store } = this
    const { description = '' } = options
    const common = { description, private: options.private ?? false, owner: 'somebody' }
    const entity = await this.entity(options.entity)
    const { record: collection } = await store.collections.createIfAbsent({
      ...{
        ...common,
        id: this.id(),
        entityId: entity.id,
        name: options.collection ?? 'default',
        private: false,
        now: this.now(),
      },
    })
    const { record: container } = await store.containers.createIfAbsent({
      ...{
        ...common,
        id: this.id(),
        collectionId: collection.id,
        name: options.container ?? this.name('container'),
        now: this.now(),
      },
    })
    return { entity, collection, container }
  }

  pathOf({ container }: { readonly container: ContainerRecord }): ContainerPath {
    return { entity: container.entityName, collection: container.collectionName, container: container.name }
  }

  async image(
    container: ContainerRecord,
    { digest = this.digest(), description = '' }: PublishOptions = {},
  ): Promise<ImageRecord> {
    const { record } = await this.store.images.createIfAbsent({
      ...{ id: this.id(), containerId: container.id, digest, description, owner: 'somebody', now: this.now() },
    })
    return record
  }

  /** The record of a new upload, not yet in the store. */
  newUpload(image: ImageRecord, place: Place, size = 1000): Parameters<MetadataStore['uploads']['create']>[0] {
    const id = this.id()
    this.#uploads.add(id)
    const now = this.now()
    return {
      ...{
        id,
        kind: 'single',
        imageId: image.id,
        containerId: place.container.id,
        entityId: place.entity.id,
        principal: 'somebody',
      },
      ...{
        key: `blobs/${image.digest}/${id}`,
        size,
        digest: image.digest,
        partSize: size,
        totalParts: 1,
        backendUploadId: null,
      },
      ...{ createdAt: now, expiresAt: now + 1000, ...noQuota },
    }
  }

  upload(image: ImageRecord, place: Place, size?: number): Promise<UploadRecord> {
    return this.store.uploads.create(this.newUpload(image, place, size))
  }

  facts(key: string, options: PublishOptions = {}): BlobFacts {
    this.#keys.add(key)
    const { size = 1000, arch = null, signed = null, encrypted = null, fingerprints = [] } = options
    return { key, size, arch, signed, encrypted, fingerprints }
  }

  /** An upload of the image that has reached `completing`. */
  async completing(image: ImageRecord, place: Place, size?: number): Promise<UploadRecord> {
    const upload = await this.upload(image, place, size)
    assert.equal(await this.store.uploads.move(upload.id, 'open', 'completing', this.now()), true)
    return upload
  }

  /**
   * An image with bytes, published in the way a push does it, and tagged for its arch (else amd64).
   */
  async publish(place: Place, options: PublishOptions = {}): Promise<ImageRecord> {
    const { store } = this
    const created = await this.image(place.container, options)
    const upload = await this.completing(created, place, options.size ?? 1000)
    const change = {
      imageId: created.id,
      uploadId: upload.id,
      blob: this.facts(upload.key, options),
      state: options.state ?? 'published',
      now: this.now(),
    }
    assert.equal(await store.images.publish(change), 'published')
    for (const tag of options.tags ?? []) {
      await store.tags.set({
        containerId: place.container.id,
        arch: options.arch ?? 'amd64',
        tag,
        imageId: created.id,
        now: this.now(),
      })
    }
    return this.read(created.id)
  }

  async read(imageId: string): Promise<ImageRecord> {
    const found = await this.store.images.find(imageId)
    assert.ok(found, `image ${imageId} is there`)
    return found.image
  }

  async assertUsage(entity: EntityRecord, usage: { readonly used: number; readonly reserved: number }): Promise<void> {
    const found = await this.store.entities.find(entity.id)
    assert.deepEqual({ used: found?.usedBytes, reserved: found?.reservedBytes }, usage)
  }

  /** Calls at the same time, spread over the instances. */
  race<R>(callers: number, call: (store: MetadataStore, caller: number) => Promise<R>): Promise<R[]> {
    const { instances } = this
    return Promise.all(
      Array.from({ length: callers }, (_, caller) => call(instances[caller % instances.length] ?? this.store, caller)),
    )
  }

  /** Pages of a list one after the other, to the end; each must hold something new. */
  async walk<R>(read: (after: string | undefined) => Promise<Page<R>>): Promise<readonly R[]> {
    const all: R[] = []
    let after: string | undefined
    for (let pages = 0; pages < 10_000; pages += 1) {
      const page = await read(after)
      all.push(...page.items)
      if (page.next === undefined) return all
      assert.ok(page.next.length <= 2048, 'a cursor is short')
      assert.notEqual(page.next, after, 'a page leads on')
      after = page.next
    }
    throw new Error('the list has no end')
  }

  /** After every test: what the lists show is what there is. */
  async #assertSummaries(): Promise<void> {
    const { store } = this
    const page = { visibility: 'all', limit: 1000 } as const
    const containers = await this.walk((after) =>
      store.containers.page({ ...page, sort: 'name', ...(after === undefined ? {} : { after }) }),
    )
    const images = (await store.images.list({ limit: 10_000 })).filter(({ image }) => image.blobKey !== null)
    const contentsOf = (of: typeof images) => ({
      usedBytes: of.reduce((sum, { image }) => sum + image.size, 0),
      imageCount: of.length,
    })
    for (const container of containers) {
      const tags = await store.tags.list(container.id)
      const latest = Math.max(0, ...tags.map(({ updatedAt }) => updatedAt))
      assert.deepEqual(
        { usedBytes: container.usedBytes, imageCount: container.imageCount, archs: container.archs },
        {
          ...contentsOf(images.filter((found) => found.container.id === container.id)),
          archs: [...new Set(tags.map(({ arch }) => arch))].sort(),
        },
        `what is kept of ${container.name} is what it holds`,
      )
      if (tags.length === 0) assert.equal(container.latest, null)
      else
        assert.ok(
          tags.some(
            ({ arch, tag, imageId }) =>
              container.latest?.arch === arch && container.latest.tag === tag && container.latest.imageId === imageId,
          ),
          `the latest tag of ${container.name} (${latest}) is one of its tags`,
        )
    }
    for (const { id, usedBytes, imageCount } of (await store.collections.page({ ...page, sort: 'name' })).items)
      assert.deepEqual(
        { usedBytes, imageCount },
        contentsOf(images.filter(({ container }) => container.collectionId === id)),
      )
    for (const { id, imageCount } of (await store.entities.page({ ...page, sort: 'name' })).items)
      assert.equal(imageCount, images.filter(({ container }) => container.entityId === id).length)
    const totalsOf = (shown: readonly ContainerSummary[]) => ({
      containers: shown.length,
      images: shown.reduce((sum, { imageCount }) => sum + imageCount, 0),
      bytes: shown.reduce((sum, { usedBytes }) => sum + usedBytes, 0),
    })
    assert.deepEqual(await store.usage.totals(), {
      all: totalsOf(containers),
      public: totalsOf(containers.filter((container) => !container.private && !container.collectionPrivate)),
    })
  }

  /**
   * After every test: counters equal what is there, and a blob is unreferenced exactly when no
   * image refers to it.
   */
  async assertConsistent(): Promise<void> {
    const { store } = this
    await this.#assertSummaries()
    const used = new Map<string, number>()
    for (const { image, container } of await store.images.list({ limit: 10_000 })) {
      used.set(container.entityId, (used.get(container.entityId) ?? 0) + image.size)
    }
    const reserved = new Map<string, number>()
    for (const id of this.#uploads) {
      const upload = await store.uploads.find(id)
      if (upload?.state === 'open' || upload?.state === 'completing')
        reserved.set(upload.entityId, (reserved.get(upload.entityId) ?? 0) + upload.size)
    }
    for (const entity of await store.entities.list({ limit: 10_000 })) {
      assert.equal(entity.usedBytes, used.get(entity.id) ?? 0, `usedBytes of ${entity.name} is the sum of its images`)
      assert.equal(
        entity.reservedBytes,
        reserved.get(entity.id) ?? 0,
        `reservedBytes of ${entity.name} is the sum of its uploads under way`,
      )
    }
    for (const key of this.#keys) {
      const blob = await store.blobs.find(key)
      const images = await store.blobs.imagesOf(key, 1)
      if (blob !== undefined)
        assert.equal(
          blob.unreferencedAt === null,
          images.length > 0,
          `${key} is unreferenced exactly when no image refers to it`,
        )
      else assert.equal(images.length, 0, `${key} has a record while an image refers to it`)
    }
  }
}
