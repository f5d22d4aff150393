import type {
  BlobFacts,
  CollectionRecord,
  ContainerPath,
  ContainerRecord,
  EntityRecord,
  ImageRecord,
  MetadataStore,
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

/** What one test works with: an empty store, ids and times that never repeat, and the memory of what must still add up in the end. */
export class MetadataContext {
  readonly store: MetadataStore
  /** The instances that concurrent callers are spread over: the store, and a second one over the same database where there is one. */
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

  /** An image with bytes, published in the way a push does it, and tagged for its arch (else amd64). */
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

  /** After every test: counters equal what is there, and a blob is unreferenced exactly when no image refers to it. */
  async assertConsistent(): Promise<void> {
    const { store } = this
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
