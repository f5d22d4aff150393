/** What each kind of failure does to the upload that it ends, and what the client reads. */
import { afterEach, describe, expect, it } from 'vitest'
import { storageMarkKey } from '../../../src/core/blobs/storage-mark.js'
import { LibraryError } from '../../../src/core/index.js'
import { afterFailure, type CompletionFailure, explainFailure, Refused } from '../../../src/core/uploads/claim.js'
import { StorageError, type StorageErrorCode } from '../../../src/storage/blob/errors.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { MetadataError } from '../../../src/storage/metadata/errors.js'
import { faulty } from '../../support/faulty.js'
import { expectStatus, hashOf, makeImage, pull, push, sendParts, sha256 } from '../../support/push.js'
import { createTestRegistry, streamOf, type TestRegistry } from '../../support/registry.js'
import { keysBelow } from '../../support/sidecars.js'

const bytes = Buffer.from('an image of some bytes '.repeat(20))
const ofStorage = (code: StorageErrorCode): StorageError => new StorageError(code, 'no', { backend: 'memory' })

describe('the row of a failure', () => {
  const ours = { storageMark: { establish: async () => {}, check: async () => {} } }
  const away = ofStorage('unavailable')
  const notOurs = {
    storageMark: {
      ...ours.storageMark,
      check: async () => {
        throw away
      },
    },
  }

  it.each<[string, unknown, CompletionFailure]>([
    ['a storage that does not answer', ofStorage('unavailable'), 'store-failed'],
    ['a storage that is full', ofStorage('no-space'), 'store-failed'],
    ['a metadata store that does not answer', new MetadataError('unavailable', 'no'), 'store-failed'],
    ['parts that are not there', new LibraryError('invalid-request', 'completedParts'), 'store-failed'],
    ['what nobody foresaw', new TypeError('x is not a function'), 'store-failed'],
    ['other bytes', ofStorage('digest-mismatch'), 'bytes-wrong-or-gone'],
    ['fewer bytes', ofStorage('size-mismatch'), 'bytes-wrong-or-gone'],
    ['no bytes', ofStorage('not-found'), 'bytes-wrong-or-gone'],
    ['no parts', ofStorage('upload-not-found'), 'bytes-wrong-or-gone'],
  ])('%s', async (_, error, failure) => {
    expect(await explainFailure(ours, error)).toEqual({ failure, error })
  })

  it.each(['not-found', 'upload-not-found'] as const)('%s in a storage that is another one', async (code) => {
    const explained = await explainFailure(notOurs, ofStorage(code))
    expect(explained).toEqual({ failure: 'storage-not-ours', error: away })
  })

  it('a refusal is what a hook says, unless a store failed below it', async () => {
    const reason = new LibraryError('refused', 'the scan found something')
    expect(await explainFailure(ours, new Refused(reason, 'blobs/x'))).toEqual({ failure: 'refused', error: reason })
    expect(await explainFailure(ours, new Refused(away, 'blobs/x'))).toEqual({ failure: 'store-failed', error: away })
  })

  it('only what is known against the bytes ends an upload', () => {
    expect(afterFailure).toEqual({
      'store-failed': 'reopen',
      'bytes-wrong-or-gone': 'abort',
      'storage-not-ours': 'reopen',
      refused: 'abort',
    })
  })
})

