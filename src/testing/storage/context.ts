import assert from 'node:assert/strict'
import type { MultipartRef, StorageBackend } from '../../storage/blob/contract.js'
import type { TestGroup } from '../runner.js'
import { assertSameBytes, collect, describeBytes, makeBytes, readContent, streamBytes } from './fixtures.js'

/** A member of StorageBackend that may be absent. */
export type StorageCapability = 'multipart' | 'presign' | 'presign.part' | 'prove' | 'sweepTemporary' | 'check'

export type StorageGroup = TestGroup<StorageContext, StorageCapability>

/** What one test works with: an empty backend, and the memory of what the test published. */
export class StorageContext {
  readonly backend: StorageBackend
  readonly #published = new Set<string>()
  readonly #tolerated = new Set<string>()
  readonly #uploads: MultipartRef[] = []
  #keys = 0

  constructor(backend: StorageBackend) {
    this.backend = backend
  }

  /** A key of the registry's shape that this test has not used. */
  nextKey(): string {
    this.#keys += 1
    return `blobs/sha256/ab/${String(this.#keys).padStart(64, 'ab')}/upload-${this.#keys}`
  }

  /** Puts bytes and expects them to stay. */
  async put(bytes: Uint8Array = makeBytes(1000), key: string = this.nextKey()): Promise<string> {
    await this.backend.put(key, streamBytes(bytes), describeBytes(bytes))
    this.expectListed(key)
    return key
  }

  async read(key: string): Promise<Buffer> {
    return readContent(await this.backend.get(key))
  }

  async assertHolds(key: string, bytes: Uint8Array): Promise<void> {
    assert.equal((await this.backend.stat(key))?.size, bytes.length, 'stat')
    assertSameBytes(await this.read(key), bytes, 'get')
  }

  async assertUnreadable(key: string): Promise<void> {
    assert.equal(await this.backend.stat(key), undefined, 'stat finds nothing')
    await assert.rejects(this.backend.get(key), { code: 'not-found' }, 'get finds nothing')
    assert.deepEqual(await collect(this.backend.list(key)), [], 'list finds nothing')
  }

  /** From now on the key must be listed when the test ends. */
  expectListed(key: string): void {
    this.#published.add(key)
  }

  expectGone(key: string): void {
    this.#published.delete(key)
  }

  /** Whether this key is listed when the test ends does not matter. */
  tolerate(key: string): void {
    this.#tolerated.add(key)
  }

  /** Aborted when the test ends. */
  trackUpload(upload: MultipartRef): void {
    this.#uploads.push(upload)
  }

  async assertNoLeftovers(): Promise<void> {
    for (const upload of this.#uploads) await this.backend.multipart?.abort(upload)
    const listed = (await collect(this.backend.list('')))
      .map((entry) => entry.key)
      .filter((key) => !this.#tolerated.has(key))
    assert.deepEqual(listed.sort(), [...this.#published].sort(), 'list holds what was published and nothing else')
    const swept = await this.backend.sweepTemporary?.(new Date(Date.now() + 60_000))
    assert.ok(swept === undefined || swept === 0, `sweepTemporary found ${swept} leftovers`)
    for (const key of this.#published)
      assert.notEqual(await this.backend.stat(key), undefined, 'sweepTemporary harms no published blob')
  }
}
