import { createHash, randomUUID } from 'node:crypto'
import type {
  ByteStream,
  CompleteMultipartOptions,
  FinishedBlob,
  MultipartCapability,
  MultipartRef,
  PartStat,
  PutOptions,
  StorageBackend,
  StorageLimits,
} from './contract.js'
import { StorageError } from './errors.js'
import { assertKey } from './keys.js'
import { assertPart, assertParts } from './parts.js'
import { readBody, resolveRange, throwIfAborted } from './streams.js'

export interface MemoryStorageOptions {
  /**
   * Overrides single limits, for tests with small parts. Default: those of the filesystem backend,
   * and 1 GiB for one `put`.
   */
  readonly limits?: Partial<StorageLimits>
}

interface MemoryBlob {
  readonly bytes: Buffer
  readonly modifiedAt: Date
}

interface MemoryUpload {
  readonly key: string
  readonly partSize: number
  readonly createdAt: Date
  readonly parts: Map<number, PartStat & { readonly bytes: Buffer }>
}

const NAME = 'memory'
const CHUNK = 65_536
const GIB = 1024 ** 3

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/**
 * Keeps blobs in this process, for tests and demonstrations: everything is gone when the process
 * ends, and nothing bounds the memory.
 */
export function memoryStorage(options: MemoryStorageOptions = {}): StorageBackend {
  const limits: StorageLimits = {
    minPartSize: 1,
    maxPartSize: GIB,
    maxParts: 10_000,
    maxPutSize: GIB,
    ...options.limits,
  }
  const blobs = new Map<string, MemoryBlob>()

  const findBlob = (key: string): MemoryBlob => {
    assertKey(key, NAME)
    const blob = blobs.get(key)
    if (blob === undefined) throw new StorageError('not-found', 'no such blob', { backend: NAME, key })
    return blob
  }
  // Synchronous, so nobody can come between the question and the answer.
  const publish = (key: string, bytes: Buffer) => {
    if (blobs.has(key)) throw new StorageError('exists', 'the key is taken', { backend: NAME, key })
    blobs.set(key, { bytes, modifiedAt: new Date() })
  }

  return {
    name: NAME,
    limits,
    async put(key, body, put: PutOptions) {
      assertKey(key, NAME)
      if (put.size > limits.maxPutSize)
        throw new StorageError('unsupported', `more than ${limits.maxPutSize} bytes in one put`, { backend: NAME, key })
      const bytes = await collectBody(body, { key, size: put.size, signal: put.signal })
      if (sha256(bytes) !== put.sha256)
        throw new StorageError('digest-mismatch', 'other bytes than announced', { backend: NAME, key })
      publish(key, bytes)
    },
    async get(key, { range, signal } = {}) {
      throwIfAborted(signal, { backend: NAME, key })
      const { bytes } = findBlob(key)
      const { start, length } = resolveRange(range, { backend: NAME, key, size: bytes.length })
      return { length, size: bytes.length, body: yieldCopies(bytes.subarray(start, start + length), { key, signal }) }
    },
    async stat(key) {
      assertKey(key, NAME)
      const blob = blobs.get(key)
      return blob && { size: blob.bytes.length, modifiedAt: blob.modifiedAt }
    },
    async delete(key) {
      assertKey(key, NAME)
      blobs.delete(key)
    },
    async *list(prefix) {
      for (const [key, { bytes, modifiedAt }] of [...blobs])
        if (key.startsWith(prefix)) yield { key, size: bytes.length, modifiedAt }
    },
    multipart: memoryMultipart(limits, publish),
    async check() {
      return { ok: true, message: `${blobs.size} blobs in memory` }
    },
  }
}

function memoryMultipart(limits: StorageLimits, publish: (key: string, bytes: Buffer) => void): MultipartCapability {
  const uploads = new Map<string, MemoryUpload>()
  const findUpload = ({ key, uploadId }: MultipartRef): MemoryUpload => {
    const upload = uploads.get(uploadId)
    if (upload === undefined || upload.key !== key)
      throw new StorageError('upload-not-found', 'no such upload', { backend: NAME, key })
    return upload
  }
  return {
    async create(key, { partSize }) {
      assertKey(key, NAME)
      const uploadId = randomUUID()
      uploads.set(uploadId, { key, partSize, createdAt: new Date(), parts: new Map() })
      return { uploadId }
    },
    async writePart(body, part) {
      const upload = findUpload(part)
      assertPart(part, { backend: NAME, ...upload }, limits)
      const bytes = await collectBody(body, part)
      const etag = sha256(bytes)
      if (part.sha256 !== undefined && part.sha256 !== etag)
        throw new StorageError('digest-mismatch', 'other bytes than announced', { backend: NAME, key: part.key })
      // It may have been completed or aborted while the bytes came.
      findUpload(part).parts.set(part.partNumber, { partNumber: part.partNumber, size: bytes.length, etag, bytes })
      return { partNumber: part.partNumber, size: bytes.length, etag }
    },
    async listParts(ref) {
      const parts = [...findUpload(ref).parts.values()].sort((a, b) => a.partNumber - b.partNumber)
      return parts.map(({ partNumber, size, etag }) => ({ partNumber, size, etag }))
    },
    async complete(claim: CompleteMultipartOptions): Promise<FinishedBlob> {
      throwIfAborted(claim.signal, { backend: NAME, key: claim.key })
      const upload = findUpload(claim)
      assertParts(claim, upload.parts, { backend: NAME, ...upload })
      const bytes = Buffer.concat(
        claim.parts.map(({ partNumber }) => upload.parts.get(partNumber)?.bytes ?? Buffer.alloc(0)),
      )
      uploads.delete(claim.uploadId)
      if (sha256(bytes) !== claim.sha256)
        throw new StorageError('digest-mismatch', 'the parts make other bytes than announced', {
          backend: NAME,
          key: claim.key,
        })
      publish(claim.key, bytes)
      return { key: claim.key, proof: 'proven' }
    },
    async abort({ key, uploadId }) {
      if (uploads.get(uploadId)?.key === key) uploads.delete(uploadId)
    },
    async *listUploads() {
      for (const [uploadId, { key, createdAt }] of [...uploads]) yield { key, uploadId, createdAt }
    },
  }
}

async function collectBody(
  body: ByteStream,
  { key, size, signal }: { readonly key: string; readonly size: number; readonly signal?: AbortSignal | undefined },
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of readBody(body, { backend: NAME, key, size, signal })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function* yieldCopies(
  bytes: Buffer,
  { key, signal }: { readonly key: string; readonly signal: AbortSignal | undefined },
): ByteStream & AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += CHUNK) {
    throwIfAborted(signal, { backend: NAME, key })
    yield Uint8Array.from(bytes.subarray(offset, offset + CHUNK))
  }
}