describe('over a registry', () => {
  let registry: TestRegistry
  afterEach(() => registry.close())

  /** A registry whose storage and hook fail once, the storage both while it joins parts and while it takes bytes. */
  async function start(failure: CompletionFailure): Promise<void> {
    const plain = memoryStorage()
    const { multipart } = plain
    if (multipart === undefined) throw new Error('the memory storage takes parts')
    let isFailing = true
    const fail = async (stage: 'storage' | 'hook'): Promise<void> => {
      if (!isFailing || (stage === 'hook') !== (failure === 'refused')) return
      isFailing = false
      if (failure === 'store-failed') throw ofStorage('unavailable')
      if (failure === 'bytes-wrong-or-gone') throw ofStorage('digest-mismatch')
      if (failure === 'refused') throw new LibraryError('refused', 'the scan found something')
      await plain.delete(storageMarkKey)
      throw ofStorage('not-found')
    }
    const storage = faulty(plain, {
      put: async (...args: Parameters<typeof plain.put>) => {
        if (args[0].startsWith('blobs/')) await fail('storage')
        await plain.put(...args)
      },
      multipart: {
        complete: async (...args: Parameters<typeof multipart.complete>) => {
          await fail('storage')
          return multipart.complete(...args)
        },
      },
    })
    registry = await createTestRegistry({ storage, library: { hooks: { beforePublish: () => fail('hook') } } })
  }

  const statuses = { 'store-failed': 503, 'bytes-wrong-or-gone': 422, 'storage-not-ours': 503, refused: 403 }
  const rows = Object.entries(afterFailure) as [CompletionFailure, 'reopen' | 'abort'][]

  it.each(rows)('%s: parts are kept or dropped as the table says: %s', async (failure, end) => {
    await start(failure)
    const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
    const mark = await registry.metadata.settings.get('storage-mark')
    const complete = () =>
      registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, {
        token: 'alice',
        body: { uploadID, completedParts },
      })
    expectStatus(await complete(), statuses[failure])
    const aborted = registry.events.filter(({ name }) => name === 'upload.aborted')
    const upload = await registry.metadata.uploads.find(uploadID)
    if (end === 'abort') {
      expect(upload).toMatchObject({ state: 'aborted', backendUploadId: null })
      expect(aborted).toMatchObject([{ event: { uploadId: uploadID, reason: 'failed' } }])
      expect(await keysBelow(registry.storage, 'blobs/')).toEqual([])
      expect(await registry.metadata.entities.findByName('alice')).toMatchObject({ usedBytes: 0, reservedBytes: 0 })
      await push(registry, 'alice/c/n', bytes)
      return
    }
    expect(upload).toMatchObject({ state: 'open' })
    expect(aborted).toEqual([])
    if (failure === 'storage-not-ours') await mount(mark ?? '')
    expectStatus(await complete(), 200)
    expect(await pull(registry, `alice/c/n:${hashOf(bytes)}`)).toEqual(bytes)
  })

  /** Puts the mark back that the failure took away. */
  async function mount(mark: string): Promise<void> {
    const content = Buffer.from(`${mark}\n`)
    await registry.storage.put(storageMarkKey, streamOf(content), { size: content.length, sha256: sha256(content) })
  }

  it.each(rows)('%s: bytes that came with the request are dropped, whatever failed', async (failure) => {
    await start(failure)
    const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
    const answer = await registry.call('POST', `/v1/imagefile/${imageId}`, { token: 'alice', body: bytes })
    expectStatus(answer, statuses[failure])
    const aborted = registry.events.filter(({ name }) => name === 'upload.aborted')
    expect(aborted).toMatchObject([{ event: { reason: 'failed' } }])
    expect(await keysBelow(registry.storage, 'blobs/')).toEqual([])
    expect(await registry.metadata.entities.findByName('alice')).toMatchObject({ usedBytes: 0, reservedBytes: 0 })
  })

  it('a refused blob goes from where the storage put it', async () => {
    const plain = memoryStorage()
    const { multipart } = plain
    if (multipart === undefined) throw new Error('the memory storage takes parts')
    const complete: typeof multipart.complete = async (options) => {
      await multipart.complete(options)
      const key = `${options.key}.moved`
      await plain.put(key, streamOf(bytes), { size: bytes.length, sha256: sha256(bytes) })
      await plain.delete(options.key)
      return { key, proof: 'proven' }
    }
    const beforePublish = (): never => {
      throw new LibraryError('refused', 'the scan found something')
    }
    registry = await createTestRegistry({
      storage: faulty(plain, { multipart: { complete } }),
      library: { hooks: { beforePublish } },
    })
    const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
    const body = { uploadID, completedParts }
    expectStatus(
      await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, { token: 'alice', body }),
      403,
    )
    expect(await keysBelow(plain, 'blobs/')).toEqual([])
  })
})
